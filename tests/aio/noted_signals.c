/* Stands before readers.c in a test: notes whether a thread is woken while its waker has the lock. */
#include <pthread.h>
#include <string.h>

static __thread int noted_locks;
static int noted_wakes, noted_wakes_under_lock;

static int noted_lock(pthread_mutex_t *lock) {
    int error = pthread_mutex_lock(lock);
    noted_locks++;
    return error;
}

static int noted_unlock(pthread_mutex_t *lock) {
    noted_locks--;
    return pthread_mutex_unlock(lock);
}

static int noted_signal(pthread_cond_t *condition, const char *named) {
    if (!strcmp(named, "&readers->wake")) {
        __atomic_fetch_add(&noted_wakes, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&noted_wakes_under_lock, noted_locks, __ATOMIC_RELAXED);
    }
    return pthread_cond_signal(condition);
}

#define pthread_mutex_lock(lock) noted_lock(lock)
#define pthread_mutex_unlock(lock) noted_unlock(lock)
#define pthread_cond_signal(condition) noted_signal(condition, #condition)

int wakes(void) { return noted_wakes; }
int wakes_under_lock(void) { return noted_wakes_under_lock; }

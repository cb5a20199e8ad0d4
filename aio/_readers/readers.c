/* Threads that read or flush, without Python's lock: a job is one preadv2, or one fsync.
 *
 * One thread, the loop's, uses `readers_*`.  Python writes entries; `readers_submit` puts them into
 * lines, by their descriptor, and wakes one thread, which wakes the next: the loop pays for one.
 * Lines take turns, so that a file with many jobs holds up no other's.  Results go to the loop by
 * one eventfd, written once until they are taken out.  Every function returns a count or -errno. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINES 64
#define IDLE_SECONDS 30
#define STACK (128 << 10)

enum { READ = 0, FSYNC = 2 }; /* as aio/ring.py has them */

struct entry { /* as aio/readers.py packs it */
    int32_t fd;
    int32_t flags;
    int32_t code, unused;
    uint64_t address, length, offset, tag;
};

struct job {
    struct entry entry;
    struct job *next;
};

struct line {
    struct job *first, *last;
};

struct readers {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake, ended;
    unsigned workers, threads, idle;
    unsigned waiting; /* jobs in lines */
    unsigned turn;    /* the line that is next */
    unsigned done;    /* results not taken out */
    int told;         /* the eventfd is written, or about to be, and not read since */
    int closing;
    int eventfd;
    struct entry *entries; /* of the next submission */
    struct job *jobs;      /* by tag */
    uint64_t *tags;
    int32_t *results;
    struct line lines[LINES];
};

static struct job *take(struct readers *readers) {
    while (!readers->lines[readers->turn].first)
        readers->turn = (readers->turn + 1) % LINES;
    struct line *line = &readers->lines[readers->turn];
    struct job *job = line->first;
    line->first = job->next;
    readers->turn = (readers->turn + 1) % LINES;
    readers->waiting--;
    return job;
}

/* Wait for a job; 0 if this thread is not needed any more. */
static int wait_for_job(struct readers *readers) {
    while (!readers->waiting) {
        if (readers->closing)
            return 0;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_SECONDS;
        readers->idle++;
        int error = pthread_cond_timedwait(&readers->wake, &readers->lock, &until);
        readers->idle--;
        if (error == ETIMEDOUT && !readers->waiting && readers->threads > 1)
            return 0;
    }
    return 1;
}

static ssize_t call(const struct entry *entry) {
    if (entry->code == FSYNC)
        return fsync(entry->fd);
    struct iovec into = {(void *)(uintptr_t)entry->address, entry->length};
    return entry->flags ? preadv2(entry->fd, &into, 1, entry->offset, entry->flags)
                        : preadv(entry->fd, &into, 1, entry->offset);
}

static int32_t perform(const struct entry *entry) {
    ssize_t count;
    do
        count = call(entry);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : (int32_t)count;
}

static void *work(void *argument) {
    struct readers *readers = argument;
    pthread_mutex_lock(&readers->lock);
    while (wait_for_job(readers)) {
        struct job *job = take(readers);
        if (readers->waiting && readers->idle)
            pthread_cond_signal(&readers->wake);
        pthread_mutex_unlock(&readers->lock);
        int32_t result = perform(&job->entry);
        pthread_mutex_lock(&readers->lock);
        readers->tags[readers->done] = job->entry.tag;
        readers->results[readers->done++] = result;
        if (!readers->told) {
            static const uint64_t one = 1;
            __atomic_store_n(&readers->told, 1, __ATOMIC_RELEASE);
            pthread_mutex_unlock(&readers->lock);
            ssize_t ignored = write(readers->eventfd, &one, sizeof one);
            (void)ignored; /* it cannot overflow */
            pthread_mutex_lock(&readers->lock);
        }
    }
    if (!--readers->threads)
        pthread_cond_signal(&readers->ended);
    pthread_mutex_unlock(&readers->lock);
    return NULL;
}

/* Signals are for Python's threads. */
static int start(struct readers *readers) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, work, readers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    readers->threads += !error;
    return -error;
}

static void release(struct readers *readers) {
    free(readers->entries);
    free(readers->jobs);
    free(readers->tags);
    free(readers->results);
    pthread_cond_destroy(&readers->ended);
    pthread_cond_destroy(&readers->wake);
    pthread_mutex_destroy(&readers->lock);
}

int readers_open(struct readers *readers, unsigned depth, unsigned workers, int eventfd) {
    pthread_condattr_t monotonic;
    memset(readers, 0, sizeof *readers);
    pthread_mutex_init(&readers->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&readers->wake, &monotonic);
    pthread_cond_init(&readers->ended, NULL);
    pthread_condattr_destroy(&monotonic);
    readers->workers = workers;
    readers->eventfd = eventfd;
    readers->entries = calloc(depth, sizeof *readers->entries);
    readers->jobs = calloc(depth, sizeof *readers->jobs);
    readers->tags = calloc(depth, sizeof *readers->tags);
    readers->results = calloc(depth, sizeof *readers->results);
    int error = -ENOMEM;
    if (readers->entries && readers->jobs && readers->tags && readers->results) {
        pthread_mutex_lock(&readers->lock);
        error = start(readers);
        pthread_mutex_unlock(&readers->lock);
    }
    if (error)
        release(readers);
    return error;
}

/* Nothing is in flight. */
void readers_close(struct readers *readers) {
    pthread_mutex_lock(&readers->lock);
    readers->closing = 1;
    pthread_cond_broadcast(&readers->wake);
    while (readers->threads)
        pthread_cond_wait(&readers->ended, &readers->lock);
    pthread_mutex_unlock(&readers->lock);
    release(readers);
}

uintptr_t readers_entries(struct readers *readers) {
    return (uintptr_t)readers->entries;
}

int readers_submit(struct readers *readers, unsigned count) {
    pthread_mutex_lock(&readers->lock);
    for (unsigned index = 0; index < count; index++) {
        const struct entry *entry = &readers->entries[index];
        struct job *job = &readers->jobs[entry->tag];
        struct line *line = &readers->lines[(uint32_t)entry->fd % LINES];
        job->entry = *entry;
        job->next = NULL;
        if (line->first)
            line->last->next = job;
        else
            line->first = job;
        line->last = job;
    }
    readers->waiting += count;
    unsigned begun = readers->idle; /* and those that have been started */
    while (begun < readers->waiting && readers->threads < readers->workers && !start(readers))
        begun++;
    if (readers->idle)
        pthread_cond_signal(&readers->wake);
    pthread_mutex_unlock(&readers->lock);
    return (int)count;
}

int readers_reap(struct readers *readers, uint64_t *tags, int32_t *results) {
    uint64_t ignored;
    /* First: a result that comes behind it is taken out below, or writes the eventfd anew. */
    if (__atomic_load_n(&readers->told, __ATOMIC_ACQUIRE)
        && read(readers->eventfd, &ignored, sizeof ignored) < 0 && errno != EAGAIN)
        return -errno;
    pthread_mutex_lock(&readers->lock);
    unsigned count = readers->done;
    memcpy(tags, readers->tags, count * sizeof *tags);
    memcpy(results, readers->results, count * sizeof *results);
    readers->done = 0;
    __atomic_store_n(&readers->told, 0, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&readers->lock);
    return (int)count;
}

/* Threads that read or flush, without Python's lock: a job is one preadv2, or one fsync.
 *
 * One thread, the loop's, uses `readers_*`.  Python writes entries, which `readers_submit` makes
 * jobs of, and others in C make jobs themselves.  They are put into lines, by their descriptor, and
 * one thread is woken, which wakes the next: the loop pays for one.  Lines take turns, so that a
 * file with many jobs holds up no other's.  Results go to the loop by an eventfd each for Python's
 * jobs and for others', written once until they are taken out.  Every function returns a count or
 * -errno. */

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

struct entry { /* as aio/readers.py packs it */
    int32_t fd;
    int32_t flags;
    int32_t code, unused;
    uint64_t address, length, offset, tag;
};

/* How the loop hears of results. */
struct bell {
    int eventfd;
    int rung; /* it is written, or about to be, and results have come since they were taken out */
};

struct readers {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake, ended_threads;
    unsigned workers, threads, idle;
    unsigned waiting; /* jobs in lines */
    unsigned turn;    /* the line that is next */
    unsigned done;    /* results not taken out */
    int closing;
    struct bell bell; /* of results by tag */
    struct bell jobs_bell;
    struct jobs ended; /* jobs of others, not taken out */
    struct entry *entries; /* of the next submission */
    struct job *jobs;      /* by tag */
    uint64_t *tags;
    int32_t *results;
    struct jobs lines[LINES];
};

static struct job *take(struct readers *readers) {
    while (!readers->lines[readers->turn].first)
        readers->turn = (readers->turn + 1) % LINES;
    struct job *job = jobs_take(&readers->lines[readers->turn]);
    readers->turn = (readers->turn + 1) % LINES;
    readers->waiting--;
    return job;
}

/* Gives the lock back first: a thread that is woken before would wait once more, for the lock. */
static void unlock_and_wake(struct readers *readers, int wakes) {
    pthread_mutex_unlock(&readers->lock);
    if (wakes)
        pthread_cond_signal(&readers->wake);
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

static ssize_t call(const struct job *job, uint64_t done) {
    if (job->code == FSYNC)
        return fsync(job->fd);
    struct iovec into = {(void *)(uintptr_t)(job->address + done), job->length - done};
    off_t offset = (off_t)(job->offset + done);
    return job->flags ? preadv2(job->fd, &into, 1, offset, job->flags)
                      : preadv(job->fd, &into, 1, offset);
}

static int64_t perform_once(const struct job *job, uint64_t done) {
    ssize_t count;
    do
        count = call(job, done);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

/* Others' reads are whole, or the file ends; the ring asks again itself where it got a part. */
static int64_t perform(const struct job *job) {
    int64_t count = perform_once(job, 0), done = count;
    while (job->owner && count > 0 && (uint64_t)done < job->length) {
        count = perform_once(job, (uint64_t)done);
        done = count < 0 ? count : done + count;
    }
    return done;
}

/* Holds the lock, but not while it writes. */
static void ring(struct readers *readers, struct bell *bell) {
    static const uint64_t one = 1;
    if (bell->rung)
        return;
    __atomic_store_n(&bell->rung, 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&readers->lock);
    ssize_t ignored = write(bell->eventfd, &one, sizeof one);
    (void)ignored; /* it cannot overflow */
    pthread_mutex_lock(&readers->lock);
}

static void *work(void *argument) {
    struct readers *readers = argument;
    pthread_mutex_lock(&readers->lock);
    while (wait_for_job(readers)) {
        struct job *job = take(readers);
        unlock_and_wake(readers, readers->waiting && readers->idle);
        int64_t count = perform(job);
        pthread_mutex_lock(&readers->lock);
        if (job->owner) {
            job->count = count;
            jobs_put(&readers->ended, job);
            ring(readers, &readers->jobs_bell);
        } else {
            readers->tags[readers->done] = job->tag;
            readers->results[readers->done++] = (int32_t)count;
            ring(readers, &readers->bell);
        }
    }
    if (!--readers->threads)
        pthread_cond_signal(&readers->ended_threads);
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
    pthread_cond_destroy(&readers->ended_threads);
    pthread_cond_destroy(&readers->wake);
    pthread_mutex_destroy(&readers->lock);
}

int readers_open(struct readers *readers, unsigned depth, unsigned workers, int eventfd,
                 int jobs_eventfd) {
    pthread_condattr_t monotonic;
    memset(readers, 0, sizeof *readers);
    pthread_mutex_init(&readers->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&readers->wake, &monotonic);
    pthread_cond_init(&readers->ended_threads, NULL);
    pthread_condattr_destroy(&monotonic);
    readers->workers = workers;
    readers->bell.eventfd = eventfd;
    readers->jobs_bell.eventfd = jobs_eventfd;
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
        pthread_cond_wait(&readers->ended_threads, &readers->lock);
    pthread_mutex_unlock(&readers->lock);
    release(readers);
}

uintptr_t readers_entries(struct readers *readers) {
    return (uintptr_t)readers->entries;
}

static void put_in_line(struct readers *readers, struct job *job) {
    jobs_put(&readers->lines[(uint32_t)job->fd % LINES], job);
    readers->waiting++;
}

/* Gives the lock back, too. */
static void wake(struct readers *readers) {
    unsigned begun = readers->idle; /* and those that have been started */
    while (begun < readers->waiting && readers->threads < readers->workers && !start(readers))
        begun++;
    unlock_and_wake(readers, readers->idle > 0);
}

int readers_submit(struct readers *readers, unsigned count) {
    pthread_mutex_lock(&readers->lock);
    for (unsigned index = 0; index < count; index++) {
        const struct entry *entry = &readers->entries[index];
        struct job *job = &readers->jobs[entry->tag];
        job->fd = entry->fd;
        job->flags = entry->flags;
        job->code = entry->code;
        job->address = entry->address;
        job->length = entry->length;
        job->offset = entry->offset;
        job->tag = entry->tag;
        put_in_line(readers, job);
    }
    wake(readers);
    return (int)count;
}

/* The jobs of a list, which have an owner, and memory until they are taken out. */
int readers_add(struct readers *readers, uintptr_t first) {
    int count = 0;
    pthread_mutex_lock(&readers->lock);
    for (struct job *job = (struct job *)first, *next; job; job = next, count++) {
        next = job->next;
        put_in_line(readers, job);
    }
    wake(readers);
    return count;
}

/* `woken`: the eventfd was readable.  What is told of it is forgotten before the results are taken
   out: one that comes behind them writes it anew. */
static int silence(struct bell *bell, int woken) {
    uint64_t ignored;
    if ((woken || __atomic_load_n(&bell->rung, __ATOMIC_ACQUIRE))
        && read(bell->eventfd, &ignored, sizeof ignored) < 0 && errno != EAGAIN)
        return -errno;
    return 0;
}

int readers_reap(struct readers *readers, int woken, uint64_t *tags, int32_t *results) {
    int error = silence(&readers->bell, woken);
    if (error)
        return error;
    pthread_mutex_lock(&readers->lock);
    unsigned count = readers->done;
    memcpy(tags, readers->tags, count * sizeof *tags);
    memcpy(results, readers->results, count * sizeof *results);
    readers->done = 0;
    __atomic_store_n(&readers->bell.rung, 0, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&readers->lock);
    return (int)count;
}

/* Gives the jobs that have ended to their owners: which ones, and how many to each.  If there are
   `most` of them, there may be more: take again. */
int readers_take(struct readers *readers, int woken, uint64_t *owners, uint32_t *counts, int most) {
    int found = silence(&readers->jobs_bell, woken);
    if (found)
        return found;
    pthread_mutex_lock(&readers->lock);
    __atomic_store_n(&readers->jobs_bell.rung, 0, __ATOMIC_RELEASE);
    while (readers->ended.first) {
        uint64_t owner = (uint64_t)(uintptr_t)readers->ended.first->owner;
        int at = 0;
        while (at < found && owners[at] != owner)
            at++;
        if (at == most)
            break;
        if (at == found) {
            owners[found] = owner;
            counts[found++] = 0;
        }
        counts[at]++;
        struct job *job = jobs_take(&readers->ended);
        jobs_put(job->owner, job);
    }
    pthread_mutex_unlock(&readers->lock);
    return found;
}

/* A call for a thread, and lists of them.  Others in C make jobs too (smbd/native). */

#include <stdint.h>

enum { FSYNC = 2 }; /* of `code`, as aio/ring.py has it */

struct jobs {
    struct job *first, *last;
};

struct job {
    struct job *next;
    struct jobs *owner; /* where it goes when it has ended; NULL: it is the ring's, by its tag */
    int32_t fd, flags, code; /* code 0: a read */
    uint64_t address, length, offset, tag;
    int64_t count;      /* of bytes: all, or the file ends behind them; or -errno */
};

static inline void jobs_put(struct jobs *jobs, struct job *job) {
    job->next = 0;
    if (jobs->first)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
}

static inline struct job *jobs_take(struct jobs *jobs) {
    struct job *job = jobs->first;
    if (job)
        jobs->first = job->next;
    return job;
}

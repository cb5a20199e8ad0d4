/* READs that are not in the page cache, and FLUSHes: threads carry them out (aio/_readers), and C
   answers.

   Each is begun in its burst, with its id spent, and is a job for threads when Python has counted
   it (smbd/misses.py).  What has to be known of it lies in its `miss`: its session may end before it
   does.  Python answers in C's place what it has taken over, for a CANCEL or an interim response,
   and what has failed. */

#include <stddef.h>
#include <stdlib.h>

enum { LONGEST_MISS = 256, MOST_SENT = 64 };

struct miss {
    struct job job;  /* first: what is said of that is said of this */
    struct miss *older, *newer;
    const struct guard *guard;
    double started;
    uint64_t held;   /* bytes, as smbd.dispatch counts them */
    uint32_t which, before, size, ours;
    uint8_t message[LONGEST_MISS];
    uint8_t reply[];
};

/* A request that is to be a job, for which so many bytes are held, with room for so much data; NULL,
   and nothing was done: Python has to see. */
static struct miss *begun(struct burst *b, struct fast_open *open, const uint8_t *message,
                          size_t size, uint32_t charge, uint64_t held, uint32_t length) {
    if (size > LONGEST_MISS || !b->left || held > b->flight)
        return NULL;
    struct miss *miss = malloc(sizeof *miss + b->before + BODY + length);
    if (!miss)
        return NULL;
    memset(miss, 0, sizeof *miss);
    miss->job.owner = &b->returned;
    miss->job.fd = open->fd;
    miss->guard = open->guard;
    miss->started = b->ended;
    miss->held = held;
    miss->which = (uint32_t)(open - b->opens);
    miss->before = (uint32_t)b->before;
    miss->size = (uint32_t)size;
    miss->ours = 1;
    memcpy(miss->message, message, size);
    miss->older = b->newest;
    *(b->newest ? &b->newest->newer : &b->oldest) = miss;
    b->newest = miss;
    b->flight -= held;
    b->left--;
    b->missed++;
    b->low += charge;
    return miss;
}

/* A READ has missed: -1 if a job was made of it, or why Python has to see. */
static int begin_miss(struct burst *b, struct fast_open *open, const uint8_t *message, size_t size,
                      uint32_t charge) {
    uint32_t length = u32(message + 68), paid = u16(message + 6);
    uint64_t held = size + b->held + (uint64_t)ONE_CREDIT * (paid + !paid);
    struct miss *miss = NULL;
    if (open->ready & MAY_MISS)
        miss = begun(b, open, message, size, charge, held, length);
    if (!miss)
        return OTHER;
    miss->job.address = (uint64_t)(uintptr_t)(miss->reply + b->before + BODY);
    miss->job.length = length;
    miss->job.offset = u64(message + 72);
    jobs_put(&open->begun, &miss->job);
    open->missed++;
    open->missed_size += held;
    b->kind = MISSED;
    return -1;
}

/* The same of a FLUSH. */
static int begin_flush(struct burst *b, struct fast_open *open, const uint8_t *message, size_t size,
                       uint32_t charge) {
    uint64_t held = size + b->held;
    b->ended = now();
    b->took = 0;
    struct miss *miss = begun(b, open, message, size, charge, held, 0);
    if (!miss)
        return OTHER;
    miss->job.code = FSYNC;
    jobs_put(&open->flush, &miss->job);
    open->flush_size = held;
    b->kind = HIT;  /* no call was made, and none took long */
    return -1;
}

/* Python answers it when it has ended. */
void miss_give(struct burst *b, struct miss *miss) {
    *(miss->older ? &miss->older->newer : &b->oldest) = miss->newer;
    *(miss->newer ? &miss->newer->older : &b->newest) = miss->older;
    miss->older = miss->newer = NULL;
    miss->ours = 0;
}

/* The one of C's that has a MessageId; NULL: none has. */
struct miss *miss_find(const struct burst *b, uint64_t message_id) {
    struct miss *miss = b->oldest;
    while (miss && u64(miss->message + MESSAGE_ID_AT) != message_id)
        miss = miss->newer;
    return miss;
}

/* The next one that Python is to answer; NULL: there is no more. */
struct miss *miss_next(struct burst *b) {
    return (struct miss *)jobs_take(&b->odd);
}

void miss_free(struct miss *miss) { free(miss); }

uint8_t *miss_data(struct miss *miss) { return miss->reply + miss->before + BODY; }
int64_t miss_count(const struct miss *miss) { return miss->job.count; }
int miss_flushes(const struct miss *miss) { return miss->job.code == FSYNC; }

/* Whether C knows what to answer. */
static int is_good(const struct miss *miss) {
    int64_t count = miss->job.count;
    if (miss->job.code == FSYNC)
        return !count;
    return count > 0 && (uint64_t)count >= u32(miss->message + 96);
}

/* Makes the reply, if C is to answer and can; the bytes of its frame, or 0. */
static uint32_t finish_one(struct burst *b, struct miss *miss) {
    int64_t count = miss->job.count;
    uint32_t made = 0;
    if (miss->ours && is_good(miss))
        made = reply(b, miss->guard, miss->message, miss->reply, miss->before, (uint32_t)count);
    if (!made) {
        jobs_put(&b->odd, &miss->job);
        return 0;
    }
    struct fast_open *open = &b->opens[miss->which];
    double took = b->ended - miss->started;
    miss_give(b, miss);
    if (miss->job.code == FSYNC) {
        open->flushed++;
        open->flushed_size += miss->held;
        open->flushed_seconds += took;
        if (took > open->flushed_longest)
            open->flushed_longest = took;
        return made;
    }
    open->last_position = miss->job.offset + (uint64_t)count;
    open->ended++;
    open->ended_bytes += (uint64_t)count;
    open->ended_size += miss->held;
    open->ended_seconds += took;
    if (took > open->ended_longest)
        open->ended_longest = took;
    return made;
}

/* What the socket has not taken goes to `out`: for Python to send. */
static void send_some(struct burst *b, struct iovec *vector, size_t count, size_t size) {
    size_t sent = 0;
    if (b->sock >= 0 && count) {
        struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
        ssize_t taken = sendmsg(b->sock, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent = taken < 0 ? 0 : (size_t)taken;
    }
    if (sent == size)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t left = vector[i].iov_len, gone = sent < left ? sent : left;
        memcpy(b->out + b->made, (uint8_t *)vector[i].iov_base + gone, left - gone);
        b->made += left - gone;
        sent -= gone;
    }
}

/* Answers those that threads have carried out, until the turn is over or there are replies that
   Python has to send; whether there are more. */
int burst_finish(struct burst *b) {
    struct iovec vector[MOST_SENT];
    struct miss *answered[MOST_SENT];
    for (uint32_t i = 0; i < b->count; i++) {
        struct fast_open *open = &b->opens[i];
        open->ended = open->ended_bytes = open->ended_size = 0;
        open->ended_seconds = open->ended_longest = 0;
        open->flushed = open->flushed_size = 0;
        open->flushed_seconds = open->flushed_longest = 0;
    }
    b->made = 0;
    do {
        size_t count = 0, size = 0;
        b->ended = now();
        while (b->returned.first && count < MOST_SENT && size + LONGEST <= b->room) {
            struct miss *miss = (struct miss *)jobs_take(&b->returned);
            uint32_t made = finish_one(b, miss);
            if (made) {
                vector[count] = (struct iovec){miss->reply, made};
                answered[count++] = miss;
                size += made;
            }
        }
        send_some(b, vector, count, size);
        while (count)
            free(answered[--count]);
    } while (b->returned.first && !b->made && now() < b->over);
    return b->returned.first != NULL;
}

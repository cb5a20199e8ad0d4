/* io_uring's two rings: where memory is shared with the kernel, and order is everything.
 *
 * One thread uses a ring at a time.  Python writes the entries (struct io_uring_sqe) into `entries`,
 * from `at` on; here they are published, and completions taken out.  Every function returns a count
 * or -errno. */

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than some kernels' headers. */
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif

struct ring {
    int fd;
    int eventfd;
    unsigned depth;             /* entries of the submission ring, a power of two */
    unsigned at;                /* the next submission's first entry */
    struct io_uring_sqe *entries;
    struct io_uring_cqe *completions;
    unsigned *sq_head, *sq_tail;
    unsigned *cq_head, *cq_tail;
    unsigned cq_mask;
    void *sq_map, *cq_map;
    size_t sq_length, cq_length, entries_length;
};

static int enter(int fd, unsigned submit) {
    return (int)syscall(__NR_io_uring_enter, fd, submit, 0, 0, NULL, 0);
}

static int map_rings(struct ring *ring, const struct io_uring_params *params) {
    const int access = PROT_READ | PROT_WRITE, how = MAP_SHARED | MAP_POPULATE;
    ring->sq_length = params->sq_off.array + params->sq_entries * sizeof(unsigned);
    ring->cq_length = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    ring->entries_length = params->sq_entries * sizeof(struct io_uring_sqe);
    ring->sq_map = mmap(NULL, ring->sq_length, access, how, ring->fd, IORING_OFF_SQ_RING);
    ring->cq_map = mmap(NULL, ring->cq_length, access, how, ring->fd, IORING_OFF_CQ_RING);
    ring->entries = mmap(NULL, ring->entries_length, access, how, ring->fd, IORING_OFF_SQES);
    if (ring->sq_map == MAP_FAILED || ring->cq_map == MAP_FAILED || ring->entries == MAP_FAILED)
        return -errno;
    char *sq = ring->sq_map, *cq = ring->cq_map;
    unsigned *array = (unsigned *)(sq + params->sq_off.array);
    for (unsigned index = 0; index < params->sq_entries; index++)
        array[index] = index; /* the ring's slot n is entry n, for ever */
    ring->sq_head = (unsigned *)(sq + params->sq_off.head);
    ring->sq_tail = (unsigned *)(sq + params->sq_off.tail);
    ring->cq_head = (unsigned *)(cq + params->cq_off.head);
    ring->cq_tail = (unsigned *)(cq + params->cq_off.tail);
    ring->cq_mask = params->cq_entries - 1;
    ring->completions = (struct io_uring_cqe *)(cq + params->cq_off.cqes);
    ring->depth = params->sq_entries;
    ring->at = *ring->sq_tail;
    return 0;
}

void ring_close(struct ring *ring) {
    if (ring->sq_map != MAP_FAILED)
        munmap(ring->sq_map, ring->sq_length);
    if (ring->cq_map != MAP_FAILED)
        munmap(ring->cq_map, ring->cq_length);
    if (ring->entries != MAP_FAILED)
        munmap(ring->entries, ring->entries_length);
    close(ring->fd);
}

/* Whether this kernel reads and writes by io_uring: 5.1 to 5.5 know neither these operations nor the
 * question. */
static int can_read_and_write(int fd) {
    enum { ASKED = IORING_OP_WRITE + 1 };
    union {
        struct io_uring_probe probe;
        char room[sizeof(struct io_uring_probe) + ASKED * sizeof(struct io_uring_probe_op)];
    } answer;
    memset(&answer, 0, sizeof answer);
    if (syscall(__NR_io_uring_register, fd, IORING_REGISTER_PROBE, &answer, ASKED) < 0)
        return 0;
    return answer.probe.last_op >= IORING_OP_WRITE;
}

/* A ring for `depth` requests in flight (its completion ring has room for twice as many, so that it
 * cannot overflow); each completion adds to `eventfd`, which does not block. */
int ring_open(struct ring *ring, unsigned depth, int eventfd) {
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    /* Not to be interrupted in the middle of Python to take a completion in: the next system call
     * does it.  Linux 5.19; before, EINVAL. */
    params.flags = IORING_SETUP_COOP_TASKRUN;
    ring->fd = (int)syscall(__NR_io_uring_setup, depth, &params);
    if (ring->fd < 0 && errno == EINVAL) {
        memset(&params, 0, sizeof params);
        ring->fd = (int)syscall(__NR_io_uring_setup, depth, &params);
    }
    if (ring->fd < 0)
        return -errno;
    ring->eventfd = eventfd;
    ring->sq_map = ring->cq_map = ring->entries = MAP_FAILED;
    int result = can_read_and_write(ring->fd) ? map_rings(ring, &params) : -EOPNOTSUPP;
    if (!result
        && syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_EVENTFD, &eventfd, 1) < 0)
        result = -errno;
    if (result)
        ring_close(ring);
    return result;
}

/* Pin memory, once, as the ring's registered buffer 0. */
int ring_register(struct ring *ring, uintptr_t address, size_t length) {
    struct iovec memory = {.iov_base = (void *)address, .iov_len = length};
    return syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &memory, 1) ? -errno
                                                                                          : 0;
}

/* Where the entries are, for Python to fill them in. */
uintptr_t ring_entries(struct ring *ring) { return (uintptr_t)ring->entries; }

/* The index of the next submission's first entry, not yet reduced to the depth. */
unsigned ring_at(struct ring *ring) { return ring->at; }

/* Give the kernel the `count` entries from `at` on; how many it took.  The others are taken back, so
 * that the next call begins with them. */
int ring_submit(struct ring *ring, unsigned count) {
    /* Release: the kernel, which acquires the tail, sees the entries whole. */
    __atomic_store_n(ring->sq_tail, ring->at + count, __ATOMIC_RELEASE);
    int taken = enter(ring->fd, count);
    int error = errno;
    /* The kernel reads the ring in `enter` alone (no SQPOLL), so between two calls it is ours. */
    unsigned head = __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
    __atomic_store_n(ring->sq_tail, head, __ATOMIC_RELEASE);
    unsigned consumed = head - ring->at;
    ring->at = head;
    if (consumed)
        return (int)consumed;
    return taken < 0 ? -error : -EAGAIN;
}

/* Take completions out, at most `room`, which is at least twice the depth: then none stays behind.
 * `woken`: because the eventfd was readable, and so it must be cleared.  That comes before looking:
 * a later completion raises it again. */
int ring_reap(struct ring *ring, uint64_t *tags, int32_t *results, unsigned room, int woken) {
    unsigned head = *ring->cq_head; /* ours alone to write */
    if (!woken && head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
        return 0;
    uint64_t ignored;
    if (read(ring->eventfd, &ignored, sizeof ignored) < 0 && errno != EAGAIN)
        return -errno;
    unsigned tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE), count = 0;
    while (head != tail && count < room) {
        const struct io_uring_cqe *completion = &ring->completions[head++ & ring->cq_mask];
        tags[count] = completion->user_data;
        results[count++] = completion->res;
    }
    /* Release: the kernel writes over them only after they have been read. */
    __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
    return (int)count;
}

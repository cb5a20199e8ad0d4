/* Plain WRITEs that are longer than those of a burst: from the socket to the file by a pipe, which
   takes pages of the socket's buffer as they are.  That saves one of two copies, and the receive
   buffer.

   One is begun when all of its frame is in the socket's buffer.  So nothing of a frame that breaks
   off is written, no sender can be waited for amid one, and nobody meets a half of one. */

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

enum {
    FEW = 65536,  /* bytes that a full pipe has: it is filled with crumbs, and a copy is cheaper */
    SLOW_BYTES = 2000000000,  /* a second that a write may take longer before it took long */
};

/* At least so many bytes are there when the socket is readable, from now on; 0: one. */
static void set_lowat(struct burst *b, uint32_t bytes) {
    int value = bytes ? (int)bytes : 1;
    if (bytes == b->lowat)
        return;
    if (bytes > b->grown) {  /* the kernel makes room for so many, and no byte more may come then */
        int twice = 2 * value;
        setsockopt(b->sock, SOL_SOCKET, SO_RCVLOWAT, &twice, sizeof twice);
        b->grown = bytes;
    }
    setsockopt(b->sock, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
    b->lowat = bytes;
}

/* A frame has not come whole.  OTHER: it shall be received as others, since the socket was readable
   all the same: its buffer takes no more, or the peer has ended. */
static int awaits(struct burst *b, uint32_t bytes) {
    if (b->lowat == bytes)
        return OTHER;
    set_lowat(b, bytes);
    return AWAITS;
}

/* What is not in the file yet, of pipe and socket, by way of `opened`; what the file refuses is
   thrown away. */
static int copy_rest(struct burst *b, int fd, uint64_t offset, uint32_t left, size_t in_pipe) {
    int error = 0;
    while (left) {
        size_t have = 0, size = left < ONE_CREDIT ? left : ONE_CREDIT, done = 0;
        while (have < size) {
            size_t wanted = size - have;
            uint8_t *to = b->opened + have;
            ssize_t count = in_pipe ? read(b->pipe[0], to, wanted < in_pipe ? wanted : in_pipe)
                                    : recv(b->sock, to, wanted, MSG_DONTWAIT);
            if (count <= 0)
                return -1;
            in_pipe -= in_pipe ? (size_t)count : 0;
            have += (size_t)count;
        }
        double started = now();
        while (!error && done < size) {
            ssize_t count = pwrite(fd, b->opened + done, size - done, (off_t)(offset + done));
            if (count < 0 && errno != EINTR)
                error = errno;
            done += count < 0 ? 0 : (size_t)count;
        }
        b->took += now() - started;
        offset += size;
        left -= (uint32_t)size;
    }
    return error;
}

/* Writes so many bytes of the socket: 0, or errno; -1: they were not there. */
static int pass(struct burst *b, int fd, uint64_t offset, uint32_t length) {
    uint32_t taken = 0, done = 0;
    b->took = 0;
    while (done < length && b->pipe[0] >= 0) {
        ssize_t count = 0;
        if (taken < length)
            count = splice(b->sock, NULL, b->pipe[1], NULL, length - taken,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        taken += count > 0 ? (uint32_t)count : 0;
        /* Of a page that was written in part, the kernel would have to read the rest. */
        uint32_t whole = (taken - done) - (taken < length ? (taken - done) % PAGE : 0);
        if (!whole || (taken < length && whole < FEW))
            break;
        double started = now();
        off_t at = (off_t)(offset + done);
        count = splice(b->pipe[0], NULL, fd, &at, whole, SPLICE_F_MOVE);
        b->took += now() - started;
        if (count <= 0)
            break;
        done += (uint32_t)count;
    }
    return done == length ? 0 : copy_rest(b, fd, offset + done, length - done, taken - done);
}

/* The WRITE that comes next in the socket: -1 if it was answered, or why not. */
static int pass_one(struct burst *b) {
    const uint8_t *message = b->head + PREFIX;
    struct fast_open *open;
    int there;
    if (recv(b->sock, b->head, sizeof b->head, MSG_PEEK | MSG_DONTWAIT) < (ssize_t)sizeof b->head)
        return OTHER;
    uint32_t size = (uint32_t)message[-3] << 16 | (uint32_t)message[-2] << 8 | message[-1];
    uint32_t length = u32(message + 68);
    uint64_t offset = u64(message + 72);
    if (message[-4] || size <= LONGEST || u16(message + 12) != WRITE || !(open = find(b, message)))
        return OTHER;
    if (!open->ready)
        return ASK;
    uint32_t charge = charge_of(b, message);
    if (size != REQUEST_END + (uint64_t)length || u16(message + 66) != REQUEST_END
        || length > open->longest || length > (uint64_t)charge * ONE_CREDIT
        || (offset | length) % PAGE || offset > INT64_MAX - (uint64_t)length
        || (u32(message + 108) & WRITE_THROUGH) || (u32(message + FLAGS_AT) & SIGNED)
        || !(open->ready & MAY_WRITE) || !(open->ready & MAY_BARE) || b->room < PREFIX + BODY
        || ioctl(b->sock, FIONREAD, &there))
        return OTHER;
    if ((uint32_t)there < PREFIX + size)
        return awaits(b, PREFIX + size);
    if (now() >= open->writes_until)
        return b->past ? FULL : OTHER;  /* Python asks again */
    off_t end = lseek(open->fd, 0, SEEK_END);
    if (end < 0 || (offset > (uint64_t)end && end % PAGE)
        || __atomic_load_n(open->working, __ATOMIC_ACQUIRE))
        return OTHER;
    if (recv(b->sock, b->head, sizeof b->head, MSG_DONTWAIT) < (ssize_t)sizeof b->head)
        return OTHER;
    b->error = pass(b, open->fd, offset, length);
    b->ended = now();
    b->past += PREFIX + size;
    if (b->error < 0) {
        shutdown(b->sock, SHUT_RDWR);
        return ENDED;
    }
    b->low += charge;
    if (b->error)
        return REFUSED;
    open->position = offset + length;
    open->writes++;
    open->bytes_written += length;
    b->length = length;
    b->kind = WRITTEN;
    b->made = reply(b, NULL, message, b->out, PREFIX, length);
    ssize_t sent = send(b->sock, b->out, b->made, MSG_DONTWAIT | MSG_NOSIGNAL);
    b->sent = sent < 0 ? 0 : (uint64_t)sent;
    return -1;
}

/* Whether the loop has something else to do, as far as the kernel can tell. */
static int others_wait(const struct burst *b) {
    struct pollfd loop = {.fd = b->loop, .events = POLLIN};
    return b->loop < 0 || poll(&loop, 1, 0);
}

/* Answers those that have come; once more behind ASK, when it is known what `which` may be used
   for.  Each answer leaves at once: its client goes on while the next one is written. */
int large_answer(struct burst *b) {
    int why;
    make_ready(b);
    do {
        why = pass_one(b);
        if (why < 0 && b->took > b->slow[WRITTEN] + (double)b->length / SLOW_BYTES)
            why = WAITED;
        else if (why < 0 && (b->sent != b->made || b->ended > b->over || others_wait(b)))
            why = FULL;
    } while (why < 0);
    if (why != AWAITS && why != ASK)
        set_lowat(b, 0);
    return why;
}

/* Begins a call. */
int large_begin(struct burst *b) {
    begin(b);
    b->past = 0;
    return large_answer(b);
}

/* As others are received from now on. */
void large_end(struct burst *b) { set_lowat(b, 0); }

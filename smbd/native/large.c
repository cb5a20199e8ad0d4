/* Plain WRITEs that are longer than those of a burst: from the socket to the file by a pipe, which
   takes pages of the socket's buffer as they are.  That saves one of two copies, and the receive
   buffer.  One that is signed or sealed goes by the receive buffer: nothing of it is written before
   all of it is known to be its sender's.

   One is begun when all of its frame is in the socket's buffer.  So nothing of a frame that breaks
   off is written, no sender can be waited for amid one, and nobody meets a half of one. */

#include <fcntl.h>
#include <sys/epoll.h>
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

/* Takes bytes out of the socket that are there; whether they were not. */
static int receive(struct burst *b, uint8_t *to, size_t size) {
    while (size) {
        ssize_t count = recv(b->sock, to, size, MSG_DONTWAIT);
        if (count <= 0)
            return 1;
        to += count;
        size -= (size_t)count;
    }
    return 0;
}

/* What was there is there no more: nobody knows where the next frame begins. */
static int lost(struct burst *b) {
    b->have = 0;
    shutdown(b->sock, SHUT_RDWR);
    return ENDED;
}

/* Answers what was written: -1, or why not.  Others are asked for before the answer leaves: behind
   it, nobody can tell what its client has asked for first (smbd/standby.py). */
static int answer_large(struct burst *b, struct fast_open *open, const uint8_t *message,
                        uint32_t charge) {
    uint32_t length = b->length;
    b->ended = now();
    b->made = b->sent = 0;
    if (!put_reply(b, open, message, charge, length))
        return OTHER;
    count_write(open, u64(message + 72), length);
    b->past += b->before + REQUEST_END + (uint64_t)length;
    b->kind = WRITTEN;
    b->others = others_wait(b);
    send_made(b);
    return -1;
}

/* Looks at the request that comes next in the socket, in plain and without its data: -1; NOTHING, if
   nothing has come; or OTHER.
   What is sealed is told from its ciphertext, so that it can be left: by that alone nothing is
   done. */
static int peek(struct burst *b) {
    uint8_t peeked[PREFIX + TRANSFORM + REQUEST_END];
    const uint8_t *sealed = peeked + PREFIX;
    ssize_t count = recv(b->sock, peeked, sizeof peeked, MSG_PEEK | MSG_DONTWAIT);
    b->before = PREFIX;
    if (count < (ssize_t)sizeof b->head)
        return count < 0 && errno == EAGAIN ? NOTHING : OTHER;
    memcpy(b->head, peeked, sizeof b->head);
    if (sealed[0] != 0xfd)
        return -1;
    if (count < (ssize_t)sizeof peeked)
        return OTHER;
    const struct guard *guard = guard_of(b, u64(sealed + SEALED_FOR_AT));
    b->before = PREFIX + TRANSFORM;
    return guard
        && guard_stream(guard, sealed, peeked + b->before, REQUEST_END, b->head + PREFIX)
        && u64(b->head + PREFIX + SESSION_ID_AT) == u64(sealed + SEALED_FOR_AT) ? -1 : OTHER;
}

/* Receives a frame of so many bytes, which is signed or sealed, and writes what is in it; the frame
   is in the receive buffer as it came, if that is for Python. */
static int write_checked(struct burst *b, struct fast_open *open, size_t size, uint32_t charge) {
    uint8_t *frame = (uint8_t *)b->in + PREFIX, *message = (uint8_t *)b->in + b->before;
    uint64_t offset = u64(b->head + PREFIX + 72);
    int sealed = b->before != PREFIX;
    b->have = PREFIX + size;
    if (receive(b, (uint8_t *)b->in, b->have))
        return lost(b);
    int good = sealed ? guard_open(open->guard, frame, size, message)
                      : guard_verify(open->guard, message, size);
    double started = now();
    if (good && started < open->writes_until && !may_wait(open, offset, b->length)
        && pwrite(open->fd, message + REQUEST_END, b->length, (off_t)offset) == (ssize_t)b->length) {
        b->took = now() - started;
        if (answer_large(b, open, b->head + PREFIX, charge) < 0) {
            b->have = 0;
            return -1;
        }
    }
    if (sealed && !guard_stream(open->guard, frame, message, size - TRANSFORM, message))
        return lost(b);
    return OTHER;
}

/* The WRITE that comes next in the socket: -1 if it was answered, or why not. */
static int pass_one(struct burst *b) {
    const uint8_t *message = b->head + PREFIX;
    struct fast_open *open;
    int there, why = peek(b);
    if (why >= 0)
        return why;
    uint32_t size = frame_size(message), length = u32(message + 68);
    uint64_t offset = u64(message + 72);
    if (message[-4] || size <= LONGEST || u16(message + 12) != WRITE || !(open = find(b, message)))
        return OTHER;
    if (!open->ready)
        return ASK;
    int sealed = b->before != PREFIX, is_signed = (u32(message + FLAGS_AT) & SIGNED) != 0;
    uint32_t way = sealed ? MAY_SEAL * !is_signed : is_signed ? MAY_SIGN : MAY_BARE;
    uint32_t charge = charge_of(b, message);
    if (PREFIX + size != b->before + REQUEST_END + (uint64_t)length
        || u16(message + 66) != REQUEST_END
        || length > open->longest || length > (uint64_t)charge * ONE_CREDIT
        || (offset | length) % PAGE || offset > INT64_MAX - (uint64_t)length
        || (u32(message + 108) & WRITE_THROUGH) || !(open->ready & MAY_WRITE)
        || !(open->ready & way) || b->room < b->before + BODY
        || (way != MAY_BARE && b->size < PREFIX + size) || ioctl(b->sock, FIONREAD, &there))
        return OTHER;
    if ((uint32_t)there < PREFIX + size)
        return awaits(b, PREFIX + size);
    if (now() >= open->writes_until)
        return b->past ? FULL : OTHER;  /* Python asks again */
    if (may_wait(open, offset, length))
        return OTHER;
    b->length = length;
    if (way != MAY_BARE)
        return write_checked(b, open, size, charge);
    if (receive(b, b->opened, sizeof b->head))
        return lost(b);
    b->error = pass(b, open->fd, offset, length);
    if (b->error < 0)
        return lost(b);
    if (b->error) {
        b->ended = now();
        b->past += PREFIX + size;
        b->low += charge;
        return REFUSED;
    }
    return answer_large(b, open, message, charge);
}

/* Goes on behind one that was answered.  Each answer leaves at once: its client goes on while the
   next one is written. */
static int go_on(struct burst *b, int why) {
    for (;;) {
        if (why < 0 && b->took > b->slow[WRITTEN] + (double)b->length / SLOW_BYTES)
            why = WAITED;
        else if (why < 0 && (b->sent != b->made || b->ended > b->over || b->others))
            why = FULL;
        if (why >= 0)
            break;
        why = pass_one(b);
    }
    if (why != AWAITS && why != ASK)
        set_lowat(b, 0);
    return why;
}

/* Answers those that have come; once more behind ASK, when it is known what `which` may be used
   for. */
int large_answer(struct burst *b) {
    make_ready(b);
    return go_on(b, pass_one(b));
}

/* Begins a call. */
int large_begin(struct burst *b) {
    begin(b);
    b->past = b->have = 0;
    return large_answer(b);
}

/* Whether the loop's epoll tells of the socket, from now on: as trio has registered it for the task
   that waits for it.  -1: it is not registered. */
static int tell_loop(const struct burst *b, int tells) {
    struct epoll_event event = {.events = tells ? EPOLLIN | EPOLLONESHOT : 0};
    event.data.fd = b->sock;
    return epoll_ctl(b->loop, EPOLL_CTL_MOD, b->sock, &event);
}

/* Waits for the next one, or for anything that the loop has to do: -1 if bytes have come, or why not. */
static int wait_for_next(const struct burst *b, double until) {
    struct pollfd ready[2] = {{b->loop, POLLIN, 0}, {b->sock, POLLIN, 0}};
    double left = until - now();
    struct timespec most = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    if (left <= 0 || ppoll(ready, 2, &most, NULL) <= 0)
        return ENDED;
    return ready[0].revents ? LOOP : -1;
}

/* Answers those that come while the loop has nothing else to do, until that time at most.  `asked`:
   it goes on behind ASK.  While C waits for the socket the loop's epoll does not: so it is ready
   when others wait, and then only. */
int large_converse(struct burst *b, int loop, double until, int asked) {
    int why = asked ? -1 : NOTHING;
    if (!asked) {
        begin(b);
        b->past = b->have = 0;
        b->loop = loop;
    }
    make_ready(b);
    if (tell_loop(b, 0))
        return LOOP;
    while (why < 0 || why == AWAITS || why == NOTHING) {
        if (why >= 0 && (why = wait_for_next(b, until)) >= 0)
            break;
        b->over = until;
        why = go_on(b, pass_one(b));
    }
    tell_loop(b, 1);
    return why;
}

/* As others are received from now on. */
void large_end(struct burst *b) { set_lowat(b, 0); }

/* The plain READs and WRITEs of a burst, and visits, answered without Python.

   Python owns every rule.  It names in `opens` what it has answered itself, and says at each call
   which of them may still be answered as before (smbd/known_opens.py).  A frame that is not exactly
   of the plain kind is left alone, whatever is right or wrong with it, and so are all behind it:
   Python goes on from there.  Nothing of the state moves before a frame is answered. */

enum { NO_HIT = -1, NOT_PLAIN = -2 };

/* Reads behind where the reply's header will be: the count, or NO_HIT, or NOT_PLAIN, and Python
   shall see. */
static ssize_t read_data(struct burst *b, struct fast_open *open, const uint8_t *message) {
    uint32_t length = u32(message + 68);
    uint64_t offset = u64(message + 72);
    if (!length || offset > INT64_MAX - (uint64_t)length)
        return NOT_PLAIN;
    struct iovec into = {b->out + b->made + b->before + BODY, length};
    double started = now();
    ssize_t count = preadv2(open->fd, &into, 1, (off_t)offset, RWF_NOWAIT);
    int refused = count < 0 && errno == EAGAIN;
    if (!count || (count < 0 && !refused))
        return NOT_PLAIN;
    if (!refused && (size_t)count != length) {
        struct stat status;
        if (fstat(open->fd, &status))
            return NOT_PLAIN;
        refused = (int64_t)offset + count < status.st_size;
    }
    b->ended = now();
    b->took = b->ended - started;
    if (refused)
        return NO_HIT;
    if ((uint64_t)count < u32(message + 96))
        return NOT_PLAIN;
    count_read(open, offset, (uint64_t)count);
    return count;
}

/* Writes pages, the last one maybe in part: 0, or -1, and Python shall see, and write them again. */
static int write_data(struct burst *b, struct fast_open *open, const uint8_t *message, size_t size) {
    uint32_t start = u16(message + 66), length = u32(message + 68);
    uint64_t offset = u64(message + 72);
    if (!length || offset % PAGE || offset > INT64_MAX - (uint64_t)length
        || start < REQUEST_END || start > FARTHEST_DATA || start + (uint64_t)length > size
        || (u32(message + 108) & WRITE_THROUGH))
        return -1;
    double started = now();
    if (started >= open->writes_until)
        return -1;
    if (may_wait(open, offset, length))
        return -1;
    if (pwrite(open->fd, message + start, length, (off_t)offset) != (ssize_t)length)
        return -1;
    b->ended = now();
    b->took = b->ended - started;
    count_write(open, offset, length);
    return 0;
}

/* Answers a READ that is longer than those of a burst, by a copy: -1, or why not. */
static int read_long(struct burst *b, struct fast_open *open, const uint8_t *message, size_t size,
                     uint32_t charge) {
    uint32_t length = u32(message + 68);
    if (b->sock < 0 || length > open->longest_read || length > (uint64_t)charge * ONE_CREDIT)
        return OTHER;
    if (!make_room(b, b->before + BODY + (uint64_t)length))
        return b->made ? FULL : OTHER;
    if (!is_protected(b, open, message, size))
        return OTHER;
    ssize_t count = read_data(b, open, message);
    if (count < 0 || !put_reply(b, open, message, charge, (uint32_t)count))
        return OTHER;
    send_made(b);
    return answered_long(b, (uint32_t)count);
}

/* Begins a FLUSH that is the last frame of the burst: what came behind it would have to know that
   the file is in work, and Python says so. */
static int answer_flush(struct burst *b, struct fast_open *open, const uint8_t *message,
                        size_t size) {
    uint32_t charge = charge_of(b, message);
    int is_last = b->at + PREFIX + size + (b->before - PREFIX) == b->have;
    if (!charge || !is_last || !(open->ready & MAY_FLUSH) || !is_protected(b, open, message, size))
        return OTHER;
    return begin_flush(b, open, message, size, charge);
}

/* Answers the frame at `at`, of `size` bytes; -1 if it did, or why not. */
static int answer_one(struct burst *b, const uint8_t *message, size_t size) {
    uint32_t command = u16(message + 12), length;
    struct fast_open *open;
    if (b->doomed.fd >= 0)
        return answer_end(b, message, size);
    if (command == CREATE && b->form_count && b->before == PREFIX)
        return answer_visit(b, message, size);
    if (command == QUERY_INFO || command == CLOSE)
        return answer_predicted(b, message, size);
    if ((command != READ && command != WRITE && command != FLUSH)
        || (command != FLUSH && size < REQUEST_END) || !(open = find(b, message)))
        return OTHER;
    if (!open->ready)
        return ASK;
    if (command == FLUSH)
        return answer_flush(b, open, message, size);
    length = u32(message + 68);
    uint32_t charge = charge_of(b, message);
    if (!charge || !(open->ready & (command == READ ? MAY_READ : MAY_WRITE)))
        return OTHER;
    if (length > ONE_CREDIT && command == READ) {
        int why = pass_pages(b, open, message, charge);
        return why == OTHER ? read_long(b, open, message, size, charge) : why;
    }
    if (length > ONE_CREDIT)
        return OTHER;
    if (b->before + BODY + (command == READ ? (uint64_t)length : 0) > b->room - b->made)
        return b->made ? FULL : OTHER;
    if (!is_protected(b, open, message, size))
        return OTHER;
    if (command == READ) {
        ssize_t count = read_data(b, open, message);
        if (count == NO_HIT)
            return begin_miss(b, open, message, size, charge);
        if (count < 0)
            return OTHER;
        length = (uint32_t)count;
    } else if (write_data(b, open, message, size)) {
        return OTHER;
    }
    if (!put_reply(b, open, message, charge, length))
        return OTHER;
    b->length = length;
    b->kind = command == WRITE ? WRITTEN : HIT;
    return -1;
}

/* The same for a frame that is sealed. */
static int answer_sealed(struct burst *b, const uint8_t *sealed, size_t size) {
    uint64_t session_id = u64(sealed + SEALED_FOR_AT);
    const struct guard *guard = guard_of(b, session_id);
    if (!guard || !guard_open(guard, sealed, size, b->opened)
        || u64(b->opened + SESSION_ID_AT) != session_id)
        return OTHER;
    b->before = PREFIX + TRANSFORM;
    int why = answer_one(b, b->opened, size - TRANSFORM);
    b->before = PREFIX;
    return why;
}

/* Answers the frames from `at` on, and moves it over them. */
static int answer(struct burst *b) {
    while (b->have - b->at >= PREFIX) {
        const uint8_t *message = (const uint8_t *)b->in + b->at + PREFIX;
        size_t size = frame_size(message);
        if (b->have - b->at - PREFIX < size)
            return ENDED;
        if (message[-4] || size < SHORTEST || size > LONGEST)
            return OTHER;
        int sealed = message[0] == 0xfd && size >= TRANSFORM + SHORTEST;
        int why = sealed ? answer_sealed(b, message, size) : answer_one(b, message, size);
        if (why >= 0)
            return why;
        b->at += PREFIX + size;
        b->frames++;
        if (b->kind == GONE) {
            b->opens[b->which].ready = 0;
            return CLOSED;
        }
        if (b->kind < TOLD && b->took > b->slow[b->kind])
            return WAITED;
        if (is_over(b) || b->at + b->made > b->most)
            return FULL;
        if (b->frames - b->whole >= b->piece && b->have - b->at > REQUEST_END && b->made != b->sent
            && b->sock >= 0)
            send_made(b);  /* its client goes on meanwhile */
    }
    return ENDED;
}

/* The same, and sends the replies that Python does not send together with its own. */
static int answer_burst(struct burst *b) {
    int why = answer(b);
    if (b->sock >= 0 && why != OTHER && why != ASK && b->made != b->sent)
        send_made(b);
    return why;
}

/* Whether another burst has come meanwhile, and was received.  One frame alone has no company, and
   behind a miss threads have to be told first. */
static int receive_more(struct burst *b) {
    if (b->at != b->have || b->have == b->size || b->sent != b->made || b->frames < 2
        || b->missed || b->ended > b->again)
        return 0;
    ssize_t count = recv(b->sock, (uint8_t *)b->in, b->size, MSG_DONTWAIT);
    if (count <= 0)
        return 0;
    b->most -= b->at + b->made;
    b->at = b->made = b->sent = b->frames = b->whole = 0;
    b->have = (uint64_t)count;
    return 1;
}

/* Answers what has come; once more behind ASK, when it is known what `which` may be used for. */
int burst_answer(struct burst *b) {
    make_ready(b);
    for (;;) {
        int why = answer_burst(b);
        if (why != ENDED || b->sock < 0 || !receive_more(b))
            return why;
    }
}

/* Begins a call: with `sock`, it receives, if nothing was received. */
int burst_begin(struct burst *b) {
    begin(b);
    if (b->sock >= 0 && !b->have) {
        ssize_t count = recv(b->sock, (uint8_t *)b->in, b->size, MSG_DONTWAIT);
        if (count <= 0)
            return NOTHING;
        b->have = (uint64_t)count;
    }
    return burst_answer(b);
}

/* Replies, and the credits that go with them. */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* CommandSequenceWindow.grant. */
static uint16_t grant(struct burst *b, uint32_t requested) {
    int64_t left = (int64_t)b->maximum - (int64_t)(b->high - b->low);
    int64_t granted = (int64_t)requested < left ? (int64_t)requested : left;
    if (granted <= 0)
        granted = b->high - b->low == b->used;
    b->high += (uint64_t)granted;
    return (uint16_t)granted;
}

/* The reply's header, and what protects it, at `out`; a body lies there already, of a reply of `size`
   bytes.  The bytes of the frame; 0 if it cannot be protected: then nothing was answered. */
static uint32_t finish(struct burst *b, const struct guard *guard, const uint8_t *message,
                       uint8_t *out, size_t before, uint32_t size) {
    uint8_t *header = out + before;
    int sealed = before != PREFIX;
    uint32_t frame = size + (uint32_t)before - PREFIX;
    uint64_t high = b->high;
    out[0] = 0;
    out[1] = (uint8_t)(frame >> 16);
    out[2] = (uint8_t)(frame >> 8);
    out[3] = (uint8_t)frame;
    memset(header, 0, HEADER);
    memcpy(header, "\xfeSMB", 4);
    put16(header + 4, HEADER);
    put16(header + 6, u16(message + 6));
    put16(header + 12, u16(message + 12));
    put16(header + 14, grant(b, u16(message + 14)));
    put32(header + 16, SERVER_TO_REDIR | u32(message + FLAGS_AT));
    put64(header + 24, u64(message + 24));
    put32(header + 32, 0xFEFF);
    put32(header + 36, u32(message + 36));
    put64(header + 40, u64(message + 40));
    if (sealed ? !guard_seal(guard, u64(message + SESSION_ID_AT), out + PREFIX, size)
               : (u32(message + FLAGS_AT) & SIGNED) && !guard_sign(guard, header, size)) {
        b->high = high;
        return 0;
    }
    return PREFIX + frame;
}

/* The same for a FLUSH, or a READ or WRITE of `count` bytes, which a READ has behind the fixed part. */
static uint32_t reply(struct burst *b, const struct guard *guard, const uint8_t *message,
                      uint8_t *out, size_t before, uint32_t count) {
    uint8_t *body = out + before + HEADER;
    int command = u16(message + 12), reading = command == READ;
    memset(body, 0, BODY - HEADER);
    put16(body, command == FLUSH ? 4 : 17);
    body[2] = reading ? BODY : 0;
    put32(body + 4, count);  /* behind the end of a FLUSH's, which has none */
    uint32_t size = command == FLUSH ? HEADER + 4 : BODY + (reading ? count : 0);
    return finish(b, guard, message, out, before, size);
}

/* Puts the reply to a READ or WRITE of `count` bytes behind those that were made; whether it did. */
static int put_reply(struct burst *b, const struct fast_open *open, const uint8_t *message,
                     uint32_t charge, uint32_t count) {
    b->low += charge;
    uint32_t made = reply(b, open->guard, message, b->out + b->made, b->before, count);
    if (!made)
        b->low -= charge;
    b->made += made;
    return made != 0;
}

/* Counts a READ or WRITE that was answered, for Python to take over. */
static void count_read(struct fast_open *open, uint64_t offset, uint64_t length) {
    open->position = offset + length;
    open->reads++;
    open->bytes_read += length;
}

static void count_write(struct fast_open *open, uint64_t offset, uint64_t length) {
    open->position = offset + length;
    open->writes++;
    open->bytes_written += length;
}

/* Sends what was made; the socket may take less. */
static void send_made(struct burst *b) {
    ssize_t sent = send(b->sock, b->out + b->sent, b->made - b->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    b->sent += sent < 0 ? 0 : (uint64_t)sent;
    b->whole = b->frames;
}

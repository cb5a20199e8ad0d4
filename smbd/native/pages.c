/* READs that are longer than those of a burst: each reply leaves at once.  What is neither signed nor
   sealed goes from the page cache to the socket by the pipe, which takes pages of the file as they
   are.  That saves a copy, and the buffer.

   All of it is in the pipe before its reply begins: so nothing is promised that a file which gets
   shorter does not hold.  What the socket does not take is copied, and is Python's to send.

   The client gets the pages as they are when it takes them, which may be amid a WRITE.  So Python lets
   only the data of a file go by the pipe that no other open may write.  What is left are READs and
   WRITEs that are concurrent for their clients too: a WRITE that a client sends before it has the
   answer to its READ of the same bytes, and one of an open that comes while the reply is in flight.
   Changes by other programs on the machine are no more whole. */

#include <sys/mman.h>

enum { MOST_PAGES = (1 << 20) / PAGE };

/* Whether all of it is in the page cache, and no page of it is still being read.  Where mincore says
   so of any file, Python does not let it come to this. */
static int is_cached(int fd, uint64_t offset, uint32_t length) {
    unsigned char pages[MOST_PAGES];
    void *mapped = mmap(NULL, length, PROT_NONE, MAP_SHARED, fd, (off_t)offset);
    if (mapped == MAP_FAILED)
        return 0;
    int cached = !mincore(mapped, length, pages);
    munmap(mapped, length);
    for (uint32_t page = 0; cached && page < length / PAGE; page++)
        cached = pages[page] & 1;
    return cached;
}

/* Takes what is in the pipe out of it, to where there is room; the bytes. */
static size_t empty_pipe(const struct burst *b, uint8_t *to, size_t size) {
    size_t have = 0;
    ssize_t count;
    while (have < size && (count = read(b->pipe[0], to + have, size - have)) > 0)
        have += (size_t)count;
    return have;
}

/* Fills the pipe with so many bytes of a file: 0; -1: it has less, and the pipe is empty. */
static int fill_pipe(struct burst *b, int fd, uint64_t offset, uint32_t length) {
    uint32_t taken = 0;
    off_t at = (off_t)offset;
    while (taken < length) {
        ssize_t count = splice(fd, &at, b->pipe[1], NULL, length - taken,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (count <= 0)
            break;
        taken += (uint32_t)count;
    }
    if (taken == length)
        return 0;
    empty_pipe(b, b->out + b->made, taken);
    return -1;
}

/* Sends a reply's beginning and what is in the pipe; the rest is behind what was `made`. */
static void send_pages(struct burst *b, const uint8_t *head, size_t size, uint32_t length) {
    ssize_t sent = send(b->sock, head, size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
    size_t left = size - (sent < 0 ? 0 : (size_t)sent);
    while (!left && length) {
        ssize_t count = splice(b->pipe[0], NULL, b->sock, NULL, length,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (count <= 0)
            break;
        length -= (uint32_t)count;
    }
    memcpy(b->out + b->made, head + size - left, left);
    b->made += left;
    b->made += empty_pipe(b, b->out + b->made, length);
}

/* Whether there is room for a reply of so many bytes, once those before it have left. */
static int make_room(struct burst *b, uint64_t size) {
    if (b->made != b->sent)
        send_made(b);
    if (b->made == b->sent)
        b->made = b->sent = 0;
    return b->made == b->sent && size <= b->room;
}

/* What is the same for all of them. */
static int answered_long(struct burst *b, uint32_t length) {
    b->length = length;
    b->kind = HIT;
    b->ended = now();
    b->asked = 0;  /* that was long enough to ask for others */
    if (b->made == b->sent)
        b->made = b->sent = 0;  /* there is all of the room again */
    return -1;
}

/* Answers one by the pipe: -1, or why not. */
static int pass_pages(struct burst *b, struct fast_open *open, const uint8_t *message,
                      uint32_t charge) {
    uint32_t length = u32(message + 68);
    uint64_t offset = u64(message + 72);
    uint8_t head[PREFIX + BODY];
    if (b->sock < 0 || b->before != PREFIX || (u32(message + FLAGS_AT) & SIGNED)
        || !(open->ready & MAY_BARE) || !(open->ready & MAY_PASS) || length > open->longest_passed
        || length > (uint64_t)charge * ONE_CREDIT || (offset | length) % PAGE
        || offset > INT64_MAX - (uint64_t)length || u32(message + 96) > length)
        return OTHER;
    if (!make_room(b, sizeof head + length))
        return b->made ? FULL : OTHER;
    double started = now();
    if (!is_cached(open->fd, offset, length) || fill_pipe(b, open->fd, offset, length))
        return OTHER;
    b->took = now() - started;
    reply(b, NULL, message, head, PREFIX, length);
    send_pages(b, head, sizeof head, length);
    count_read(open, offset, length);
    b->low += charge;
    return answered_long(b, length);
}

/* The opens that C knows, as Python has readied them for one call; and how long a call may take. */

#include <poll.h>

/* CommandSequenceWindow.take, where ids come in order; 0: Python has to look. */
static uint32_t charge_of(const struct burst *b, const uint8_t *message) {
    uint32_t charge = b->multi_credit ? u16(message + 6) : 1;
    charge += !charge;
    return u64(message + 24) == b->low && charge <= b->high - b->low ? charge : 0;
}

/* The open that a plain message names; NULL if it is not plain, or names none of `opens`. */
static struct fast_open *find(struct burst *b, const uint8_t *message) {
    int command = u16(message + 12), asks = command == QUERY_INFO;
    int is_short = command == FLUSH || command == CLOSE;
    const uint8_t *file_id = message + (is_short ? 72 : asks ? 88 : 80);
    if (memcmp(message, "\xfeSMB", 4) || u16(message + 4) != HEADER
        || (u32(message + FLAGS_AT) & ~(uint32_t)(PRIORITY_MASK | SIGNED)) || u32(message + 20)
        || u16(message + HEADER) != (is_short ? 24 : asks ? 41 : 49))
        return NULL;
    for (uint32_t i = 0; i < b->count; i++) {
        struct fast_open *open = &b->opens[i];
        if (open->volatile_id == u64(file_id + 8) && open->persistent_id == u64(file_id)
            && open->session_id == u64(message + 40) && open->tree_id == u32(message + 36)
            && open->sequence == u16(message + 8)) {
            b->which = i;
            return open;
        }
    }
    return NULL;
}

/* What opens the sealed messages of a session; NULL: none of `opens` knows it. */
static const struct guard *guard_of(const struct burst *b, uint64_t session_id) {
    const struct guard *guard = NULL;
    for (uint32_t i = 0; i < b->count && !guard; i++)
        if (b->opens[i].session_id == session_id)
            guard = b->opens[i].guard;
    return guard && guard->opening ? guard : NULL;
}

/* What was ready for the call before is so no more. */
static void begin(struct burst *b) {
    for (uint32_t i = 0; i < b->count; i++)
        b->opens[i].ready = 0;
    for (uint32_t i = 0; i < b->form_count; i++)
        b->forms[i]->ready = 0;
    b->visited = 0;
    b->made = b->sent = b->frames = b->whole = b->missed = 0;
    b->before = PREFIX;
    b->asked = now();
    b->talks = 0;
}

/* Whether the loop has something else to do.  While it waits for the socket too, and that has more,
   nobody can tell. */
static int others_wait(const struct burst *b) {
    struct pollfd ready[2] = {{b->loop, POLLIN, 0}, {b->sock, POLLIN, 0}};
    return b->company
           || (poll(ready, b->talks ? 2 : 1, 0) > 0 && ready[0].revents && !ready[1].revents);
}

/* Whether a turn is over, behind a call to the kernel: so it is before its time as well, where
   others wait. */
static int is_over(struct burst *b) {
    if (b->ended > b->over)
        return 1;
    if (b->ended - b->asked < b->patience)
        return 0;
    b->asked = b->ended;
    return others_wait(b);
}

/* `which` may be used as `ready` says, and nothing was done for it yet. */
static void make_ready(struct burst *b) {
    if (b->which >= MOST_OPENS) {
        b->forms[b->which - MOST_OPENS]->ready = b->ready;
        return;
    }
    struct fast_open *asked = &b->opens[b->which];
    asked->reads = asked->bytes_read = asked->writes = asked->bytes_written = 0;
    asked->missed = asked->missed_size = 0;
    asked->flush_size = 0;
    asked->begun.first = asked->flush.first = NULL;
    asked->ready = b->ready;
}

/* Whether a write that begins with a page may wait: for what its last page has, if it does not cover
   that; for the rest of a page at the end of the file, which gets zeros; or for calls at work, which
   are asked last. */
static int may_wait(const struct fast_open *open, uint64_t offset, uint32_t length) {
    off_t end = lseek(open->fd, 0, SEEK_END);
    uint64_t last = offset + length - (offset + length) % PAGE;
    return end < 0 || (length % PAGE && last < (uint64_t)end)
        || (offset > (uint64_t)end && end % PAGE)
        || __atomic_load_n(open->working, __ATOMIC_ACQUIRE);
}

/* Whether a message is protected as its session wants it, and its signature right. */
static int is_protected(const struct burst *b, const struct fast_open *open, const uint8_t *message,
                        size_t size) {
    int is_signed = (u32(message + FLAGS_AT) & SIGNED) != 0;
    if (b->before != PREFIX)
        return !is_signed && (open->ready & MAY_SEAL);
    if (is_signed)
        return (open->ready & MAY_SIGN) && guard_verify(open->guard, message, size);
    return open->ready & MAY_BARE;
}

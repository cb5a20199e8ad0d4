/* QUERY_INFO and CLOSE of an open whose CREATE was answered lately.

   Most clients query a small file, read it and close it, one after the other.  Python has made the
   answer to the query beforehand (smbd/predicted.py), and says whether the open ends with nothing
   but its descriptor.  What is true of the file on the disk is asked here. */

static const uint8_t CLOSE_RESPONSE[60] = {60};

/* Whether an open's file is what Python has made the answer of. */
static int is_as_predicted(const struct predicted *predicted, int fd) {
    return has_status(fd, AT_EMPTY_PATH, predicted->mask, predicted->status)
           && (!predicted->young || !flistxattr(fd, NULL, 0));
}

/* Whether its descriptor's end frees no blocks. */
static int has_name(int fd) {
    struct stat status;
    return !fstat(fd, &status) && status.st_nlink;
}

/* Whether nothing but the message says what is answered, and nothing was done to the open since it
   was made ready. */
static int is_predicted(const struct burst *b, const struct fast_open *open, const uint8_t *message,
                       size_t size) {
    const struct predicted *predicted = b->predicted;
    if (open->writes || open->missed || open->flush_size)
        return 0;
    if (u16(message + 12) == CLOSE)
        return size == SHORTEST && (open->ready & MAY_CLOSE) && !u16(message + HEADER + 2)
            && has_name(open->fd);
    return (open->ready & MAY_TELL) && !open->reads && size == predicted->asked_size
        && !memcmp(message + HEADER, predicted->asked, LONGEST_ASKED) && is_as_predicted(predicted, open->fd);
}

/* Answers a QUERY_INFO or CLOSE; -1 if it did, or why not. */
static int answer_predicted(struct burst *b, const uint8_t *message, size_t size) {
    int closing = u16(message + 12) == CLOSE;
    if (!closing && size < QUERY_INFO_END)
        return OTHER;
    struct fast_open *open = find(b, message);
    if (!open)
        return OTHER;
    if (!open->ready)
        return ASK;
    uint32_t charge = charge_of(b, message);
    if (!charge || !is_predicted(b, open, message, size))
        return OTHER;
    const uint8_t *body = closing ? CLOSE_RESPONSE : b->predicted->answer;
    uint32_t length = closing ? sizeof CLOSE_RESPONSE : b->predicted->size;
    if (b->before + HEADER + length > b->room - b->made)
        return b->made ? FULL : OTHER;
    if (!is_protected(b, open, message, size))
        return OTHER;
    uint8_t *out = b->out + b->made;
    memcpy(out + b->before + HEADER, body, length);
    b->low += charge;
    uint32_t made = finish(b, open->guard, message, out, b->before, HEADER + length);
    if (!made) {
        b->low -= charge;
        return OTHER;
    }
    b->made += made;
    b->took = 0;
    b->ended = now();
    b->kind = closing ? GONE : TOLD;
    if (!closing)
        b->predicted->times++;
    return -1;
}

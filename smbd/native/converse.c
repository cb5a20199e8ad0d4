/* A conversation: while the loop has nothing else to do, C waits for a connection's frames itself.

   Its task waits for the socket by the loop's epoll.  So that is ready when bytes have come, and
   when there is anything else for the loop: to wait for it is to wait for both. */

/* Whether the loop is ready, or gets it within so many seconds; a signal ends the wait. */
static int is_ready(int loop, double seconds) {
    struct pollfd ready = {loop, POLLIN, 0};
    struct timespec most = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    return ppoll(&ready, 1, &most, NULL) > 0;
}

/* Whether others wait for the loop: 1, or 0, or -1 if it cannot be told, as the socket has more. */
static int loop_waits(int sock, int loop) {
    struct pollfd ready[2] = {{loop, POLLIN, 0}, {sock, POLLIN, 0}};
    if (poll(ready, 2, 0) <= 0 || !ready[0].revents)
        return 0;
    return ready[1].revents ? -1 : 1;
}

/* Until when the next burst is waited for: others may want a folder that is taken, in threads. */
static double end_of_wait(const struct burst *b, double until) {
    if (!b->visits || b->visits->taken.fd < 0)
        return until;
    double most = b->doomed.fd >= 0 ? now() + b->moment : b->visits->taken.until;
    return most < until ? most : until;
}

/* Receives the next burst, behind the piece of a frame that is left: -1, or why there is none. */
static int next_burst(struct burst *b, int loop, double until) {
    until = end_of_wait(b, until);
    int waits = b->frames < 2;  /* behind one frame alone there is none yet */
    b->have -= b->at;
    if (b->have)
        memmove((uint8_t *)b->in, (uint8_t *)b->in + b->at, b->have);
    b->at = b->made = b->sent = b->frames = b->whole = 0;
    for (;; waits = 1) {
        if (waits) {
            double left = until - now();
            if (left <= 0 || !is_ready(loop, left))
                return ENDED;
        }
        ssize_t count = recv(b->sock, (uint8_t *)b->in + b->have, b->size - b->have, MSG_DONTWAIT);
        if (count > 0) {
            b->have += (uint64_t)count;
            return -1;
        }
        if (waits || !count || errno != EAGAIN)
            return LOOP;
    }
}

/* Answers burst after burst.  `until`: when the loop is to go on in any case; `turn`: seconds that a
   burst may take.  `asked`: it goes on behind ASK, or behind CLOSED. */
int burst_converse(struct burst *b, int loop, double until, double turn, int asked) {
    if (!asked) {
        begin(b);
        b->at = b->have = b->bursts = 0;
        b->last = 0;
        b->alone = now();
    }
    if (asked != CLOSED)
        make_ready(b);
    else if (b->at == b->have)
        asked = 0;
    b->talks = 1;
    b->loop = loop;
    for (;; asked = 0) {
        if (!asked) {
            int why = b->last ? LOOP : next_burst(b, loop, until);
            if (why >= 0)
                return why;
            double began = now();
            b->over = (b->asked = began) + turn;
            int others = loop_waits(b->sock, loop);  /* before replies bring more from the client */
            if (!others)
                b->alone = began;
            b->last = others > 0 || began > until || began - b->alone > turn;
        }
        int why = answer_burst(b);
        b->bursts += why == ENDED || why == CLOSED;
        if (why != ENDED || b->missed || b->sent != b->made || b->have == b->size)
            return why;
    }
}

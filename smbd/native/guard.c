/* What protects the messages of one session on one connection: signatures by AES-GMAC
   ([MS-SMB2] 3.1.4.1, 3.1.5.1) and seals by AES-GCM (2.2.41, 3.1.4.3, 3.3.5.2.1.1). */

enum {
    TRANSFORM = 52, TAG_AT = 4, NONCE_AT = 20, SIZE_AT = 36, ENCRYPTED_AT = 42, SEALED_FOR_AT = 44,
    ENCRYPTED = 1,
    AUTHENTICATED = TRANSFORM - NONCE_AT,
};

struct guard {
    void *mac;                /* NULL: nothing is signed by GMAC */
    void *sealing, *opening;  /* NULL: nothing is sealed by GCM */
    uint64_t *sealed;         /* how many messages the session has sealed: a Sealer's counter */
    uint8_t prefix[4];        /* of its nonces */
};

/* The nonce of a READ's or WRITE's signature: its MessageId, and who made the message. */
static int make_mac(const struct guard *g, const uint8_t *message, size_t size, uint32_t from,
                    uint8_t *mac) {
    uint8_t nonce[GCM_NONCE];
    put64(nonce, u64(message + MESSAGE_ID_AT));
    put32(nonce + 8, from);
    return gcm_mac(g->mac, nonce, message, size, mac);
}

/* Whether the signature of a client's message is right. */
int guard_verify(const struct guard *g, const uint8_t *message, size_t size) {
    uint8_t mac[GCM_TAG], difference = 0;
    if (!make_mac(g, message, size, 0, mac))
        return 0;
    for (int i = 0; i < GCM_TAG; i++)
        difference |= mac[i] ^ message[SIGNATURE_AT + i];
    return !difference;
}

/* Signs a message of the server, which is complete; whether that went well. */
int guard_sign(const struct guard *g, uint8_t *message, size_t size) {
    return make_mac(g, message, size, SERVER_TO_REDIR, message + SIGNATURE_AT);
}

/* Puts what is in a whole sealed message into `opened`, without its TRANSFORM_HEADER; 0 if it is
   not what was sealed for the session. */
int guard_open(const struct guard *g, const uint8_t *sealed, size_t size, uint8_t *opened) {
    return size >= TRANSFORM && !memcmp(sealed, "\xfdSMB", 4)
        && u32(sealed + SIZE_AT) == size - TRANSFORM && u16(sealed + ENCRYPTED_AT) == ENCRYPTED
        && gcm_open(g->opening, sealed + NONCE_AT, sealed + NONCE_AT, AUTHENTICATED,
                    sealed + TRANSFORM, size - TRANSFORM, sealed + TAG_AT, opened);
}

/* Puts the first bytes of a sealed message into `to`; nothing says yet that they are its sender's.
   Or seals the first bytes of one again that was opened where it lay. */
int guard_stream(const struct guard *g, const uint8_t *sealed, const uint8_t *from, size_t size,
                 uint8_t *to) {
    return gcm_stream(g->opening, sealed + NONCE_AT, from, size, to);
}

/* Seals a message of `size` bytes behind the place of its TRANSFORM_HEADER, which is filled. */
int guard_seal(const struct guard *g, uint64_t session_id, uint8_t *transform, size_t size) {
    uint8_t *nonce = transform + NONCE_AT;
    memcpy(transform, "\xfdSMB", 4);
    memset(transform + 4, 0, TRANSFORM - 4);
    memcpy(nonce, g->prefix, sizeof g->prefix);
    put64(nonce + sizeof g->prefix, *g->sealed);
    ++*g->sealed;  /* whatever becomes of it: no nonce may come twice */
    put32(transform + SIZE_AT, (uint32_t)size);
    put16(transform + ENCRYPTED_AT, ENCRYPTED);
    put64(transform + SEALED_FOR_AT, session_id);
    return gcm_seal(g->sealing, nonce, nonce, AUTHENTICATED, transform + TRANSFORM, size,
                    transform + TAG_AT);
}

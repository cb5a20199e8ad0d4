/* The numbers in a message, and where those lie that more than one file looks at. */

#include <stdint.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the fields of SMB2 are taken out of memory as they lie there"
#endif

enum {
    HEADER = 64, FLAGS_AT = 16, MESSAGE_ID_AT = 24, SESSION_ID_AT = 40, SIGNATURE_AT = 48,
    SERVER_TO_REDIR = 1, SIGNED = 8,
};

static uint16_t u16(const uint8_t *at) { uint16_t x; memcpy(&x, at, 2); return x; }
static uint32_t u32(const uint8_t *at) { uint32_t x; memcpy(&x, at, 4); return x; }
static uint64_t u64(const uint8_t *at) { uint64_t x; memcpy(&x, at, 8); return x; }
static void put16(uint8_t *at, uint16_t x) { memcpy(at, &x, 2); }
static void put32(uint8_t *at, uint32_t x) { memcpy(at, &x, 4); }
static void put64(uint8_t *at, uint64_t x) { memcpy(at, &x, 8); }

/* The NetBIOS length in front of a message: of what is behind it, 24 bits. */
static uint32_t frame_size(const uint8_t *message) {
    return (uint32_t)message[-3] << 16 | (uint32_t)message[-2] << 8 | message[-1];
}

/* AES-GCM ([SP800-38D]) by the system's OpenSSL, whose library is looked for when it is first
   wanted: the one inside the package cryptography cannot be called from here.  Its functions are
   the same in 1.1, 3 and 4. */

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { GCM_NONCE = 12, GCM_TAG = 16, GCM_GET_TAG = 0x10, GCM_SET_TAG = 0x11 };

static struct {
    void *(*ctx_new)(void);
    void (*ctx_free)(void *);
    const void *(*aes_128_gcm)(void), *(*aes_256_gcm)(void);
    int (*init)(void *, const void *, void *, const uint8_t *, const uint8_t *, int);
    int (*update)(void *, uint8_t *, int *, const uint8_t *, int);
    int (*final)(void *, uint8_t *, int *);
    int (*ctrl)(void *, int, int, void *);
} evp;

/* Whether there is an OpenSSL; the others may be called then. */
int gcm_find(void) {
    static const char *const libraries[] = {"libcrypto.so.4", "libcrypto.so.3", "libcrypto.so.1.1"};
    void *found = NULL;
    for (size_t i = 0; !found && i < sizeof libraries / sizeof *libraries; i++)
        found = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (!found)
        return 0;
    *(void **)&evp.ctx_new = dlsym(found, "EVP_CIPHER_CTX_new");
    *(void **)&evp.ctx_free = dlsym(found, "EVP_CIPHER_CTX_free");
    *(void **)&evp.aes_128_gcm = dlsym(found, "EVP_aes_128_gcm");
    *(void **)&evp.aes_256_gcm = dlsym(found, "EVP_aes_256_gcm");
    *(void **)&evp.init = dlsym(found, "EVP_CipherInit_ex");
    *(void **)&evp.update = dlsym(found, "EVP_CipherUpdate");
    *(void **)&evp.final = dlsym(found, "EVP_CipherFinal_ex");
    *(void **)&evp.ctrl = dlsym(found, "EVP_CIPHER_CTX_ctrl");
    return evp.ctx_new && evp.ctx_free && evp.aes_128_gcm && evp.aes_256_gcm && evp.init
        && evp.update && evp.final && evp.ctrl;
}

/* A context for one key, 16 or 32 bytes, and one direction; NULL if OpenSSL refuses. */
void *gcm_new(const uint8_t *key, size_t key_size, int sealing) {
    void *gcm = evp.ctx_new();
    const void *cipher = key_size == 32 ? evp.aes_256_gcm() : evp.aes_128_gcm();
    if (gcm && !evp.init(gcm, cipher, NULL, key, NULL, sealing)) {
        evp.ctx_free(gcm);
        gcm = NULL;
    }
    return gcm;
}

void gcm_free(void *gcm) { evp.ctx_free(gcm); }

/* Ciphertext over the plaintext `data`, and its tag; whether all went well. */
int gcm_seal(void *gcm, const uint8_t *nonce, const uint8_t *authenticated, size_t authenticated_size,
             uint8_t *data, size_t size, uint8_t *tag) {
    int made;
    return evp.init(gcm, NULL, NULL, NULL, nonce, 1)
        && evp.update(gcm, NULL, &made, authenticated, (int)authenticated_size)
        && (!size || evp.update(gcm, data, &made, data, (int)size))
        && evp.final(gcm, tag, &made) && evp.ctrl(gcm, GCM_GET_TAG, GCM_TAG, tag);
}

/* The plaintext of `sealed` into `data`; 0 if it is not what was sealed. */
int gcm_open(void *gcm, const uint8_t *nonce, const uint8_t *authenticated, size_t authenticated_size,
             const uint8_t *sealed, size_t size, const uint8_t *tag, uint8_t *data) {
    uint8_t wanted[GCM_TAG], none[GCM_TAG];
    int made;
    memcpy(wanted, tag, GCM_TAG);
    return evp.init(gcm, NULL, NULL, NULL, nonce, 0)
        && evp.update(gcm, NULL, &made, authenticated, (int)authenticated_size)
        && (!size || evp.update(gcm, data, &made, sealed, (int)size))
        && evp.ctrl(gcm, GCM_SET_TAG, GCM_TAG, wanted) && evp.final(gcm, none, &made) > 0;
}

/* XORs bytes with the key stream of a message, from its first one on.  Of ciphertext that makes
   plaintext, which nothing vouches for yet, and of plaintext the same ciphertext again. */
int gcm_stream(void *gcm, const uint8_t *nonce, const uint8_t *from, size_t size, uint8_t *to) {
    int made;
    return evp.init(gcm, NULL, NULL, NULL, nonce, 0) && evp.update(gcm, to, &made, from, (int)size);
}

/* The GMAC of a message of at least 64 bytes, its signature (16 bytes at 48) taken as zeros. */
int gcm_mac(void *gcm, const uint8_t *nonce, const uint8_t *message, size_t size, uint8_t *mac) {
    static const uint8_t zeros[GCM_TAG];
    int made;
    return evp.init(gcm, NULL, NULL, NULL, nonce, 1)
        && evp.update(gcm, NULL, &made, message, 48)
        && evp.update(gcm, NULL, &made, zeros, GCM_TAG)
        && (size == 64 || evp.update(gcm, NULL, &made, message + 64, (int)(size - 64)))
        && evp.final(gcm, mac, &made) && evp.ctrl(gcm, GCM_GET_TAG, GCM_TAG, mac);
}

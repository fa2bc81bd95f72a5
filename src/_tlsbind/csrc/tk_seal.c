/* Sealing: authenticated encryption of what is kept where others may read or write it.
   Deterministic, and free of nonces that could run out or be repeated, in the manner of RFC 5297
   (SIV), from three parts that every libcrypto has (HKDF: RFC 5869):

       id 8 || mac 32 || wrap 32 = HKDF-SHA256(ikm = secret, salt = "tlskit seal 1", info = "")
       salt   = HMAC-SHA256(mac, about's length as 64 bits || about || plain)
       key    = HMAC-SHA256(wrap, salt)
       sealed = salt || AES-256-GCM(key, nonce = 0, associated data = about, plain) || tag

   The salt is a pseudorandom function of all that goes in, so each different text under each
   different `about` has a key of its own, which makes the one nonce good; the same text about the
   same thing gives the same bytes, and that it is the same one is all that shows. When opened, the
   tag is checked, and then that the salt is the one that the plain text has: so what opens under
   one secret opens under no other. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "tk_fault.h"

enum { KEY = 32, SALT = 32, TAG = 16, NONCE = 12 };

struct tk_seal {
    uint8_t id[TK_SEAL_ID], mac[KEY], wrap[KEY];
    EVP_MAC *hmac;
    EVP_CIPHER *gcm;
};

static int derive(tk_seal *s, const void *secret, size_t size)
{
    int mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, ok;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)"tlskit seal 1", 13),
        OSSL_PARAM_construct_end()
    };
    uint8_t out[sizeof s->id + 2 * KEY];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *k = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;

    ok = k != NULL && EVP_KDF_derive(k, out, sizeof out, params) == 1;
    if (ok) {
        memcpy(s->id, out, sizeof s->id);
        memcpy(s->mac, out + sizeof s->id, KEY);
        memcpy(s->wrap, out + sizeof s->id + KEY, KEY);
    }
    OPENSSL_cleanse(out, sizeof out);
    EVP_KDF_CTX_free(k);
    EVP_KDF_free(kdf);
    return ok;
}

tk_seal *tk_seal_new(const void *secret, size_t size, tk_fault *fault)
{
    tk_seal *s;

    tk_fault_begin();
    s = OPENSSL_zalloc(sizeof *s);
    if (s != NULL) {
        s->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        s->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
        if (s->hmac != NULL && s->gcm != NULL && derive(s, secret, size))
            return s;
    }
    tk_fail(fault);
    tk_seal_free(s);
    return NULL;
}

void tk_seal_free(tk_seal *s)
{
    if (s == NULL)
        return;
    EVP_MAC_free(s->hmac);
    EVP_CIPHER_free(s->gcm);
    OPENSSL_clear_free(s, sizeof *s);
}

void tk_seal_id(tk_seal *s, void *into) { memcpy(into, s->id, sizeof s->id); }

/* HMAC-SHA256 of up to three pieces. */
static int mac(const tk_seal *s, const uint8_t *key, const void *a, size_t a_size, const void *b,
               size_t b_size, const void *c, size_t c_size, uint8_t *out)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end()
    };
    EVP_MAC_CTX *m = EVP_MAC_CTX_new(s->hmac);
    size_t size = 0;
    int ok = m != NULL && EVP_MAC_init(m, key, KEY, params) && EVP_MAC_update(m, a, a_size) &&
             EVP_MAC_update(m, b, b_size) && EVP_MAC_update(m, c, c_size) &&
             EVP_MAC_final(m, out, &size, SALT) && size == SALT;

    EVP_MAC_CTX_free(m);
    return ok;
}

static int salt_of(const tk_seal *s, const void *about, size_t about_size, const void *plain,
                   size_t size, uint8_t *salt)
{
    uint8_t length[8];
    int i;

    for (i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)about_size >> (56 - 8 * i));
    return mac(s, s->mac, length, sizeof length, about, about_size, plain, size, salt);
}

/* A context with the key of this salt, and with `about` taken in. NULL: failed. */
static EVP_CIPHER_CTX *begin(const tk_seal *s, const uint8_t *salt, const void *about,
                             int about_size, int closing)
{
    static const uint8_t nonce[NONCE];
    uint8_t key[KEY];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int done;
    int ok = c != NULL && mac(s, s->wrap, salt, SALT, "", 0, "", 0, key) &&
             EVP_CipherInit_ex2(c, s->gcm, key, nonce, closing, NULL) &&
             EVP_CipherUpdate(c, NULL, &done, about, about_size);

    OPENSSL_cleanse(key, sizeof key);
    if (ok)
        return c;
    EVP_CIPHER_CTX_free(c);
    return NULL;
}

int tk_seal_close(tk_seal *s, const void *about, size_t about_size, const void *plain, size_t size,
                  void *sealed, tk_fault *fault)
{
    uint8_t *salt = sealed, *body = salt + SALT;
    EVP_CIPHER_CTX *c = NULL;
    int done = 0, ok;

    tk_fault_begin();
    ok = size <= INT_MAX && about_size <= INT_MAX &&
         salt_of(s, about, about_size, plain, size, salt) &&
         (c = begin(s, salt, about, (int)about_size, 1)) != NULL &&
         EVP_CipherUpdate(c, body, &done, plain, (int)size) &&
         EVP_CipherFinal_ex(c, body + done, &done) &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, body + size);
    EVP_CIPHER_CTX_free(c);
    return ok ? TK_DONE : tk_fail(fault);
}

int tk_seal_open(tk_seal *s, const void *about, size_t about_size, const void *sealed, size_t size,
                 void *plain)
{
    const uint8_t *salt = sealed, *body = salt + SALT;
    uint8_t again[SALT];
    EVP_CIPHER_CTX *c;
    int done = 0, more = 0, ok;

    if (size < TK_SEAL_OVERHEAD || size > INT_MAX || about_size > INT_MAX)
        return 0;
    size -= TK_SEAL_OVERHEAD;
    ERR_set_mark(); /* libcrypto's errors for a forgery are dropped */
    c = begin(s, salt, about, (int)about_size, 0);
    ok = c != NULL && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(body + size)) &&
         EVP_CipherUpdate(c, plain, &done, body, (int)size) &&
         EVP_CipherFinal_ex(c, (uint8_t *)plain + done, &more) &&
         salt_of(s, about, about_size, plain, size, again) && CRYPTO_memcmp(salt, again, SALT) == 0;
    EVP_CIPHER_CTX_free(c);
    ERR_pop_to_mark();
    if (!ok)
        OPENSSL_cleanse(plain, size);
    return ok;
}

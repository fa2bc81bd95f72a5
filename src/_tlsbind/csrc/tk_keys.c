/* Ticket keys: how they are derived, and the snapshots that hold them. tk_ring.c uses them. */
#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include "tk_ring.h"

enum { SECRET = TK_SECRET, DERIVED = TK_KEY_SIZE, LEAP = 4096 };

static EVP_KDF *hkdf;

/* Under the mutex of the rings. */
int tk_keys_init(void)
{
    if (hkdf == NULL)
        hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    return hkdf != NULL;
}

void tk_wipe(void *data, size_t size) { OPENSSL_cleanse(data, size); }

/* ---- derivation ---- */

static int derive(int mode, const uint8_t *secret, size_t size, const char *salt,
                  const uint8_t *info, size_t info_size, uint8_t *out, size_t out_size)
{
    OSSL_PARAM params[6], *p = params;
    EVP_KDF_CTX *k = EVP_KDF_CTX_new(hkdf);
    int ok;

    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, size);
    if (salt != NULL)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, strlen(salt));
    if (info != NULL)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_size);
    *p = OSSL_PARAM_construct_end();
    ok = k != NULL && EVP_KDF_derive(k, out, out_size, params) == 1;
    EVP_KDF_CTX_free(k);
    return ok;
}

void tk_key_fill(tk_ticket_key *key, const uint8_t *derived, int newest, int64_t until)
{
    memcpy(key->name, derived, sizeof key->name);
    memcpy(key->hmac, derived + 16, sizeof key->hmac);
    memcpy(key->aes, derived + 48, sizeof key->aes);
    key->size = 32;
    key->newest = newest;
    key->until = until;
}

/* What is kept of a master secret. */
int tk_key_extract(const uint8_t *secret, size_t size, uint8_t *out)
{
    return derive(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, secret, size, "tlskit tickets 1", NULL, 0, out,
                  SECRET);
}

static void big_endian(uint8_t *out, uint64_t n)
{
    int i;

    for (i = 7; i >= 0; i--, n >>= 8)
        out[i] = (uint8_t)n;
}

int tk_key_shared(const tk_ring *r, const uint8_t *secret, int64_t number, int newest,
                  tk_ticket_key *key)
{
    uint8_t info[16], derived[DERIVED];
    int ok;

    big_endian(info, (uint64_t)r->period);
    big_endian(info + 8, (uint64_t)number);
    ok = derive(EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret, SECRET, NULL, info, sizeof info, derived,
                sizeof derived);
    tk_key_fill(key, derived, newest, (number + 1 + r->kept) * r->period);
    OPENSSL_cleanse(derived, sizeof derived);
    return ok;
}

/* One step of a ring of its own: the key of a period, and the secret of the next one in place of
   this one's. */
int tk_key_step(tk_ring *r, int64_t number, tk_ticket_key *key)
{
    static const uint8_t info[] = "tlskit ring 1";
    uint8_t derived[SECRET + DERIVED];
    int ok = derive(EVP_KDF_HKDF_MODE_EXPAND_ONLY, r->secret[0], SECRET, NULL, info,
                    sizeof info - 1, derived, sizeof derived);

    if (ok) {
        memcpy(r->secret[0], derived, SECRET);
        tk_key_fill(key, derived + SECRET, 1, (number + 1 + r->kept) * r->period);
    }
    OPENSSL_cleanse(derived, sizeof derived);
    return ok;
}

/* Over more periods than one would step through, to shortly before a certain one: processes that
   were at the same place get to the same place, unless they leap in different blocks of periods. */
int tk_key_leap(tk_ring *r, int64_t number)
{
    static const char label[] = "tlskit leap 1";
    uint8_t info[sizeof label - 1 + 8], secret[SECRET];
    int64_t block = number / LEAP;
    int ok;

    memcpy(info, label, sizeof label - 1);
    big_endian(info + sizeof label - 1, (uint64_t)block);
    ok = derive(EVP_KDF_HKDF_MODE_EXPAND_ONLY, r->secret[0], SECRET, NULL, info, sizeof info,
                secret, sizeof secret);
    if (ok) {
        memcpy(r->secret[0], secret, SECRET);
        r->number = block * LEAP - 1;
    }
    OPENSSL_cleanse(secret, sizeof secret);
    return ok;
}

/* ---- snapshots ---- */

tk_keys *tk_keys_new(int32_t room)
{
    tk_keys *k = OPENSSL_secure_zalloc(sizeof *k + (size_t)room * sizeof k->key[0]);

    if (k != NULL) {
        k->references = 1;
        k->room = room;
        k->due = INT64_MAX;
    }
    return k;
}

void tk_keys_drop(tk_keys *k)
{
    if (k != NULL && --k->references == 0)
        OPENSSL_secure_clear_free(k, sizeof *k + (size_t)k->room * sizeof k->key[0]);
}

static int has_name(const tk_keys *k, const uint8_t *name)
{
    int32_t i;

    for (i = 0; i < k->count; i++)
        if (!memcmp(k->key[i].name, name, sizeof k->key[i].name))
            return 1;
    return 0;
}

static void remember(tk_keys *k, const uint8_t *name)
{
    if (k->gone_count < TK_GONE && !has_name(k, name))
        memcpy(k->gone[k->gone_count++], name, sizeof k->gone[0]);
}

/* Remember the names of retired keys, to tell their tickets from those of unknown keys. */
void tk_keys_remember(tk_keys *k, const tk_keys *old)
{
    int32_t i;

    for (i = 0; old != NULL && i < old->count; i++)
        remember(k, old->key[i].name);
    for (i = 0; old != NULL && i < old->gone_count; i++)
        remember(k, old->gone[i]);
}

/* Keys of before, which only decrypt now. */
void tk_keys_keep(tk_keys *k, const tk_keys *old, int64_t now, int64_t until)
{
    int32_t i;

    for (i = 0; old != NULL && i < old->count && k->count < k->room; i++)
        if (old->key[i].until > now && !has_name(k, old->key[i].name)) {
            tk_ticket_key *key = &k->key[k->count++];
            *key = old->key[i];
            key->newest = 0;
            if (key->until > until)
                key->until = until;
        }
}

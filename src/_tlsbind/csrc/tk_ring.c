/* A ring of ticket keys.

   The keys in force are a snapshot: made whole, never changed, counted. A handshake takes a
   reference to it and gives it back; making another one swaps a pointer. The mutex is held
   for that, and for the few microseconds in which the keys of a new period are derived: by
   whichever handshake first sees that the time has come.

   Keys that are not given are derived, so that processes which began with the same secret have the
   same keys without a word between them. A ring of its own (TK_RING_OWN) begins with random bytes
   and goes forward from secret to secret, which erases the way back: forked children go the same
   way, by the same clock, and a key that was dropped is gone. A shared one (TK_RING_SHARED) takes a
   key from a master secret and the number of the period:

       HKDF-SHA256(ikm = secret, salt = "tlskit tickets 1", info = period || number, 80 bytes)

   (RFC 5869) with both numbers as 64 bits, big-endian, and number = floor(seconds since 1970 /
   period). The 80 bytes are what SSL_CTX_set_tlsext_ticket_keys(3) takes: 16 of the key's name, 32
   for HMAC, 32 for AES. */
#include <openssl/rand.h>

#include "tk_ring.h"
#include "tk_fault.h"

/* of all rings: so that a fork can hold it, and a child never finds it locked */
static tk_mutex mutex;

void tk_ring_lock(void) { tk_lock(&mutex); }
void tk_ring_unlock(void) { tk_unlock(&mutex); }
void tk_ring_init(void) { tk_mutex_init(&mutex); }

int64_t tk_ring_clock(tk_ring *r)
{
    int64_t now = (int64_t)time(NULL) + tk_atomic_load(&r->shift);

    return now > 0 ? now : 0;
}

tk_keys *tk_ring_take(tk_ring *r, int64_t now)
{
    tk_keys *k;

    tk_lock(&mutex);
    tk_rotation_due(r, now); /* when that fails, the keys of before go on */
    k = r->now;
    if (k != NULL)
        k->references++;
    tk_unlock(&mutex);
    return k;
}

void tk_ring_give_back(tk_keys *k)
{
    tk_lock(&mutex);
    tk_keys_drop(k);
    tk_unlock(&mutex);
}

/* ---- rings ---- */

tk_ring *tk_ring_up_ref(tk_ring *r)
{
    if (r != NULL) {
        tk_lock(&mutex);
        r->references++;
        tk_unlock(&mutex);
    }
    return r;
}

void tk_ring_free(tk_ring *r)
{
    int last;

    if (r == NULL)
        return;
    tk_lock(&mutex);
    if ((last = --r->references == 0))
        tk_keys_drop(r->now);
    tk_unlock(&mutex);
    if (last)
        OPENSSL_secure_clear_free(r, sizeof *r);
}

static int fetch(void)
{
    int ok;

    tk_lock(&mutex);
    ok = tk_keys_init();
    tk_unlock(&mutex);
    return ok;
}

/* As tk_ring_new; at another time than now. */
tk_ring *tk_ring_new_at(int kind, int64_t period, int64_t lifetime, int64_t now, tk_fault *fault)
{
    tk_ring *r;

    tk_fault_begin();
    if (!fetch() || (r = OPENSSL_secure_zalloc(sizeof *r)) == NULL) {
        tk_fail(fault);
        return NULL;
    }
    r->references = 1;
    r->kind = kind;
    r->period = period;
    r->lifetime = lifetime;
    r->kept = (lifetime + period - 1) / period;
    r->number = now / period - 1;
    if (kind == TK_RING_OWN &&
        (RAND_priv_bytes(r->secret[0], TK_SECRET) != 1 || !tk_rotation_own(r, now))) {
        tk_fail(fault);
        tk_ring_free(r);
        return NULL;
    }
    return r;
}

tk_ring *tk_ring_new(int kind, int64_t period, int64_t lifetime, tk_fault *fault)
{
    return tk_ring_new_at(kind, period, lifetime, (int64_t)time(NULL), fault);
}

int tk_ring_set_keys(tk_ring *r, const void *keys, int32_t count, tk_fault *fault)
{
    const uint8_t *from = keys;
    tk_keys *k;
    int32_t i;

    tk_fault_begin();
    if ((k = tk_keys_new(count)) == NULL)
        return tk_fail(fault);
    for (i = 0; i < count; i++, from += TK_PACKED_KEY) {
        tk_key_fill(&k->key[i], from + 1, i == 0, INT64_MAX);
        k->key[i].size = from[0];
    }
    k->count = count;
    tk_lock(&mutex);
    tk_rotation_given(r, k);
    tk_unlock(&mutex);
    return TK_DONE;
}

/* All of them or none. What is kept is what HKDF extracts from each. */
int tk_ring_set_secrets(tk_ring *r, const void *data, const size_t *sizes, int32_t count,
                        tk_fault *fault)
{
    uint8_t fresh[TK_RING_SECRETS][TK_SECRET], before[TK_RING_SECRETS][TK_SECRET];
    const uint8_t *from = data;
    int32_t i, count_before;
    int ok = 1;

    tk_fault_begin();
    for (i = 0; ok && i < count; from += sizes[i++])
        ok = tk_key_extract(from, sizes[i], fresh[i]);
    if (ok) {
        tk_lock(&mutex);
        memcpy(before, r->secret, sizeof before);
        count_before = r->secrets;
        memcpy(r->secret, fresh, (size_t)count * TK_SECRET);
        r->secrets = count;
        if (!(ok = tk_rotation_shared(r, tk_ring_clock(r)))) {
            memcpy(r->secret, before, sizeof before);
            r->secrets = count_before;
        }
        tk_unlock(&mutex);
    }
    OPENSSL_cleanse(fresh, sizeof fresh);
    OPENSSL_cleanse(before, sizeof before);
    return ok ? TK_DONE : tk_fail(fault);
}

int tk_ring_rotate(tk_ring *r, int forget, tk_fault *fault)
{
    int ok;

    tk_fault_begin();
    tk_lock(&mutex);
    ok = tk_rotation_by_hand(r, tk_ring_clock(r), forget);
    tk_unlock(&mutex);
    return ok ? TK_DONE : tk_fail(fault);
}

int32_t tk_ring_keys(tk_ring *r, void *out, int32_t room)
{
    int64_t now = tk_ring_clock(r);
    tk_keys *k = tk_ring_take(r, now);
    uint8_t *to = out;
    int32_t i, n = 0;

    for (i = 0; k != NULL && i < k->count && n < room; i++) {
        if (i > 0 && k->key[i].until <= now)
            continue;
        n++;
        to[0] = (uint8_t)k->key[i].size;
        memcpy(to + 1, k->key[i].name, 16);
        memcpy(to + 17, k->key[i].hmac, 32);
        memcpy(to + 49, k->key[i].aes, 32);
        to += TK_PACKED_KEY;
    }
    if (k != NULL)
        tk_ring_give_back(k);
    return n;
}

int64_t tk_ring_wipe_ended(tk_ring *r)
{
    int64_t now = tk_ring_clock(r), due = INT64_MAX;

    tk_lock(&mutex);
    tk_rotation_due(r, now);
    if (r->now != NULL)
        due = r->now->due;
    tk_unlock(&mutex);
    /* 1: it failed, and is to be tried again */
    return due == INT64_MAX ? -1 : due > now ? due - now : 1;
}

int32_t tk_ring_held(tk_ring *r)
{
    int32_t count;

    tk_lock(&mutex);
    count = r->now != NULL ? r->now->count : 0;
    tk_unlock(&mutex);
    return count;
}

void tk_ring_stats_of(tk_ring *r, tk_ring_stats *out)
{
    tk_ring_stats *s = &r->stats;

    out->made = tk_atomic_load(&s->made);
    out->resumed = tk_atomic_load(&s->resumed);
    out->renewed = tk_atomic_load(&s->renewed);
    out->refused = tk_atomic_load(&s->refused);
    out->unknown = tk_atomic_load(&s->unknown);
    out->retired = tk_atomic_load(&s->retired);
    out->tampered = tk_atomic_load(&s->tampered);
    out->rotations = tk_atomic_load(&s->rotations);
}

void tk_ring_shift(tk_ring *r, int64_t seconds) { tk_atomic_add64(&r->shift, seconds); }

/* When one key follows another: by the clock, or by a call. All under the mutex of the rings. */
#include <openssl/rand.h>

#include "tk_ring.h"

enum { STEPS_MOST = 1 << 17 }; /* some tenths of a second */

/* The new ones in place of the old ones. */
static void publish(tk_ring *r, tk_keys *k)
{
    tk_keys *old = r->now;

    tk_keys_remember(k, old);
    if (old != NULL && memcmp(old->key[0].name, k->key[0].name, sizeof k->key[0].name) != 0)
        tk_atomic_add64(&r->stats.rotations, 1);
    r->now = k;
    tk_keys_drop(old);
}

int tk_rotation_shared(tk_ring *r, int64_t now)
{
    int64_t number = now / r->period, n;
    tk_keys *k = tk_keys_new(r->secrets * (int32_t)(r->kept + 2));
    int32_t s;
    int ok = k != NULL;

    for (s = 0; ok && s < r->secrets; s++) {
        /* the first of the first one encrypts */
        ok = tk_key_shared(r, r->secret[s], number, s == 0, &k->key[k->count++]);
        for (n = number + 1; ok && n >= number - r->kept; n--)
            /* a machine whose clock is ahead may be in the next period */
            if (n != number && n >= 0)
                ok = tk_key_shared(r, r->secret[s], n, s == 0 && n > number, &k->key[k->count++]);
    }
    if (!ok) {
        tk_keys_drop(k);
        return 0;
    }
    k->since = number * r->period;
    k->due = k->since + r->period;
    publish(r, k);
    return 1;
}

static int32_t room_for(const tk_ring *r, int32_t more)
{
    int32_t room = more + (r->now != NULL ? r->now->count : 0);

    return room < TK_RING_KEYS ? room : TK_RING_KEYS;
}

/* Goes through every period that has passed: another process may have made tickets in each of them.
   A clock that was set back by more than a period is believed, or a short moment in the far future
   would be the end of all rotation: the secrets go on from where they are, only the numbers do
   not. */
int tk_rotation_own(tk_ring *r, int64_t now)
{
    int64_t target = now / r->period;
    tk_keys *k = tk_keys_new(room_for(r, (int32_t)r->kept + 2));
    int ok = k != NULL;

    if (r->number > target + 1)
        r->number = target - 1;
    /* once in a blue moon: a machine that begins without a clock */
    if (ok && target - r->number > STEPS_MOST)
        ok = tk_key_leap(r, target);

    while (ok && r->number < target) {
        /* make room at the front */
        if (k->count > 0 && k->key[0].until > now && k->count < k->room - 1) {
            memmove(&k->key[1], &k->key[0], (size_t)k->count * sizeof k->key[0]);
            k->key[1].newest = 0;
            k->count++;
        }
        ok = tk_key_step(r, r->number + 1, &k->key[0]);
        if (ok) {
            r->number++;
            k->count += k->count == 0;
        }
    }
    if (k == NULL || k->count == 0) {
        tk_keys_drop(k);
        return 0;
    }
    tk_keys_keep(k, r->now, now, now + (r->kept + 1) * r->period);
    k->since = (r->number - 1) * r->period;
    k->due = (r->number + 1) * r->period;
    publish(r, k);
    return ok;
}

/* Of keys that were given, those that a rotation has left behind end some time. */
int tk_rotation_given(tk_ring *r, tk_keys *k)
{
    int32_t i;

    for (i = 0; i < k->count; i++)
        if (k->key[i].until < k->due)
            k->due = k->key[i].until;
    k->since = INT64_MIN;
    publish(r, k);
    return 1;
}

static int drop_ended(tk_ring *r, int64_t now)
{
    tk_keys *k = tk_keys_new(r->now->count);

    if (k == NULL)
        return 0;
    k->key[0] = r->now->key[0];
    k->count = 1;
    tk_keys_keep(k, r->now, now, INT64_MAX);
    return tk_rotation_given(r, k);
}

int tk_rotation_due(tk_ring *r, int64_t now)
{
    if (r->now != NULL && now >= r->now->since && now < r->now->due)
        return 1;
    switch (r->kind) {
    case TK_RING_OWN:
        return tk_rotation_own(r, now);
    case TK_RING_SHARED:
        return r->secrets > 0 && tk_rotation_shared(r, now);
    default:
        return r->now != NULL && drop_ended(r, now);
    }
}

/* ---- by hand ---- */

static int rotate_own(tk_ring *r, int64_t now, tk_keys *k)
{
    uint8_t fresh[TK_SECRET];
    int ok = RAND_priv_bytes(fresh, sizeof fresh) == 1;

    if (ok) {
        if (r->number < now / r->period)
            r->number = now / r->period;
        memcpy(r->secret[0], fresh, TK_SECRET);
        ok = tk_key_step(r, r->number, &k->key[0]);
        k->since = (r->number - 1) * r->period;
        k->due = (r->number + 1) * r->period;
    }
    OPENSSL_cleanse(fresh, sizeof fresh);
    return ok;
}

static int rotate_given(tk_ticket_key *key)
{
    uint8_t fresh[TK_KEY_SIZE];
    int ok = RAND_priv_bytes(fresh, sizeof fresh) == 1;

    tk_key_fill(key, fresh, 1, INT64_MAX);
    OPENSSL_cleanse(fresh, sizeof fresh);
    return ok;
}

int tk_rotation_by_hand(tk_ring *r, int64_t now, int forget)
{
    tk_keys *k;
    int ok;

    tk_rotation_due(r, now);
    k = tk_keys_new(room_for(r, 1));
    ok = k != NULL && (r->kind == TK_RING_OWN ? rotate_own(r, now, k) : rotate_given(&k->key[0]));
    if (ok)
        k->count = 1;
    if (ok && !forget)
        tk_keys_keep(k, r->now, now, now + r->lifetime);
    if (ok && r->kind == TK_RING_OWN)
        publish(r, k);
    else if (ok)
        tk_rotation_given(r, k);
    else
        tk_keys_drop(k);
    return ok;
}

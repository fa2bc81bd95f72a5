/* Shared by the files about ticket keys. Theory: tk_ring.c. */
#ifndef TK_RING_H
#define TK_RING_H

#include "tk_conn.h"

enum { TK_GONE = 64, TK_SECRET = 32, TK_KEY_SIZE = 80 };

typedef struct {
    uint8_t name[16], hmac[32], aes[32];
    int32_t size;   /* how much of the last two there is: 16 (AES-128) or 32 */
    int32_t newest; /* tickets under it need no renewal */
    int64_t until;  /* when it ends to decrypt, in seconds since 1970 */
} tk_ticket_key;

typedef struct { /* a snapshot: never changed once a ring has it */
    int32_t references, room, count, gone_count;
    int64_t since, due;          /* a time outside of these calls for another one */
    uint8_t gone[TK_GONE][16];   /* names of keys that decrypt no more, the last ones first */
    tk_ticket_key key[];         /* the first encrypts */
} tk_keys;

struct tk_ring {
    int32_t references, kind;
    int64_t period, lifetime;    /* seconds */
    int64_t kept;                /* for how many periods a key goes on to decrypt */
    int64_t shift;               /* how far its clock runs ahead */
    tk_keys *now;
    /* TK_RING_OWN: the first alone, of the period after `number` */
    uint8_t secret[TK_RING_SECRETS][TK_SECRET];
    int32_t secrets;
    int64_t number;              /* TK_RING_OWN: the period that the first key belongs to */
    tk_ring_stats stats;
};

/* keys: under the mutex of the rings, or before anybody else knows of them */
int tk_keys_init(void);
tk_keys *tk_keys_new(int32_t room);
void tk_keys_drop(tk_keys *k);
void tk_keys_remember(tk_keys *k, const tk_keys *old);
void tk_keys_keep(tk_keys *k, const tk_keys *old, int64_t now, int64_t until);
void tk_key_fill(tk_ticket_key *key, const uint8_t *derived, int newest, int64_t until);
int tk_key_extract(const uint8_t *secret, size_t size, uint8_t *out);
int tk_key_shared(const tk_ring *r, const uint8_t *secret, int64_t number, int newest,
                  tk_ticket_key *key);
int tk_key_step(tk_ring *r, int64_t number, tk_ticket_key *key);
int tk_key_leap(tk_ring *r, int64_t number);

int tk_rotation_own(tk_ring *r, int64_t now);
int tk_rotation_shared(tk_ring *r, int64_t now);
int tk_rotation_given(tk_ring *r, tk_keys *k); /* these from now on */
/* bring the keys up to that time: 0 when that fails, and those of before stay */
int tk_rotation_due(tk_ring *r, int64_t now);
int tk_rotation_by_hand(tk_ring *r, int64_t now, int forget);

/* rings: these take the mutex themselves */
void tk_ring_init(void);
void tk_ring_lock(void);
void tk_ring_unlock(void);
tk_ring *tk_ring_up_ref(tk_ring *r);
tk_ring *tk_ring_new_at(int kind, int64_t period, int64_t lifetime, int64_t now, tk_fault *fault);
int64_t tk_ring_clock(tk_ring *r);
/* a reference to the keys of that time; NULL: there are none */
tk_keys *tk_ring_take(tk_ring *r, int64_t now);
void tk_ring_give_back(tk_keys *k);

#endif

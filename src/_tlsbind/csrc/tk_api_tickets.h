/* Part of the border (tk_api.h): ticket keys, in a ring that any number of contexts share. */

typedef struct tk_ring tk_ring;

enum { /* the origin of its keys */
    TK_RING_GIVEN = 0,  /* tk_ring_set_keys */
    TK_RING_OWN = 1,    /* derived here, one from the other, by the clock */
    /* derived from shared secrets, by the clock: tk_ring_set_secrets */
    TK_RING_SHARED = 2
};
enum { TK_RING_KEYS = 512, TK_RING_SECRETS = 8 }; /* the maximum of a ring */

/* A key at the border: one byte that says how long its two secrets are, 16 (AES-128) or 32; then
   its name, 16 bytes; the secret for HMAC and the one for AES, each in a room of 32. */
enum { TK_PACKED_KEY = 81 };

typedef struct {
    int64_t made, resumed, renewed, refused, unknown, retired, tampered, rotations;
} tk_ring_stats;

void tk_wipe(void *data, size_t size);
tk_ring *tk_ring_new(int kind, int64_t period, int64_t lifetime, tk_fault *fault); /* seconds */
void tk_ring_free(tk_ring *r); /* drops one reference */
/* end to end; the first encrypts */
int tk_ring_set_keys(tk_ring *r, const void *keys, int32_t count, tk_fault *fault);
/* end to end */
int tk_ring_set_secrets(tk_ring *r, const void *data, const size_t *sizes, int32_t count,
                        tk_fault *fault);
/* a new random key; previous ones still decrypt, or are dropped */
int tk_ring_rotate(tk_ring *r, int forget, tk_fault *fault);
int32_t tk_ring_keys(tk_ring *r, void *out, int32_t room); /* returns how many are in force */
/* Wipe the expired keys, and return in how many seconds the next ones expire; -1 if never. */
int64_t tk_ring_wipe_ended(tk_ring *r);
int32_t tk_ring_held(tk_ring *r); /* how many keys are in memory now */
void tk_ring_stats_of(tk_ring *r, tk_ring_stats *out);
void tk_ring_shift(tk_ring *r, int64_t seconds); /* set its clock forward: for tests */
void tk_ctx_set_ring(tk_ctx *c, tk_ring *r); /* NULL: libssl's own keys */
int tk_ctx_ticket_keys(tk_ctx *c, void *into);           /* libssl's own: 80 bytes */
int tk_ctx_set_ticket_keys(tk_ctx *c, const void *keys);

enum { /* why a client's ticket was refused: tk_conn_facts.refused_ticket */
    TK_TICKET_FINE = 0, TK_TICKET_UNKNOWN = 1, TK_TICKET_RETIRED = 2, TK_TICKET_TAMPERED = 3,
    /* made for another name, or by a server whose certificate has other names */
    TK_TICKET_EXPIRED = 4, TK_TICKET_ELSEWHERE = 5,
    TK_TICKET_CONTEXT = 6 /* its session was made under another id context */
};

/* A state of a context: an SSL_CTX, and the data of its hooks. Never changed once a connection uses
   it. */
#ifndef TK_CTX_H
#define TK_CTX_H

#include "tk_chains.h"
#include "tk_events.h"

typedef struct tk_cache tk_cache;

enum { TK_SCOPE = 32 }; /* bytes that stand for what a ticket is for: tk_origin.c */

struct tk_ctx {
    SSL_CTX *ctx;
    int32_t role;
    tk_keylog *keylog;      /* NULL: none */
    uint8_t *alpn, *pins, *names_wanted; /* tk_alpn.c, tk_require.c */
    char *wanted;           /* groups: tk_groups.c; NULL: any will do */
    size_t alpn_size, pins_size, names_wanted_size;
    int32_t purpose, reports; /* tk_verify.c */
    int32_t has_verify_time;
    int64_t verify_time;
    uint8_t *staples;       /* tk_staple.c */
    size_t staples_size;
    uint8_t staple_wanted, staple_required;
    uint8_t id_prefix[TK_ID_PREFIX_MOST], id_prefix_size; /* tk_session_id.c */
    int32_t hooks, post_handshake_auth;
    uint8_t trusts_none;    /* no certificates, and none will be found */
    int32_t has_id_base;    /* the id context of its servers stands for its policy */
    tk_ring *ring;          /* NULL: libssl's own ticket keys */
    uint8_t names[TK_SCOPE]; /* stands for the names in its certificate */
    tk_cache *cache;        /* with the other states of its context: tk_cache.c */
    int64_t cache_mode;     /* SSL_SESS_CACHE_ bits */
    tk_chains *chains;      /* that have passed here; NULL: none yet */
    tk_ctx *next_state;     /* in the list of the cache */
};

extern int tk_ctx_index;
tk_ctx *tk_ctx_of(const SSL_CTX *ctx);

#endif

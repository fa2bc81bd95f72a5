/* A context: an SSL_CTX, and what its hooks need. */
#ifndef TK_CTX_H
#define TK_CTX_H

#include "tk_events.h"

enum { TK_SCOPE = 32 }; /* bytes that stand for what a ticket is for: tk_mark.c */

struct tk_ctx {
    SSL_CTX *ctx;
    BIO *keylog;
    tk_mutex keylog_mutex;
    tk_mutex alpn_mutex;    /* tk_alpn.c; and for what a new connection takes over: trust */
    uint8_t *alpn;
    size_t alpn_size;
    X509_STORE *trust;      /* each connection has a reference of its own */
    int32_t hooks, post_handshake_auth;
    tk_ring *ring;          /* NULL: libssl's own ticket keys */
    uint8_t names[TK_SCOPE]; /* stands for the names in its certificate */
    tk_mutex removed_mutex;
    tk_event *removed, **removed_end; /* what libssl has removed from its cache, the oldest first */
    int32_t removed_count;
};

extern int tk_ctx_index;
tk_ctx *tk_ctx_of(const SSL_CTX *ctx);
int tk_ctx_lend_trust(tk_ctx *c, SSL *ssl); /* as it is now, and for as long as the SSL lives */

#endif

/* The sizes of records, fragments and messages; and new keys on a connection. */

enum { /* what tk_ctx_tune sets */
    TK_TUNE_FALLBACK,        /* 1: send TLS_FALLBACK_SCSV (RFC 7507) */
    TK_TUNE_RELEASE_BUFFERS, /* 1: an idle connection holds no buffers */
    TK_TUNE_AUTO_CHAIN,      /* 1: complete a chain from the trusted certificates */
    TK_TUNE_AUTO_DH,         /* 1: choose parameters by the strength of the key */
    TK_TUNE_MAX_FRAGMENT,    /* what a client asks for: a code of RFC 6066, 4; 0: nothing */
    TK_TUNE_SEND_FRAGMENT,   /* how many bytes a record that is sent holds at most */
    TK_TUNE_PADDING,         /* records are padded to a multiple of this; 0: not */
    TK_TUNE_CERTIFICATES     /* how many bytes a peer's certificates may take */
};

/* 1, or 0: OpenSSL does not take it */
int tk_ctx_tune(tk_ctx *c, int what, size_t value);
/* Up to TLS 1.2: a client makes another handshake, a server asks for one. */
int64_t tk_conn_renegotiate(tk_conn *c, int64_t timeout);
/* how many handshakes there were beside the first */
uint32_t tk_conn_renegotiations(tk_conn *c);
/* TLS 1.3: new keys for what this side sends; `both`: ask the peer for the same */
int64_t tk_conn_update_keys(tk_conn *c, int both, int64_t timeout);

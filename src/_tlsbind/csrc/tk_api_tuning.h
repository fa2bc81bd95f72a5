/* The sizes of records, fragments and messages; and new keys on a connection. */

enum { /* what tk_ctx_tune sets */
    TK_TUNE_FALLBACK,        /* 1: send TLS_FALLBACK_SCSV (RFC 7507) */
    TK_TUNE_RELEASE_BUFFERS, /* 1: an idle connection holds no buffers */
    TK_TUNE_AUTO_CHAIN,      /* 1: complete a chain from the trusted certificates */
    TK_TUNE_AUTO_DH,         /* 1: choose parameters by the strength of the key */
    TK_TUNE_MAX_FRAGMENT,    /* a client's request: a code of RFC 6066, 4; 0: none */
    TK_TUNE_SEND_FRAGMENT,   /* the most bytes in a record that is sent */
    TK_TUNE_PADDING,         /* records are padded to a multiple of this; 0: not */
    TK_TUNE_CERTIFICATES     /* how many bytes a peer's certificates may take */
};

/* 1, or 0 if OpenSSL refuses it */
int tk_ctx_tune(tk_ctx *c, int what, size_t value);
/* Up to TLS 1.2: a client starts another handshake, a server requests one. */
int64_t tk_conn_renegotiate(tk_conn *c, int64_t timeout);
/* the number of handshakes after the first */
uint32_t tk_conn_renegotiations(tk_conn *c);
/* TLS 1.3: new keys for what this side sends; `both`: ask the peer for the same */
int64_t tk_conn_update_keys(tk_conn *c, int both, int64_t timeout);

/* Part of the border (tk_api.h): OCSP responses that a server staples (RFC 6066, 8). */

enum { /* the verdicts on a staple */
    TK_STAPLE_MISSING = 1,      /* there was none */
    TK_STAPLE_GOOD = 2,         /* verified: the certificate is not revoked */
    TK_STAPLE_REVOKED = 3,      /* verified: it is */
    TK_STAPLE_UNKNOWN = 4,      /* verified: the responder does not know it */
    TK_STAPLE_MALFORMED = 5,    /* it cannot be parsed */
    TK_STAPLE_UNSUCCESSFUL = 6, /* it says that the responder had no answer */
    TK_STAPLE_UNTRUSTED = 7,    /* not signed by the issuer or its delegate */
    TK_STAPLE_OTHER = 8,        /* it is about other certificates */
    TK_STAPLE_STALE = 9         /* it has expired, or is not valid yet */
};

/* what a client requests of its servers */
void tk_ctx_want_staple(tk_ctx *c, int wanted, int required);
/* A server's responses: for each, SHA-256 of the certificate (32 bytes), its expiry (64
   bits) and its size (32 bits), native, then DER. 0: no memory. */
int tk_ctx_set_staples(tk_ctx *c, const void *staples, size_t size);
/* A response's verdict on a certificate, TK_STAPLE_...; without an issuer, the signature is not
   checked. `until` is the expiry; -1 if not stated. */
int tk_staple_of(X509 *leaf, X509 *issuer, const void *der, size_t size, int64_t *until);
/* whether a certificate requires its server to staple (RFC 7633) */
int tk_x509_must_staple(X509 *x);

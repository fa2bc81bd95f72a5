/* Stapled OCSP responses: what a client requests and how it judges them, and what a server sends.

   A client checks the staple when the server's certificate has passed. The result is among the
   notes of the handshake (tk_info.c), even if it refuses: a verified response that says that the
   certificate is revoked, always; anything but a verified one that says that it is good, if the
   context requires that, or the certificate itself does (RFC 7633). A resumed handshake carries no
   staple; Python has decided before whether it may resume (objection.py).

   A server sends a response as long as it is in date; no response is better than an expired one. */
#include <openssl/x509v3.h>

#include "tk_staple.h"
#include "tk_records.h"
#include "tk_response.h"

enum { DIGEST = 32, HEAD = DIGEST + 8 + 4, STATUS_REQUEST = 5, STAPLE_MOST = 65535 };

int tk_x509_must_staple(X509 *x)
{
    TLS_FEATURE *features = X509_get_ext_d2i(x, NID_tlsfeature, NULL, NULL);
    int i, found = 0;

    for (i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
    TLS_FEATURE_free(features);
    return found;
}

/* ---- a client's ---- */

void tk_ctx_want_staple(tk_ctx *c, int wanted, int required)
{
    c->staple_wanted = (uint8_t)(wanted || required);
    c->staple_required = (uint8_t)(required != 0);
    tk_staple_install(c);
}

static int look(SSL *ssl, const uint8_t *der, long size, int64_t *until)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    X509 *leaf = SSL_get0_peer_certificate(ssl), *issuer;

    if (der == NULL || size <= 0)
        return TK_STAPLE_MISSING;
    if (SSL_get_verify_result(ssl) != X509_V_OK || sk_X509_num(chain) < 1)
        return TK_STAPLE_UNTRUSTED;
    issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0);
    if (X509_check_issued(issuer, leaf) != X509_V_OK) /* trusted by itself */
        return TK_STAPLE_UNTRUSTED;
    return tk_response_judge(der, (size_t)size, leaf, issuer, until);
}

static int is_refused(const tk_ctx *x, X509 *leaf, int verdict)
{
    if (verdict == TK_STAPLE_GOOD || verdict == TK_STAPLE_REVOKED)
        return verdict == TK_STAPLE_REVOKED;
    return x == NULL || x->staple_required || tk_x509_must_staple(leaf);
}

static int on_client(SSL *ssl, tk_conn *c)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    const uint8_t *der = NULL;
    int64_t until = -1;
    long size;
    int verdict;

    if (leaf == NULL || SSL_session_reused(ssl))
        return 1;
    size = SSL_get_tlsext_status_ocsp_resp(ssl, &der);
    verdict = look(ssl, der, size, &until);
    if (c->info == NULL) /* no memory */
        return -1;
    tk_info_add_number(c->info, TK_INFO_STAPLE_VERDICT, verdict);
    if (until >= 0)
        tk_info_add_number(c->info, TK_INFO_STAPLE_UNTIL, until);
    if (der != NULL && size > 0 && size <= STAPLE_MOST)
        tk_records_add(&c->info->notes, TK_INFO_STAPLE, der, (size_t)size);
    return !is_refused(tk_ctx_of(SSL_get_SSL_CTX(ssl)), leaf, verdict);
}

int tk_staple_verdict(const tk_conn *c)
{
    int64_t verdict;

    return c->info != NULL && tk_info_number(c->info, TK_INFO_STAPLE_VERDICT, &verdict)
               ? (int)verdict
               : 0;
}

/* ---- a server's ---- */

int tk_ctx_set_staples(tk_ctx *c, const void *staples, size_t size)
{
    uint8_t *copy = size > 0 ? malloc(size) : NULL;

    if (size > 0 && copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, staples, size);
    free(c->staples);
    c->staples = copy;
    c->staples_size = size;
    tk_staple_install(c);
    return 1;
}

int tk_staple_of(X509 *leaf, X509 *issuer, const void *der, size_t size, int64_t *until)
{
    return tk_response_judge(der, size, leaf, issuer, until);
}

static int give(SSL *ssl, const uint8_t *der, size_t size)
{
    uint8_t *copy = OPENSSL_memdup(der, size);

    if (copy == NULL || !SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)size)) {
        OPENSSL_free(copy);
        return SSL_TLSEXT_ERR_NOACK;
    }
    return SSL_TLSEXT_ERR_OK;
}

static int on_server(SSL *ssl, const tk_ctx *x)
{
    X509 *leaf = SSL_get_certificate(ssl);
    uint8_t digest[DIGEST];
    int64_t until, now = (int64_t)time(NULL);
    uint32_t size;
    size_t at;

    if (x == NULL || leaf == NULL || !X509_digest(leaf, EVP_sha256(), digest, NULL))
        return SSL_TLSEXT_ERR_NOACK;
    for (at = 0; at < x->staples_size; at += HEAD + size) {
        memcpy(&until, x->staples + at + DIGEST, sizeof until);
        memcpy(&size, x->staples + at + DIGEST + 8, sizeof size);
        if (memcmp(x->staples + at, digest, DIGEST) == 0 && now < until)
            return give(ssl, x->staples + at + HEAD, size);
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* ---- both ---- */

static int on_status(SSL *ssl, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);

    (void)argument;
    if (SSL_is_server(ssl))
        return on_server(ssl, tk_ctx_of(SSL_get_SSL_CTX(ssl)));
    return c != NULL ? on_client(ssl, c) : -1;
}

void tk_staple_install(tk_ctx *c)
{
    int needed = c->staple_wanted || c->staples_size > 0;

    SSL_CTX_set_tlsext_status_cb(c->ctx, (needed ? on_status : NULL));
}

/* A connection's settings and what was negotiated, in one call from Python for each query. */
#include <openssl/x509v3.h>

#include "tk_answers.h"
#include "tk_cipher.h"
#include "tk_require.h"
#include "tk_distrust.h"
#include "tk_facts.h"
#include "tk_fault.h"
#include "tk_lock.h"
#include "tk_result.h"
#include "tk_groups.h"

/* ---- before the handshake ---- */

/* libssl searches in every handshake, and that takes as long as a verification without signatures.
   Where nothing is trusted, it would find nothing. */
void tk_conn_seek_chain(tk_conn *c, const tk_ctx *x)
{
    long never = SSL_CTX_get_mode(c->session_ctx) & SSL_MODE_NO_AUTO_CHAIN;

    if (x->trusts_none || never)
        SSL_set_mode(c->ssl, SSL_MODE_NO_AUTO_CHAIN);
    else
        SSL_clear_mode(c->ssl, SSL_MODE_NO_AUTO_CHAIN);
}

int tk_conn_set_context(tk_conn *c, tk_ctx *to, void *handle)
{
    int status;

    tk_conn_lock_outside(c);
    /* libssl uses what it would free */
    if (c->orphaned || (c->inside && c->door != TK_DOOR_SERVERNAME))
        status = TK_REENTERED;
    else
        status = SSL_set_SSL_CTX(c->ssl, to->ctx) != NULL ? TK_DONE : TK_SSL;
    if (status == TK_DONE) {
        tk_groups_begin(c, to);
        tk_conn_seek_chain(c, to);
        if (c->handle == NULL) /* it did not need one so far */
            c->handle = handle;
    }
    tk_conn_unlock(c);
    return status;
}

int tk_conn_reused(tk_conn *c)
{
    int reused;

    tk_conn_lock(c);
    reused = tk_result_reused(c);
    tk_conn_unlock(c);
    return reused;
}

int tk_conn_begun(tk_conn *c)
{
    int begun;

    tk_conn_lock(c);
    begun = !SSL_in_before(c->ssl);
    tk_conn_unlock(c);
    return begun;
}

/* Certificates in DER, end to end; what cannot be read ends the list. */
static STACK_OF(X509) *untrusted(const uint8_t *der, size_t size)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    const unsigned char *at = der;
    X509 *x;

    while (list != NULL && at < der + size &&
           (x = d2i_X509(NULL, &at, (long)(der + size - at))) != NULL)
        if (sk_X509_push(list, x) <= 0)
            X509_free(x);
    return list;
}

static int meets_demands(tk_conn *c, X509 *peer, STACK_OF(X509) *chain)
{
    const tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(c->ssl));
    char *matched = NULL;
    int ok = tk_require_pins(x, chain) && tk_require_names(x, c->ssl, peer, &matched) == X509_V_OK;

    OPENSSL_free(matched);
    return ok;
}

int tk_conn_reverify(tk_conn *c, X509 *peer, const void *others, size_t size, tk_records *chain)
{
    X509_STORE_CTX *v;
    X509_STORE *trust;
    STACK_OF(X509) *given, *found;
    int i, ok = 0;

    tk_conn_lock(c);
    ERR_set_mark();
    v = X509_STORE_CTX_new();
    trust = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(c->ssl));
    given = size > 0 && size <= LONG_MAX ? untrusted(others, size) : NULL;
    if (v != NULL && X509_STORE_CTX_init(v, trust, peer, given) &&
        X509_STORE_CTX_set_default(v, SSL_is_server(c->ssl) ? "ssl_client" : "ssl_server") &&
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(v), SSL_get0_param(c->ssl))) {
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(v),
                                         SSL_get_security_level(c->ssl));
        X509_STORE_CTX_set_verify_cb(v, tk_distrust);
        ok = X509_verify_cert(v) == 1 && meets_demands(c, peer, X509_STORE_CTX_get0_chain(v));
    }
    found = ok ? X509_STORE_CTX_get0_chain(v) : NULL;
    for (i = 0; i < sk_X509_num(found); i++)
        tk_x509_der(sk_X509_value(found, i), chain);
    X509_STORE_CTX_free(v);
    sk_X509_pop_free(given, X509_free);
    ERR_pop_to_mark();
    tk_conn_unlock(c);
    return ok;
}

/* ---- after it ---- */

void tk_conn_facts_of(tk_conn *c, tk_conn_facts *out)
{
    const tk_earlier *e;

    memset(out, 0, sizeof *out);
    tk_conn_lock(c);
    if ((e = tk_result_earlier(c)) != NULL)
        *out = e->facts;
    else
        tk_facts_negotiated(c, out);
    out->done = c->done;
    out->server = SSL_is_server(c->ssl);
    out->offered = c->offered;
    out->early = SSL_get_early_data_status(c->ssl);
    out->refused_ticket = c->refused_ticket;
    out->reused = tk_result_reused(c);
    out->alert_sent = c->alert_sent;
    out->alert_received = c->alert_received;
    out->shutdown = SSL_get_shutdown(c->ssl);
    out->bytes_read = c->received;
    out->bytes_written = c->sent;
    tk_conn_unlock(c);
}

X509 *tk_conn_peer(tk_conn *c)
{
    X509 *x;

    tk_conn_lock(c);
    if ((x = tk_result_peer(c)) != NULL)
        X509_up_ref(x);
    tk_conn_unlock(c);
    return x;
}

X509 *tk_conn_rejected(tk_conn *c)
{
    X509 *x;

    tk_conn_lock(c);
    if ((x = c->rejected) != NULL)
        X509_up_ref(x);
    tk_conn_unlock(c);
    return x;
}

void tk_conn_chain(tk_conn *c, int verified, tk_records *out)
{
    STACK_OF(X509) *chain;
    X509 *leaf;
    int i;

    tk_conn_lock(c);
    chain = tk_answer_chain(c, verified, &leaf);
    if (leaf != NULL)
        tk_x509_der(leaf, out);
    for (i = 0; i < sk_X509_num(chain); i++)
        tk_x509_der(sk_X509_value(chain, i), out);
    tk_conn_unlock(c);
}

void tk_conn_shared_ciphers(tk_conn *c, tk_records *out)
{
    STACK_OF(SSL_CIPHER) *ours, *theirs;
    int i;

    tk_conn_lock(c);
    ours = SSL_get_ciphers(c->ssl);
    theirs = SSL_get_client_ciphers(c->ssl);
    for (i = 0; ours != NULL && i < sk_SSL_CIPHER_num(theirs); i++)
        if (sk_SSL_CIPHER_find(ours, sk_SSL_CIPHER_value(theirs, i)) >= 0)
            tk_cipher_record(sk_SSL_CIPHER_value(theirs, i), out);
    if (theirs == NULL)
        tk_info_shared(c, out);
    tk_conn_unlock(c);
}

int tk_conn_finished(tk_conn *c, int peer, void *into, size_t room)
{
    const tk_earlier *e;
    size_t n;

    tk_conn_lock(c);
    if ((e = tk_result_earlier(c)) != NULL)
        memcpy(into, e->finished[peer != 0], n = e->finished_size[peer != 0]);
    else
        n = peer ? SSL_get_peer_finished(c->ssl, into, room)
                 : SSL_get_finished(c->ssl, into, room);
    tk_conn_unlock(c);
    return (int)(n < room ? n : room);
}

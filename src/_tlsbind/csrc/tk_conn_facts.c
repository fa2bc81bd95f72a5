/* What a connection was told to do, and what was negotiated: each question and its answer in one
   crossing. */
#include <openssl/x509v3.h>

#include "tk_cipher.h"
#include "tk_demand.h"
#include "tk_distrust.h"
#include "tk_fault.h"
#include "tk_lock.h"
#include "tk_settled.h"

/* ---- before the handshake ---- */

int tk_conn_set_context(tk_conn *c, tk_ctx *to)
{
    int status;

    tk_conn_lock_outside(c);
    /* libssl uses what it would free */
    if (c->orphaned || (c->inside && c->door != TK_DOOR_SERVERNAME))
        status = TK_REENTERED;
    else
        status = SSL_set_SSL_CTX(c->ssl, to->ctx) != NULL ? TK_DONE : TK_SSL;
    tk_conn_unlock(c);
    return status;
}

int tk_conn_reused(tk_conn *c)
{
    int reused;

    tk_conn_lock(c);
    reused = tk_settled_reused(c);
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

int tk_conn_vouch(tk_conn *c, X509 *peer, const void *others, size_t size, tk_records *chain)
{
    X509_STORE_CTX *v = X509_STORE_CTX_new();
    X509_STORE *trust;
    STACK_OF(X509) *given, *found;
    int i, ok = 0;

    tk_conn_lock(c);
    ERR_set_mark();
    trust = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(c->ssl));
    given = size > 0 && size <= LONG_MAX ? untrusted(others, size) : NULL;
    if (v != NULL && X509_STORE_CTX_init(v, trust, peer, given) &&
        X509_STORE_CTX_set_default(v, SSL_is_server(c->ssl) ? "ssl_client" : "ssl_server") &&
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(v), SSL_get0_param(c->ssl))) {
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(v),
                                         SSL_get_security_level(c->ssl));
        X509_STORE_CTX_set_verify_cb(v, tk_distrust);
        ok = X509_verify_cert(v) == 1 && tk_demand_met(tk_ctx_of(SSL_get_SSL_CTX(c->ssl)),
                                                       X509_STORE_CTX_get0_chain(v));
    }
    found = ok ? X509_STORE_CTX_get0_chain(v) : NULL;
    for (i = 0; i < sk_X509_num(found); i++)
        tk_x509_der(sk_X509_value(found, i), chain);
    ERR_pop_to_mark();
    tk_conn_unlock(c);
    X509_STORE_CTX_free(v);
    sk_X509_pop_free(given, X509_free);
    return ok;
}

/* ---- after it ---- */

static void cipher_facts(const SSL_CIPHER *cipher, tk_conn_facts *out)
{
    if (cipher == NULL)
        return;
    out->cipher_id = (int32_t)SSL_CIPHER_get_protocol_id(cipher);
    out->cipher_bits = SSL_CIPHER_get_bits(cipher, NULL);
    out->cipher_name = SSL_CIPHER_get_name(cipher);
    out->cipher_standard_name = SSL_CIPHER_standard_name(cipher);
    out->cipher_protocol = SSL_CIPHER_get_version(cipher);
}

static void group_facts(SSL *ssl, tk_conn_facts *out)
{
    /* OpenSSL 3.0 looks for the group there, whether there is one or not */
    if (SSL_get_session(ssl) == NULL)
        return;
    out->group_id = (int32_t)SSL_get_negotiated_group(ssl);
    if (out->group_id != 0)
        out->group_name = SSL_group_to_name(ssl, out->group_id);
}

void tk_conn_facts_of(tk_conn *c, tk_conn_facts *out)
{
    const unsigned char *alpn;
    const COMP_METHOD *compression;
    const char *name;

    SSL_SESSION *s;

    memset(out, 0, sizeof *out);
    tk_conn_lock(c);
    s = tk_settled_session(c);
    out->done = c->done;
    out->server = SSL_is_server(c->ssl);
    out->offered = c->offered;
    out->early = SSL_get_early_data_status(c->ssl);
    out->refused_ticket = c->refused_ticket;
    if (s != NULL)
        out->session_time = (int64_t)SSL_SESSION_get_time_ex(s);
    out->reused = tk_settled_reused(c);
    out->reused_last = SSL_session_reused(c->ssl);
    out->version = SSL_version(c->ssl);
    out->version_name = SSL_get_version(c->ssl);
    out->extended_master_secret = (int32_t)SSL_get_extms_support(c->ssl);
    out->alert_sent = c->alert_sent;
    out->alert_received = c->alert_received;
    out->verify_code = (int32_t)SSL_get_verify_result(c->ssl);
    out->shutdown = SSL_get_shutdown(c->ssl);
    out->bytes_read = c->received;
    out->bytes_written = c->sent;
    cipher_facts(c->settled != NULL ? SSL_SESSION_get0_cipher(s) : SSL_get_current_cipher(c->ssl),
                 out);
    group_facts(c->ssl, out);
    if ((compression = SSL_get_current_compression(c->ssl)) != NULL)
        out->compression = SSL_COMP_get_name(compression);
    SSL_get0_alpn_selected(c->ssl, &alpn, &out->alpn_size);
    if (alpn != NULL && out->alpn_size <= sizeof out->alpn)
        memcpy(out->alpn, alpn, out->alpn_size);
    if ((name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name)) != NULL)
        strncpy(out->server_name, name, sizeof out->server_name - 1);
    tk_conn_unlock(c);
}

X509 *tk_conn_peer(tk_conn *c)
{
    X509 *x;

    tk_conn_lock(c);
    x = SSL_get1_peer_certificate(c->ssl);
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
    chain = verified ? SSL_get0_verified_chain(c->ssl) : SSL_get_peer_cert_chain(c->ssl);
    if (!verified && SSL_is_server(c->ssl) && (leaf = SSL_get0_peer_certificate(c->ssl)) != NULL)
        tk_x509_der(leaf, out); /* on a server, libssl keeps it apart */
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
    size_t n;

    tk_conn_lock(c);
    n = peer ? SSL_get_peer_finished(c->ssl, into, room) : SSL_get_finished(c->ssl, into, room);
    tk_conn_unlock(c);
    return (int)(n < room ? n : room);
}

/* Contexts: what connections are made from. A setting that fails leaves the one before it in
   force. */
#include "tk_ctx.h"
#include "tk_cipher.h"
#include "tk_fault.h"
#include "tk_hooks.h"
#include "tk_lock.h"

static const SSL_METHOD *method_of(int role)
{
    switch (role) {
    case TK_ROLE_CLIENT:
        return TLS_client_method();
    case TK_ROLE_SERVER:
        return TLS_server_method();
    default:
        return TLS_method();
    }
}

tk_ctx *tk_ctx_new(int role, tk_fault *fault)
{
    tk_ctx *c = calloc(1, sizeof *c);

    tk_fault_begin();
    if (c == NULL || (c->ctx = SSL_CTX_new(method_of(role))) == NULL ||
        !SSL_CTX_set_ex_data(c->ctx, tk_ctx_index, c)) {
        tk_fail(fault);
        if (c != NULL)
            SSL_CTX_free(c->ctx);
        free(c);
        return NULL;
    }
    tk_mutex_init(&c->keylog_mutex);
    tk_mutex_init(&c->removed_mutex);
    tk_mutex_init(&c->alpn_mutex);
    c->removed_end = &c->removed;
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
    tk_hooks_install(c);
    return c;
}

/* The hooks go first: the connections that still hold the SSL_CTX must not find us through it. */
void tk_ctx_free(tk_ctx *c)
{
    SSL_SESSION *session;

    if (c == NULL)
        return;
    tk_hooks_remove(c);
    SSL_CTX_free(c->ctx);
    while ((session = tk_ctx_next_removed(c)) != NULL)
        SSL_SESSION_free(session);
    tk_mutex_destroy(&c->removed_mutex);
    tk_mutex_destroy(&c->alpn_mutex);
    BIO_free(c->keylog);
    X509_STORE_free(c->trust);
    tk_ring_free(c->ring);
    tk_mutex_destroy(&c->keylog_mutex);
    free(c->alpn);
    free(c);
}

/* ---- plain settings ---- */

uint64_t tk_ctx_options(tk_ctx *c) { return SSL_CTX_get_options(c->ctx); }

void tk_ctx_set_options(tk_ctx *c, uint64_t options)
{
    uint64_t now = SSL_CTX_get_options(c->ctx);

    SSL_CTX_clear_options(c->ctx, now & ~options);
    SSL_CTX_set_options(c->ctx, options & ~now);
}

int tk_ctx_verify_mode(tk_ctx *c) { return SSL_CTX_get_verify_mode(c->ctx); }
void tk_ctx_set_verify_mode(tk_ctx *c, int mode) { SSL_CTX_set_verify(c->ctx, mode, NULL); }
int tk_ctx_verify_depth(tk_ctx *c) { return SSL_CTX_get_verify_depth(c->ctx); }
void tk_ctx_set_verify_depth(tk_ctx *c, int depth) { SSL_CTX_set_verify_depth(c->ctx, depth); }
unsigned long tk_ctx_verify_flags(tk_ctx *c)
{
    return X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(c->ctx));
}

int tk_ctx_set_verify_flags(tk_ctx *c, unsigned long flags, tk_fault *fault)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(c->ctx);
    unsigned long now = X509_VERIFY_PARAM_get_flags(param);

    tk_fault_begin();
    if ((now & ~flags) != 0 && !X509_VERIFY_PARAM_clear_flags(param, now & ~flags))
        return tk_fail(fault);
    if ((flags & ~now) != 0 && !X509_VERIFY_PARAM_set_flags(param, flags & ~now))
        return tk_fail(fault);
    return TK_DONE;
}

void tk_ctx_set_host_flags(tk_ctx *c, unsigned int flags)
{
    X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(c->ctx), flags);
}
int tk_ctx_min_version(tk_ctx *c) { return (int)SSL_CTX_get_min_proto_version(c->ctx); }
int tk_ctx_max_version(tk_ctx *c) { return (int)SSL_CTX_get_max_proto_version(c->ctx); }

int tk_ctx_set_versions(tk_ctx *c, int minimum, int maximum, tk_fault *fault)
{
    int before = tk_ctx_min_version(c);

    tk_fault_begin();
    if (!SSL_CTX_set_min_proto_version(c->ctx, minimum))
        return tk_fail(fault);
    if (!SSL_CTX_set_max_proto_version(c->ctx, maximum)) {
        tk_fail(fault);
        SSL_CTX_set_min_proto_version(c->ctx, before);
        return TK_SSL;
    }
    return TK_DONE;
}

int tk_ctx_security_level(tk_ctx *c) { return SSL_CTX_get_security_level(c->ctx); }
void tk_ctx_set_security_level(tk_ctx *c, int level) { SSL_CTX_set_security_level(c->ctx, level); }

/* libssl replaces the list first and complains of an empty one afterwards: try the words on an SSL
   of their own. */
int tk_ctx_set_ciphers(tk_ctx *c, const char *list, tk_fault *fault)
{
    SSL *trial;
    int ok;

    tk_fault_begin();
    trial = SSL_new(c->ctx);
    ok = trial != NULL && SSL_set_cipher_list(trial, list) && SSL_CTX_set_cipher_list(c->ctx, list);
    SSL_free(trial);
    return ok ? TK_DONE : tk_fail(fault);
}

int tk_ctx_set_ciphersuites(tk_ctx *c, const char *list, tk_fault *fault)
{
    tk_fault_begin();
    return SSL_CTX_set_ciphersuites(c->ctx, list) ? TK_DONE : tk_fail(fault);
}

int tk_ctx_set_groups(tk_ctx *c, const char *list, tk_fault *fault)
{
    tk_fault_begin();
    return SSL_CTX_set1_groups_list(c->ctx, list) ? TK_DONE : tk_fail(fault);
}

void tk_ctx_ciphers(tk_ctx *c, tk_records *out)
{
    SSL *ssl = SSL_new(c->ctx); /* only an SSL has both lists as one */
    STACK_OF(SSL_CIPHER) *list = ssl != NULL ? SSL_get_ciphers(ssl) : NULL;
    int i;

    for (i = 0; i < sk_SSL_CIPHER_num(list); i++)
        tk_cipher_facts(out, sk_SSL_CIPHER_value(list, i));
    if (ssl == NULL)
        out->failed = 1;
    SSL_free(ssl);
}

/* The SSL_CTX itself trusts nobody: libssl would look its store up in the middle of a handshake,
   without a reference, while another thread replaces it. */
void tk_ctx_set_trust(tk_ctx *c, X509_STORE *s)
{
    X509_STORE *before;

    X509_STORE_up_ref(s);
    tk_lock(&c->alpn_mutex);
    before = c->trust;
    c->trust = s;
    tk_unlock(&c->alpn_mutex);
    X509_STORE_free(before);
}

int tk_ctx_lend_trust(tk_ctx *c, SSL *ssl)
{
    int ok;

    tk_lock(&c->alpn_mutex);
    ok = c->trust == NULL ||
         (SSL_set1_verify_cert_store(ssl, c->trust) && SSL_set1_chain_cert_store(ssl, c->trust));
    tk_unlock(&c->alpn_mutex);
    return ok;
}

int tk_ctx_set_keylog(tk_ctx *c, const char *path, tk_fault *fault)
{
    BIO *now = NULL, *before;

    tk_fault_begin();
    if (path != NULL && (now = BIO_new_file(path, "a")) == NULL)
        return tk_fail(fault);
    tk_lock(&c->keylog_mutex);
    before = c->keylog;
    c->keylog = now;
    tk_unlock(&c->keylog_mutex);
    BIO_free(before);
    tk_hooks_install(c);
    return TK_DONE;
}

int tk_ctx_set_hooks(tk_ctx *c, int hooks)
{
    c->hooks = hooks;
    tk_hooks_install(c);
    return TK_DONE;
}

size_t tk_ctx_num_tickets(tk_ctx *c) { return SSL_CTX_get_num_tickets(c->ctx); }
int tk_ctx_set_num_tickets(tk_ctx *c, size_t count)
{
    return SSL_CTX_set_num_tickets(c->ctx, count);
}
int tk_ctx_post_handshake_auth(tk_ctx *c) { return c->post_handshake_auth; }
/* tk_conn_new acts on it */
void tk_ctx_set_post_handshake_auth(tk_ctx *c, int on) { c->post_handshake_auth = on; }

void tk_ctx_policy(tk_ctx *c, tk_policy *out)
{
    out->verify_mode = SSL_CTX_get_verify_mode(c->ctx);
    out->verify_depth = SSL_CTX_get_verify_depth(c->ctx);
    out->min_version = tk_ctx_min_version(c);
    out->max_version = tk_ctx_max_version(c);
    out->security_level = SSL_CTX_get_security_level(c->ctx);
    out->verify_flags = tk_ctx_verify_flags(c);
    out->options = SSL_CTX_get_options(c->ctx);
    out->host_flags = X509_VERIFY_PARAM_get_hostflags(SSL_CTX_get0_param(c->ctx));
}

void tk_conn_policy(tk_conn *c, tk_policy *out)
{
    tk_conn_lock(c);
    out->verify_mode = SSL_get_verify_mode(c->ssl) & ~SSL_VERIFY_POST_HANDSHAKE;
    out->verify_depth = SSL_get_verify_depth(c->ssl);
    out->min_version = (int32_t)SSL_get_min_proto_version(c->ssl);
    out->max_version = (int32_t)SSL_get_max_proto_version(c->ssl);
    out->security_level = SSL_get_security_level(c->ssl);
    out->verify_flags = X509_VERIFY_PARAM_get_flags(SSL_get0_param(c->ssl));
    out->options = SSL_get_options(c->ssl);
    out->host_flags = X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(c->ssl));
    tk_conn_unlock(c);
}

/* ---- the session cache ---- */

int64_t tk_ctx_cache_mode(tk_ctx *c) { return SSL_CTX_get_session_cache_mode(c->ctx); }
void tk_ctx_set_cache_mode(tk_ctx *c, int64_t mode)
{
    SSL_CTX_set_session_cache_mode(c->ctx, (long)mode);
}
int64_t tk_ctx_cache_size(tk_ctx *c) { return SSL_CTX_sess_get_cache_size(c->ctx); }
void tk_ctx_set_cache_size(tk_ctx *c, int64_t size)
{
    SSL_CTX_sess_set_cache_size(c->ctx, (long)size);
}
int64_t tk_ctx_session_timeout(tk_ctx *c) { return SSL_CTX_get_timeout(c->ctx); }
void tk_ctx_set_session_timeout(tk_ctx *c, int64_t seconds)
{
    SSL_CTX_set_timeout(c->ctx, (long)seconds);
}

int tk_ctx_set_id_context(tk_ctx *c, const void *id, size_t size)
{
    return SSL_CTX_set_session_id_context(c->ctx, id, (unsigned int)size) ? TK_DONE : TK_SSL;
}

void tk_ctx_session_stats(tk_ctx *c, tk_session_stats *out)
{
    out->number = SSL_CTX_sess_number(c->ctx);
    out->connect = SSL_CTX_sess_connect(c->ctx);
    out->connect_good = SSL_CTX_sess_connect_good(c->ctx);
    out->connect_renegotiate = SSL_CTX_sess_connect_renegotiate(c->ctx);
    out->accept = SSL_CTX_sess_accept(c->ctx);
    out->accept_good = SSL_CTX_sess_accept_good(c->ctx);
    out->accept_renegotiate = SSL_CTX_sess_accept_renegotiate(c->ctx);
    out->hits = SSL_CTX_sess_hits(c->ctx);
    out->misses = SSL_CTX_sess_misses(c->ctx);
    out->timeouts = SSL_CTX_sess_timeouts(c->ctx);
    out->cache_full = SSL_CTX_sess_cache_full(c->ctx);
    out->cb_hits = SSL_CTX_sess_cb_hits(c->ctx);
}

/* An SSL_SESSION is linked into the cache that it is in, so it can be in one only: a copy goes
   in. */
int tk_ctx_add_session(tk_ctx *c, SSL_SESSION *s)
{
    SSL_SESSION *copy = SSL_SESSION_dup(s);
    long number = SSL_CTX_sess_number(c->ctx), full = SSL_CTX_sess_cache_full(c->ctx);
    int added = copy != NULL && SSL_CTX_add_session(c->ctx, copy);

    /* where there was one of the same id, it has taken its place, and nothing has been added */
    SSL_SESSION_free(copy);
    return added &&
           (SSL_CTX_sess_number(c->ctx) != number || SSL_CTX_sess_cache_full(c->ctx) != full);
}

void tk_ctx_flush_sessions(tk_ctx *c, int64_t at) { SSL_CTX_flush_sessions_ex(c->ctx, (time_t)at); }

/* Contexts, which connections are made from. A failed setting leaves the previous one in force. */
#include "tk_cache.h"
#include "tk_cipher.h"
#include "tk_counters.h"
#include "tk_fault.h"
#include "tk_hooks.h"
#include "tk_keylog.h"
#include "tk_removed.h"
#include "tk_ring.h"

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

static tk_ctx *state_new(int role, tk_cache *cache, tk_fault *fault)
{
    tk_ctx *c = calloc(1, sizeof *c);

    tk_fault_begin();
    if (c == NULL || cache == NULL || (c->ctx = SSL_CTX_new(method_of(role))) == NULL ||
        !SSL_CTX_set_ex_data(c->ctx, tk_ctx_index, c)) {
        tk_fail(fault);
        if (c != NULL)
            SSL_CTX_free(c->ctx);
        tk_cache_free(cache);
        free(c);
        return NULL;
    }
    c->role = role;
    c->cache = cache;
    c->trusts_none = 1;
    tk_counters_join(cache, c);
    tk_ctx_set_cache_mode(c, SSL_SESS_CACHE_SERVER);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
    tk_hooks_install(c);
    return c;
}

tk_ctx *tk_ctx_new(int role, tk_fault *fault) { return state_new(role, tk_cache_new(), fault); }

/* What spans states goes along: the sessions with their counters, and libssl's own ticket keys. */
tk_ctx *tk_ctx_next(tk_ctx *before, tk_fault *fault)
{
    tk_ctx *c = state_new(before->role, tk_cache_up_ref(before->cache), fault);
    uint8_t keys[TK_KEY_SIZE];

    if (c == NULL)
        return NULL;
    if (SSL_CTX_get_tlsext_ticket_keys(before->ctx, keys, sizeof keys) != 1 ||
        SSL_CTX_set_tlsext_ticket_keys(c->ctx, keys, sizeof keys) != 1) {
        tk_fail(fault);
        tk_ctx_free(c);
        c = NULL;
    }
    OPENSSL_cleanse(keys, sizeof keys);
    return c;
}

/* The hooks go first: the connections that still hold the SSL_CTX must not find us through it. */
void tk_ctx_free(tk_ctx *c)
{
    if (c == NULL)
        return;
    tk_hooks_remove(c);
    tk_counters_leave(c->cache, c);
    SSL_CTX_free(c->ctx);
    tk_cache_free(c->cache);
    tk_keylog_free(c->keylog);
    tk_ring_free(c->ring);
    free(c->alpn);
    free(c->pins);
    free(c->names_wanted);
    free(c->wanted);
    free(c->staples);
    tk_chains_free(c->chains);
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

void tk_ctx_set_trust(tk_ctx *c, X509_STORE *s, int empty)
{
    SSL_CTX_set1_cert_store(c->ctx, s);
    c->trusts_none = (uint8_t)(empty != 0);
}

void tk_ctx_set_keylog(tk_ctx *c, tk_keylog *k)
{
    tk_keylog *before = c->keylog;

    c->keylog = tk_keylog_up_ref(k);
    tk_keylog_free(before);
    tk_hooks_install(c);
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

/* ---- sessions; their cache: tk_cache.c ---- */

int64_t tk_ctx_session_timeout(tk_ctx *c) { return SSL_CTX_get_timeout(c->ctx); }
void tk_ctx_set_session_timeout(tk_ctx *c, int64_t seconds)
{
    SSL_CTX_set_timeout(c->ctx, (long)seconds);
}

int tk_ctx_set_id_context(tk_ctx *c, const void *id, size_t size, int stands_for_policy)
{
    c->has_id_base = stands_for_policy;
    return SSL_CTX_set_session_id_context(c->ctx, id, (unsigned int)size) ? TK_DONE : TK_SSL;
}

int64_t tk_ctx_cache_mode(tk_ctx *x) { return x->cache_mode; }

/* A state has no cache of its own (tk_cache.c), and says so to libssl. */
void tk_ctx_set_cache_mode(tk_ctx *x, int64_t mode)
{
    x->cache_mode = mode;
    SSL_CTX_set_session_cache_mode(x->ctx, (long)((mode & SSL_SESS_CACHE_BOTH) |
                                                  SSL_SESS_CACHE_NO_INTERNAL));
}

SSL_SESSION *tk_ctx_next_removed(tk_ctx *x)
{
    SSL_SESSION *s;

    tk_cache_lock();
    s = tk_removed_pop(x->cache);
    tk_cache_unlock();
    return s;
}

void tk_ctx_tell_removed(tk_ctx *x, int on)
{
    tk_cache_lock();
    tk_atomic_store32(&x->cache->tells, on);
    tk_cache_unlock();
}

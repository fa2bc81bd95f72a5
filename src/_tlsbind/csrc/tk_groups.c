/* Groups that a context requires of the key exchange.

   libssl agrees on a group that both sides offer, and a resumption may use none. The result is
   checked here, when the handshake is complete and before any data is transferred: a first read or
   write does the handshake first. A connection that is refused stays refused, in every operation
   but a shutdown.

   With TLS 1.3, a resumption without its own key exchange (psk_ke) meets no requirement: a client
   does not offer it, and a server does not choose it. Up to TLS 1.2 no resumption has one; there,
   the group of the session's handshake counts. */
#include "tk_groups.h"
#include "tk_ech.h"

int tk_ctx_require_groups(tk_ctx *c, int demanded, const void *names, size_t size)
{
    char *copy = demanded ? malloc(size + 1) : NULL;

    if (demanded && copy == NULL)
        return 0;
    if (demanded) {
        memcpy(copy, names, size);
        copy[size] = '\0';
    }
    free(c->wanted);
    c->wanted = copy;
    return 1;
}

void tk_groups_begin(tk_conn *c, const tk_ctx *x)
{
    if (x->staple_wanted && !SSL_is_server(c->ssl))
        SSL_set_tlsext_status_type(c->ssl, TLSEXT_STATUSTYPE_ocsp);
    if (x->wanted == NULL)
        return;
    c->demanding = 1;
    SSL_clear_options(c->ssl, SSL_OP_ALLOW_NO_DHE_KEX);
}

/* Names stand in it one behind the other, each with a colon behind it. */
static int holds(const char *names, const char *name)
{
    size_t size = strlen(name);
    const char *end;

    for (; (end = strchr(names, ':')) != NULL; names = end + 1)
        if ((size_t)(end - names) == size && OPENSSL_strncasecmp(names, name, size) == 0)
            return 1;
    return 0;
}

/* A server keeps the client's share of the key exchange, and has none without one. */
static int has_exchanged(SSL *ssl)
{
    EVP_PKEY *share = NULL;
    int there = SSL_get_peer_tmp_key(ssl, &share) == 1;

    EVP_PKEY_free(share);
    return there;
}

static int is_met(const tk_conn *c, const tk_ctx *x)
{
    const char *name;
    int group;

    if (x == NULL) /* its requirements are unknown */
        return 0;
    if (x->wanted == NULL)
        return 1;
    if (SSL_version(c->ssl) >= TLS1_3_VERSION && SSL_is_server(c->ssl) && !has_exchanged(c->ssl))
        return 0;
    group = SSL_get_session(c->ssl) != NULL ? (int)SSL_get_negotiated_group(c->ssl) : 0;
    name = group != 0 ? SSL_group_to_name(c->ssl, group) : NULL;
    return name != NULL && holds(x->wanted, name);
}

/* A callback for the server name may have changed the context: the demands of both count. libssl
   itself fails a handshake whose encrypted ClientHello was rejected; this makes sure of it. */
static int are_met(tk_conn *c)
{
    int met;

    ERR_set_mark();
    met = !tk_ech_rejected(c) && is_met(c, tk_ctx_of(c->session_ctx)) &&
          is_met(c, tk_ctx_of(SSL_get_SSL_CTX(c->ssl)));
    ERR_pop_to_mark();
    return met;
}

void tk_groups_judge(tk_conn *c)
{
    if (!c->demanding || are_met(c))
        return;
    c->unwanted = 1;
    tk_events_clear(c); /* it must not be resumed */
}

/* A server's external cache: sessions that are kept elsewhere, in a store that other processes
   share.

   How a session is found. The store is in Python, may be slow, and must not be called under any
   lock. So the handshake pauses at the ClientHello (SSL_CLIENT_HELLO_RETRY), which contains the
   name of the session that the client offers: the session id up to TLS 1.2, and the identity of a
   stateful ticket in TLS 1.3, which is also a session id (RFC 8446, 4.2.11; stateless tickets are
   longer). Python looks it up, passes the result to the connection (tk_conn_resume_from), and
   continues the handshake; libssl's own lookup follows, and finds it there. */
#include <openssl/tls1.h>

#include "tk_cache.h"
#include "tk_lookup.h"
#include "tk_lock.h"
#include "tk_origin.h"

enum { IDENTITY_MOST = sizeof ((tk_conn *)0)->wanted };

/* ---- at the ClientHello ---- */

static size_t note_wanted(tk_conn *c, const unsigned char *id, size_t size)
{
    if (size == 0 || size > IDENTITY_MOST)
        return 0;
    memcpy(c->wanted, id, size);
    return c->wanted_size = (uint8_t)size;
}

/* The first identity in pre_shared_key: OfferedPsks begins with the size of all, then the size of
   the first. */
static size_t wanted_by_psk(tk_conn *c, SSL *ssl)
{
    const unsigned char *p;
    size_t size, first;

    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &p, &size) || size < 4)
        return 0;
    first = (size_t)p[2] << 8 | p[3];
    c->offered = TK_OFFERED_PSK;
    return first <= size - 4 ? note_wanted(c, p + 4, first) : 0;
}

/* Whether this handshake will be of TLS 1.3: the client offers it, and this side has it. (In
   supported_versions, a byte with the length of the list comes first.) */
static int will_be_tls13(SSL *ssl)
{
    long most = SSL_get_max_proto_version(ssl); /* 0: whatever the library has */
    const unsigned char *p;
    size_t size, i;

    if ((most != 0 && most < TLS1_3_VERSION) || (SSL_get_options(ssl) & SSL_OP_NO_TLSv1_3) ||
        !SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &size))
        return 0;
    for (i = 1; i + 1 < size; i += 2)
        if ((p[i] << 8 | p[i + 1]) == TLS1_3_VERSION)
            return 1;
    return 0;
}

static size_t wanted_by_id(tk_conn *c, SSL *ssl)
{
    const unsigned char *p;
    size_t size;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_session_ticket, &p, &size) && size > 0)
        c->offered = TK_OFFERED_TICKET;
    if (will_be_tls13(ssl))
        /* without pre_shared_key: the session id is a decoy (RFC 8446, D.4) */
        return 0;
    if ((size = SSL_client_hello_get0_session_id(ssl, &p)) > 0 && c->offered == TK_OFFERED_NOTHING)
        c->offered = TK_OFFERED_ID;
    return note_wanted(c, p, size);
}

/* 1: the handshake has to wait for Python. */
int tk_lookup_pause(tk_conn *c, SSL *ssl)
{
    if (c->looked)
        return 0; /* the second ClientHello, or the first one again */
    c->looked = 1;
    c->offered = TK_OFFERED_NOTHING;
    if ((wanted_by_psk(c, ssl) == 0 && wanted_by_id(c, ssl) == 0) || !c->external)
        return 0;
    c->unanswered = TK_PAUSE_LOOKUP;
    return 1;
}

int tk_conn_offered_id(tk_conn *c, void *into)
{
    int size;

    tk_conn_lock(c);
    size = c->unanswered == TK_PAUSE_LOOKUP ? c->wanted_size : 0;
    memcpy(into, c->wanted, (size_t)size);
    tk_conn_unlock(c);
    return size;
}

void tk_conn_resume_from(tk_conn *c, SSL_SESSION *s, int taken)
{
    SSL_SESSION *copy;

    tk_conn_lock(c);
    copy = SSL_SESSION_dup(s); /* libssl may withdraw what it is given */
    if (c->unanswered == TK_PAUSE_LOOKUP) {
        SSL_SESSION *before = c->found;
        c->found = copy;
        c->found_once = (uint8_t)(taken != 0);
        copy = before;
    }
    SSL_SESSION_free(copy);
    tk_conn_unlock(c);
}

SSL_SESSION *tk_lookup_answer(SSL *ssl, const unsigned char *id, int size, int *copy)
{
    tk_conn *c = tk_conn_of(ssl);
    const unsigned char *own;
    unsigned int own_size;
    SSL_SESSION *cached;

    *copy = 0;
    if (c == NULL)
        return NULL;
    if ((cached = tk_cache_answer(c, ssl, id, (size_t)size)) != NULL)
        return cached;
    *copy = 1; /* it stays ours: a second ClientHello asks again */
    if (c->found == NULL)
        return NULL;
    own = SSL_SESSION_get_id(c->found, &own_size);
    return own_size == (unsigned int)size && memcmp(own, id, own_size) == 0 &&
                   tk_origin_fits(c, c->found)
               ? c->found
               : NULL;
}

void tk_lookup_end(tk_conn *c)
{
    SSL_SESSION_free(c->found);
    c->found = NULL;
}

/* A server whose sessions are kept elsewhere: it names them, rather than sealing them into
   tickets. */
void tk_conn_use_external(tk_conn *c)
{
    tk_conn_lock(c);
    c->external = 1;
    /* libssl would look for each ticket in its own cache */
    SSL_set_options(c->ssl, SSL_OP_NO_TICKET | SSL_OP_NO_ANTI_REPLAY);
    tk_conn_unlock(c);
}

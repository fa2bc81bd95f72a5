/* What a client's connection offers to resume, and the early data with it. */
#include "tk_fault.h"
#include "tk_lock.h"

/* A copy is set: when this handshake fails, which anybody on the way can bring about, libssl
   withdraws what it was given. The copy's id context becomes the connection's: on a client it means
   nothing, but libssl compares them. */
int tk_conn_set_session(tk_conn *c, SSL_SESSION *s, int early, tk_fault *fault)
{
    SSL_SESSION *copy = NULL;
    const unsigned char *id;
    unsigned int size;
    int ok;

    tk_conn_lock(c);
    tk_fault_begin();
    /* another thread has begun the handshake: libssl would mix two sessions up */
    if (!SSL_in_before(c->ssl)) {
        tk_conn_unlock(c);
        return TK_DONE;
    }
    ok = s == NULL || (copy = SSL_SESSION_dup(s)) != NULL;
    if (ok && copy != NULL) {
        id = SSL_SESSION_get0_id_context(copy, &size);
        ok = SSL_set_session_id_context(c->ssl, id, size);
    }
    if (ok && (ok = SSL_set_session(c->ssl, copy)))
        c->unanswered = copy != NULL ? TK_PAUSE_BEFORE : TK_PAUSE_NONE;
    c->early_withheld = !early;
    if (!ok)
        tk_fail(fault);
    SSL_SESSION_free(copy);
    tk_conn_unlock(c);
    return ok ? TK_DONE : TK_SSL;
}

/* RFC 8446, 4.2.11: a TLS 1.3 ticket goes with every suite that has the hash of its own. */
static int goes_with(const SSL_CIPHER *offered, const SSL_CIPHER *of_session, int modern)
{
    if (!modern)
        return offered == of_session;
    return strcmp(SSL_CIPHER_get_version(offered), "TLSv1.3") == 0 &&
           SSL_CIPHER_get_handshake_digest(offered) == SSL_CIPHER_get_handshake_digest(of_session);
}

int tk_conn_has_cipher_of(tk_conn *c, SSL_SESSION *s)
{
    const SSL_CIPHER *of_session = SSL_SESSION_get0_cipher(s);
    int i, found = 0, modern = SSL_SESSION_get_protocol_version(s) >= TLS1_3_VERSION;
    STACK_OF(SSL_CIPHER) *offered;

    tk_conn_lock(c);
    offered = SSL_get_ciphers(c->ssl);
    for (i = 0; of_session != NULL && !found && i < sk_SSL_CIPHER_num(offered); i++)
        found = goes_with(sk_SSL_CIPHER_value(offered, i), of_session, modern);
    tk_conn_unlock(c);
    return found;
}

int tk_conn_suites(tk_conn *c, uint16_t *into, int room)
{
    STACK_OF(SSL_CIPHER) *offered;
    int i;

    tk_conn_lock(c);
    offered = SSL_get_ciphers(c->ssl);
    for (i = 0; i < sk_SSL_CIPHER_num(offered) && i < room; i++)
        into[i] = SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(offered, i));
    tk_conn_unlock(c);
    return i;
}

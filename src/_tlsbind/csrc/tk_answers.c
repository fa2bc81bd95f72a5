/* What programs ask of each connection: asyncio takes the suite and the compression of all of them.
   One call of tk_conn_facts_of answers everything, and takes ten times as long. */
#include "tk_answers.h"
#include "tk_facts.h"
#include "tk_info.h"
#include "tk_lock.h"
#include "tk_result.h"

static void describe(const SSL_CIPHER *cipher, tk_suite *out)
{
    out->name = SSL_CIPHER_get_name(cipher);
    out->protocol = SSL_CIPHER_get_version(cipher);
    out->bits = SSL_CIPHER_get_bits(cipher, NULL);
}

int tk_conn_suite(tk_conn *c, tk_suite *out)
{
    const SSL_CIPHER *cipher = NULL;
    const tk_earlier *e;

    out->name = NULL;
    tk_conn_lock(c);
    if ((e = tk_result_earlier(c)) != NULL)
        *out = (tk_suite){ e->facts.cipher_name, e->facts.cipher_protocol, e->facts.cipher_bits };
    else if ((cipher = SSL_get_current_cipher(c->ssl)) != NULL)
        describe(cipher, out);
    tk_conn_unlock(c);
    return out->name != NULL;
}

int tk_conn_shared_suites(tk_conn *c, tk_suite *out, int room)
{
    STACK_OF(SSL_CIPHER) *ours, *theirs;
    int i, n = -1;

    tk_conn_lock(c);
    ours = SSL_get_ciphers(c->ssl);
    theirs = SSL_get_client_ciphers(c->ssl);
    if (ours != NULL && theirs != NULL)
        for (n = i = 0; i < sk_SSL_CIPHER_num(theirs) && n < room; i++)
            if (sk_SSL_CIPHER_find(ours, sk_SSL_CIPHER_value(theirs, i)) >= 0)
                describe(sk_SSL_CIPHER_value(theirs, i), &out[n++]);
    tk_conn_unlock(c);
    return n;
}

const char *tk_conn_version(tk_conn *c)
{
    const char *name = NULL;
    const tk_earlier *e;

    tk_conn_lock(c);
    if (c->done)
        name = (e = tk_result_earlier(c)) != NULL ? e->facts.version_name : SSL_get_version(c->ssl);
    tk_conn_unlock(c);
    return name;
}

const char *tk_conn_compression(tk_conn *c)
{
    const COMP_METHOD *method = NULL;
    const char *name = NULL;
    const tk_earlier *e;

    tk_conn_lock(c);
    if ((e = tk_result_earlier(c)) != NULL)
        name = e->facts.compression;
    else if ((method = SSL_get_current_compression(c->ssl)) != NULL)
        name = SSL_COMP_get_name(method);
    tk_conn_unlock(c);
    return name;
}

int tk_conn_protocol(tk_conn *c, uint8_t into[255])
{
    const unsigned char *protocol;
    unsigned int size;

    tk_conn_lock(c);
    size = tk_facts_protocol(c, &protocol);
    if (size > 255)
        size = 0;
    if (size > 0)
        memcpy(into, protocol, size);
    tk_conn_unlock(c);
    return (int)size;
}

int tk_conn_shown(tk_conn *c, X509 **out)
{
    X509 *x = NULL;
    int done;

    tk_conn_lock(c);
    if ((done = c->done) != 0 && (x = tk_result_peer(c)) != NULL && out != NULL)
        X509_up_ref(*out = x);
    tk_conn_unlock(c);
    return !done ? -1 : x != NULL;
}

/* While a renegotiation is under way, out of the notes of the handshake before it. */
static STACK_OF(X509) *noted_chain(const tk_earlier *e, int verified)
{
    const tk_info *f = tk_info_of(e->session);

    return f == NULL ? NULL : verified ? f->verified : f->peers;
}

STACK_OF(X509) *tk_answer_chain(const tk_conn *c, int verified, X509 **leaf)
{
    const tk_earlier *e = tk_result_earlier(c);

    *leaf = e == NULL && !verified && SSL_is_server(c->ssl) ? SSL_get0_peer_certificate(c->ssl)
                                                            : NULL;
    if (e != NULL)
        return noted_chain(e, verified);
    return verified ? SSL_get0_verified_chain(c->ssl) : SSL_get_peer_cert_chain(c->ssl);
}

STACK_OF(X509) *tk_conn_shown_chain(tk_conn *c, int verified, int *reused)
{
    STACK_OF(X509) *chain, *copy = NULL;
    X509 *leaf;

    tk_conn_lock(c);
    *reused = tk_result_reused(c);
    chain = tk_answer_chain(c, verified, &leaf);
    if (sk_X509_num(chain) > 0)
        copy = X509_chain_up_ref(chain);
    else if (leaf != NULL)
        copy = sk_X509_new_null();
    if (leaf != NULL && copy != NULL && sk_X509_unshift(copy, leaf) > 0)
        X509_up_ref(leaf);
    tk_conn_unlock(c);
    return copy;
}

int tk_conn_unique(tk_conn *c, uint8_t into[64])
{
    const tk_earlier *e;
    size_t size;
    int reused, peers;

    tk_conn_lock(c);
    e = tk_result_earlier(c);
    reused = e != NULL ? e->facts.reused_last : SSL_session_reused(c->ssl);
    peers = (reused != 0) == !SSL_is_server(c->ssl); /* whose Finished came first */
    if (e != NULL)
        memcpy(into, e->finished[peers], size = e->finished_size[peers]);
    else
        size = peers ? SSL_get_peer_finished(c->ssl, into, 64)
                     : SSL_get_finished(c->ssl, into, 64);
    tk_conn_unlock(c);
    return (int)(size < 64 ? size : 64);
}

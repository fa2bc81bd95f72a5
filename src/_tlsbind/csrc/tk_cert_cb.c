/* Let Python choose the certificate that a connection sends. libssl asks on a server when it has
   read the ClientHello and will not resume a session, and on a client when the server requests a
   certificate, also after the handshake. The operation pauses there (tk_pause.c). */
#include "tk_cert_cb.h"
#include "tk_credential.h"
#include "tk_fault.h"
#include "tk_lock.h"
#include "tk_pause.h"
#include "tk_records.h"
#include "tk_x509.h"

enum { ALGORITHMS_MOST = 512 };

int tk_cert_cb(SSL *ssl, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);

    (void)argument;
    /* after a HelloRetryRequest libssl asks a second time */
    if (c == NULL || (SSL_is_server(ssl) && !c->done && c->chosen))
        return 1;
    switch (tk_pause_ask(c, TK_PAUSE_CERTIFICATE)) {
    case TK_ANSWER_WAIT:
        return -1;
    case TK_ANSWER_GO_ON:
        c->chosen = 1;
        return 1;
    default:
        return 0;
    }
}

int tk_conn_show(tk_conn *c, tk_credential **list, int count, tk_fault *fault)
{
    int i, ok;

    tk_conn_lock(c);
    tk_fault_begin();
    if ((ok = c->unanswered == TK_PAUSE_CERTIFICATE))
        SSL_certs_clear(c->ssl);
    for (i = 0; ok && i < count; i++)
        ok = tk_credential_show(list[i], c->ssl);
    if (!ok)
        tk_fail(fault);
    tk_conn_unlock(c);
    return ok ? TK_DONE : TK_SSL;
}

static void add_algorithms(SSL *ssl, tk_records *out)
{
    uint8_t list[2 * ALGORITHMS_MOST];
    int i, n = SSL_get_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);

    for (i = 0; i < n && i < ALGORITHMS_MOST; i++)
        SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &list[2 * i + 1], &list[2 * i]);
    if (i > 0)
        tk_records_add(out, TK_REQUEST_SIGALGS, list, 2 * (size_t)i);
}

void tk_conn_request(tk_conn *c, tk_records *out)
{
    const STACK_OF(X509_NAME) *names;
    const uint8_t *types;
    size_t size;
    int i;

    tk_conn_lock(c);
    size = SSL_get0_certificate_types(c->ssl, &types);
    names = SSL_get0_peer_CA_list(c->ssl);
    if (size > 0 || SSL_get_sigalgs(c->ssl, 0, NULL, NULL, NULL, NULL, NULL) > 0)
        tk_records_add(out, TK_REQUEST_ASKED, NULL, 0);
    add_algorithms(c->ssl, out);
    if (size > 0)
        tk_records_add(out, TK_REQUEST_TYPES, types, size);
    for (i = 0; i < sk_X509_NAME_num(names); i++) {
        tk_records_add(out, TK_NAME_BEGIN, NULL, 0);
        tk_x509_name(out, sk_X509_NAME_value(names, i), TK_NAME_RDN, TK_NAME_KEY, TK_NAME_VALUE);
    }
    tk_conn_unlock(c);
}

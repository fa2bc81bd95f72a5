/* The received ClientHello, for a server's Python code.

   libssl's own queries (SSL_client_hello_get0_ext) only know the extensions that libssl knows, and
   a fingerprint needs all of them. So the message itself is kept when it passes the message
   callback, until the end of the pause in which Python looks at it. After a HelloRetryRequest there
   is a second ClientHello; only the first is shown. */
#include "tk_hello.h"
#include "tk_lock.h"
#include "tk_pause.h"
#include "tk_records.h"

int tk_hello_wanted(const tk_conn *c) { return (c->hooks & TK_HELLO_HOOKS) && !c->greeted; }

void tk_hello_keep(tk_conn *c, int sent, int content_type, const void *data, size_t size)
{
    if (sent || content_type != SSL3_RT_HANDSHAKE || size == 0 ||
        *(const uint8_t *)data != SSL3_MT_CLIENT_HELLO || c->hello.size > 0)
        return;
    (void)tk_queue_put(&c->hello, data, size); /* without memory, Python finds none, and refuses */
}

static int greeted(tk_conn *c, SSL *ssl)
{
    c->greeted = 1;
    tk_hello_end(c);
    if (!(c->hooks & TK_HOOK_MESSAGE))
        SSL_set_msg_callback(ssl, NULL);
    return SSL_CLIENT_HELLO_SUCCESS;
}

int tk_hello_ask(tk_conn *c, SSL *ssl, int *alert)
{
    if (!tk_hello_wanted(c))
        return SSL_CLIENT_HELLO_SUCCESS;
    if (SSL_client_hello_isv2(ssl)) { /* another format, which nothing has sent for a decade */
        *alert = SSL_AD_PROTOCOL_VERSION;
        return SSL_CLIENT_HELLO_ERROR;
    }
    switch (tk_pause_ask(c, TK_PAUSE_HELLO)) {
    case TK_ANSWER_WAIT:
        return SSL_CLIENT_HELLO_RETRY;
    case TK_ANSWER_GO_ON:
        return greeted(c, ssl);
    default:
        tk_hello_end(c);
        *alert = c->refusal;
        return SSL_CLIENT_HELLO_ERROR;
    }
}

void tk_hello_end(tk_conn *c) { tk_queue_clear(&c->hello); }

void tk_conn_hello(tk_conn *c, tk_records *out)
{
    tk_conn_lock(c);
    if (c->hello.size > 0)
        tk_records_add(out, 1, tk_queue_front(&c->hello), c->hello.size);
    tk_conn_unlock(c);
}

/* Facts that explain a failure. Collecting them costs nothing while all goes well. */
#include "tk_explain.h"
#include "tk_lock.h"
#include "tk_op.h"
#include "tk_records.h"
#include "tk_staple.h"

enum { MESSAGES_MOST = 16 };

void tk_explain_refused(tk_conn *c, X509_STORE_CTX *v)
{
    X509 *x = X509_STORE_CTX_get_current_cert(v);

    if (c->rejected != NULL) /* the first verdict is the one that counts */
        return;
    c->verify_depth = (int16_t)X509_STORE_CTX_get_error_depth(v);
    if (x != NULL && X509_up_ref(x))
        c->rejected = x;
    if (c->refused == NULL)
        c->refused = X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(v));
    if (c->built == NULL && X509_STORE_CTX_get0_chain(v) != NULL)
        c->built = X509_STORE_CTX_get1_chain(v);
}

void tk_explain_end(tk_conn *c)
{
    X509_free(c->rejected);
    sk_X509_pop_free(c->refused, X509_free);
    sk_X509_pop_free(c->built, X509_free);
}

void tk_conn_refused(tk_conn *c, int built, tk_records *out)
{
    STACK_OF(X509) *chain;
    int i;

    tk_conn_lock(c);
    chain = built ? c->built : c->refused;
    for (i = 0; i < sk_X509_num(chain); i++)
        tk_x509_der(sk_X509_value(chain, i), out);
    tk_conn_unlock(c);
}

/* What lies behind the bytes that libssl has taken: a greeting in plain text is longer. */
static size_t behind(tk_conn *c, uint8_t *into, size_t room)
{
    tk_mem *m = c->incoming;
    size_t n = 0;
    int seen;

    if (c->fd < 0) {
        tk_lock(&m->mutex);
        n = m->queue.size < room ? m->queue.size : room;
        if (n > 0)
            memcpy(into, tk_queue_front(&m->queue), n);
        tk_unlock(&m->mutex);
        return n;
    }
    n = c->ahead.size < room ? c->ahead.size : room;
    if (n > 0)
        memcpy(into, tk_queue_front(&c->ahead), n);
    seen = n < room && !c->closed ? (int)tk_fd_peek((tk_fd)c->fd, into + n, room - n) : 0;
    return seen > 0 ? n + (size_t)seen : n;
}

void tk_conn_explain(tk_conn *c, tk_explain *out)
{
    const char *name;
    size_t taken;

    memset(out, 0, sizeof *out);
    tk_conn_lock(c);
    out->server = SSL_is_server(c->ssl);
    out->done = c->done;
    out->asked = !out->server && SSL_get_sigalgs(c->ssl, -1, NULL, NULL, NULL, NULL, NULL) > 0;
    out->own_certificate = SSL_get_certificate(c->ssl) != NULL;
    out->staple = tk_staple_verdict(c);
    out->min_version = (int32_t)SSL_get_min_proto_version(c->ssl);
    out->max_version = (int32_t)SSL_get_max_proto_version(c->ssl);
    out->security_level = SSL_get_security_level(c->ssl);
    out->received = c->received;
    taken = c->received < sizeof c->first ? (size_t)c->received : sizeof c->first;
    memcpy(out->came, c->first, taken);
    if (c->received <= sizeof c->first)
        taken += behind(c, out->came + taken, sizeof out->came - taken);
    out->came_size = (uint32_t)taken;
    if ((name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name)) != NULL)
        strncpy(out->server_name, name, sizeof out->server_name - 1);
    tk_conn_unlock(c);
}

static tk_outcome step_glance(tk_conn *c, tk_op *op)
{
    int result, messages = 0;
    tk_outcome outcome;
    uint8_t byte;
    size_t n;

    if (c->parked != TK_STEP_NONE)
        return c->parked;
    if (SSL_is_server(c->ssl) || !c->done || c->has_read)
        return TK_STEP_DONE;
    do { /* there may be tickets before it */
        tk_op_refill(c);
        result = SSL_peek_ex(c->ssl, &byte, 1, &n);
        outcome = result == 1 ? TK_STEP_DONE : tk_op_classify(c, op, result);
    } while (outcome == TK_STEP_MORE && ++messages < MESSAGES_MOST);
    return outcome;
}

int64_t tk_conn_glance(tk_conn *c)
{
    tk_op op = { .step = step_glance, .kind = TK_READ };

    return tk_op_do(c, &op, 0);
}

/* The handshake, and early data, which a client may send with its first flight (0-RTT, RFC 8446,
   2.3).

   A client passes its early data to the connection beforehand. It is sent with the ClientHello if
   the offered session allows that much; otherwise, or if the server does not accept it, it is sent
   again as soon as the handshake is complete. So it is always sent, and for the server it is always
   the first data to arrive.

   A server that allows early data keeps it separate. It may be read during the handshake, and
   answered then, although the client has not yet proved that it is live; or after the handshake. An
   eavesdropper can send it again (a replay), so libssl accepts each ticket once; if sessions are
   kept elsewhere (tk_lookup.c), early data is accepted only with a session that this very handshake
   has taken out of the store, not with one from a hook. */
#include "tk_handshake.h"
#include "tk_alpn.h"
#include "tk_lock.h"
#include "tk_lookup.h"
#include "tk_groups.h"

enum { RECORD_MOST = 16384 };

enum { /* tk_conn.early_state */
    EARLY_NONE = 0,
    EARLY_WAITS, /* client: to be sent; server: it may arrive */
    EARLY_SENT,  /* client: sent with the ClientHello */
    EARLY_LATE,  /* client: it could not be */
    EARLY_OVER
};

/* ---- clients ---- */

int tk_conn_set_early(tk_conn *c, const void *data, size_t size)
{
    int ok;

    tk_conn_lock(c);
    ok = SSL_in_before(c->ssl) && !SSL_is_server(c->ssl);
    if (ok) {
        tk_queue_clear(&c->early);
        ok = size == 0 || tk_queue_put(&c->early, data, size);
        c->early_state = ok && size > 0 ? EARLY_WAITS : EARLY_NONE;
    }
    tk_conn_unlock(c);
    return ok ? TK_DONE : TK_SSL;
}

/* Early data is for the name and the application protocol of the session (RFC 8446, 4.2.10): libssl
   fails a handshake with others, or with a name in other letters. */
static int goes_with(tk_conn *c, const SSL_SESSION *s)
{
    const char *earned = SSL_SESSION_get0_hostname(s),
               *wanted = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
    const unsigned char *protocol;
    size_t size;

    SSL_SESSION_get0_alpn_selected(s, &protocol, &size);
    return (earned == NULL || (wanted != NULL && strcmp(earned, wanted) == 0)) &&
           (protocol == NULL || tk_conn_speaks(c, protocol, size));
}

static int send_with_hello(tk_conn *c)
{
    const SSL_SESSION *s = SSL_get0_session(c->ssl);
    size_t n;

    if (s == NULL || c->early_withheld || SSL_SESSION_get_max_early_data(s) < c->early.size ||
        !goes_with(c, s)) {
        c->early_state = EARLY_LATE;
        return 1;
    }
    if (SSL_write_early_data(c->ssl, tk_queue_front(&c->early), c->early.size, &n) != 1)
        return 0;
    c->early_state = EARLY_SENT;
    return 1;
}

/* The handshake is complete: send the early data that the server rejected. */
static int send_again(tk_conn *c)
{
    int accepted = c->early_state == EARLY_SENT &&
                   SSL_get_early_data_status(c->ssl) == SSL_EARLY_DATA_ACCEPTED;
    size_t n;
    int result = 1;

    if (!accepted)
        result = SSL_write_ex(c->ssl, tk_queue_front(&c->early), c->early.size, &n);
    if (result == 1) {
        tk_queue_clear(&c->early);
        c->early_state = EARLY_OVER;
    }
    return result;
}

/* ---- servers ---- */

static int on_allow_early(SSL *ssl, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);

    (void)argument;
    return c != NULL && (!c->external || (c->found != NULL && c->found_once));
}

void tk_ctx_set_max_early_data(tk_ctx *c, uint32_t size)
{
    SSL_CTX_set_max_early_data(c->ctx, size);
    /* data that is not accepted must still be skipped */
    SSL_CTX_set_recv_max_early_data(c->ctx, size > 0 ? size : RECORD_MOST);
    SSL_CTX_set_allow_early_data_cb(c->ctx, on_allow_early, NULL);
}

uint32_t tk_ctx_max_early_data(tk_ctx *c) { return SSL_CTX_get_max_early_data(c->ctx); }

/* 1: something has come, or nothing more will; 0: libssl has something to say. libssl sees to the
   bound. */
static int receive(tk_conn *c)
{
    uint8_t *into = tk_queue_reserve(&c->early, RECORD_MOST);
    size_t n = 0;

    if (into == NULL) {
        ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
        return 0;
    }
    switch (SSL_read_early_data(c->ssl, into, RECORD_MOST, &n)) {
    case SSL_READ_EARLY_DATA_SUCCESS:
        c->early.size += n;
        return 1;
    case SSL_READ_EARLY_DATA_FINISH:
        c->early_state = EARLY_OVER;
        tk_queue_drop(&c->early, 0);
        return 1;
    default:
        tk_queue_drop(&c->early, 0);
        return 0;
    }
}

static tk_outcome step_read_early(tk_conn *c, tk_op *op)
{
    int result = 1;

    while (result == 1 && c->early.size == 0 && c->early_state == EARLY_WAITS &&
           SSL_is_server(c->ssl))
        result = receive(c);
    if (result == 1 && SSL_is_server(c->ssl))
        op->done = tk_queue_take(&c->early, op->into, op->size);
    return tk_op_flush(c, op, result == 1 ? TK_STEP_DONE : tk_op_classify(c, op, result));
}

int64_t tk_conn_read_early(tk_conn *c, void *into, size_t room, int64_t timeout)
{
    tk_op op = {
        .step = step_read_early, .into = into, .size = room, .kind = TK_HANDSHAKE, .counts = 1
    };

    return tk_op_do(c, &op, timeout);
}

/* As SSL_write_ex; while early data is being read, to the client that sent it. */
int tk_handshake_write(tk_conn *c, const void *data, size_t size, size_t *n)
{
    if (c->early_state != EARLY_NONE && SSL_is_server(c->ssl) && !SSL_is_init_finished(c->ssl)
        && SSL_get_early_data_status(c->ssl) == SSL_EARLY_DATA_ACCEPTED)
        return SSL_write_early_data(c->ssl, data, size, n);
    return SSL_write_ex(c->ssl, data, size, n);
}

/* ---- the handshake ---- */

tk_outcome tk_handshake_step(tk_conn *c, tk_op *op)
{
    int result = 1;

    if (c->early_state == EARLY_WAITS && !SSL_is_server(c->ssl))
        result = send_with_hello(c);
    while (result == 1 && c->early_state == EARLY_WAITS)
        result = receive(c);
    if (result == 1)
        result = SSL_do_handshake(c->ssl);
    if (result == 1 && !c->unwanted &&
        (c->early_state == EARLY_SENT || c->early_state == EARLY_LATE))
        result = send_again(c);
    if (result == 1)
        tk_lookup_end(c);
    return tk_op_flush(c, op, result == 1 ? TK_STEP_DONE : tk_op_classify(c, op, result));
}

/* A client reads or writes before its early data is sent: the handshake comes first. */
int tk_handshake_first(const tk_conn *c)
{
    return !SSL_is_server(c->ssl) && c->early_state != EARLY_NONE && c->early_state != EARLY_OVER;
}

/* The step of an operation on a connection whose context has demands (tk_groups.c): the handshake
   comes first. */
static int demanding_step(tk_conn *c, struct tk_op *op)
{
    tk_outcome outcome;

    if (op->kind == TK_SHUTDOWN)
        return op->step(c, op);
    if (!c->unwanted && !c->done && op->kind != TK_HANDSHAKE && c->stage == NULL &&
        (outcome = tk_handshake_step(c, op)) != TK_STEP_DONE)
        return c->unwanted ? TK_STEP_UNWANTED : outcome;
    if (c->unwanted)
        return TK_STEP_UNWANTED;
    outcome = op->step(c, op);
    if (outcome == TK_STEP_DONE && op->done > 0 && !c->done) /* early data, read by a server */
        tk_groups_judge(c);
    return c->unwanted ? TK_STEP_UNWANTED : outcome;
}

void tk_handshake_prepare(tk_conn *c)
{
    c->demanding_step = demanding_step;
    if (SSL_is_server(c->ssl) && SSL_get_max_early_data(c->ssl) > 0)
        c->early_state = EARLY_WAITS;
}

int64_t tk_conn_handshake(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = tk_handshake_step, .kind = TK_HANDSHAKE };

    return tk_op_do(c, &op, timeout);
}

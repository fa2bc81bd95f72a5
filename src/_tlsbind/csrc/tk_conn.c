/* Read from a connection, and shut it down. tk_op.c explains how an operation runs. */
#include "tk_conn.h"
#include "tk_handshake.h"
#include "tk_lock.h"
#include "tk_transport.h"
#include "tk_wait.h"
#include "tk_result.h"

/* ---- the steps ---- */

/* How many of the peer's messages, beside data, one step deals with before others have their turn:
   a peer may pack hundreds of tickets into one record. */
enum { MESSAGES_MOST = 64, DATA_MOST = 1 << 20 };

/* A socket that does not block is asked by `select` next: what is here already does not show
   there. */
static int holds_nothing(tk_conn *c) { return c->ahead.size == 0 && !SSL_has_pending(c->ssl); }

/* Read until there is data, or none: libssl stops after each message that is not data. */
static tk_outcome read_on(tk_conn *c, tk_op *op)
{
    int messages = 0, result;
    tk_outcome outcome;
    size_t n;

    tk_op_refill(c);
    do {
        c->reader_room = c->shutdown_sent || messages > 0 ? 0 : op->size - op->done;
        result = SSL_read_ex(c->ssl, op->into + op->done, op->size - op->done, &n);
        if (result == 1) {
            op->done += n;
            c->has_read = 1;
            return TK_STEP_DONE;
        }
        outcome = tk_op_classify(c, op, result);
    } while (outcome == TK_STEP_MORE && ++messages < MESSAGES_MOST);
    if (outcome == TK_STEP_MORE && c->fd >= 0 && !op->may_wait && holds_nothing(c))
        return TK_STEP_WANT_READ; /* a flood must not block its reader */
    return outcome;
}

/* Read until there is no room, or no more records. */
static tk_outcome fill(tk_conn *c, tk_op *op)
{
    tk_outcome outcome;

    do {
        outcome = read_on(c, op);
    } while (outcome == TK_STEP_DONE && op->done < op->size && op->done < DATA_MOST &&
             (SSL_pending(c->ssl) > 0 || tk_transport_holds_record(c)));
    if (outcome == TK_STEP_DONE || op->done == 0)
        return outcome;
    if (tk_is_failure(outcome)) { /* return the bytes first; the connection has failed for good */
        tk_op_take_fault(c, op);
        c->parked = outcome;
    }
    return TK_STEP_DONE;
}

/* In memory, whether libssl would say no more than that it wants to read: an event loop asks after
   every read. */
static int is_drained(tk_conn *c)
{
    return c->fd < 0 && c->has_read && tk_mem_is_dry(c->incoming) &&
           (c->source == NULL || c->source->size == 0) && !SSL_has_pending(c->ssl) &&
           SSL_get_shutdown(c->ssl) == 0 && SSL_is_init_finished(c->ssl);
}

static int is_end(tk_outcome outcome)
{
    return outcome == TK_STEP_EOF || outcome == TK_STEP_ZERO_RETURN || tk_is_failure(outcome);
}

static tk_outcome step_read(tk_conn *c, tk_op *op)
{
    tk_outcome outcome;
    int first = !c->has_read;

    if (c->parked != TK_STEP_NONE) {
        c->told = 1;
        return c->parked;
    }
    if (tk_handshake_first(c) && (outcome = tk_handshake_step(c, op)) != TK_STEP_DONE)
        return outcome;
    outcome = is_drained(c) ? TK_STEP_WANT_READ : fill(c, op);
    if (op->done == 0 && is_end(outcome))
        c->told = 1;
    if ((first || op->done == 0) && SSL_is_init_finished(c->ssl))
        /* after a ticket libssl holds a write buffer, which only the next write would free */
        tk_transport_free_buffers(c);
    if (c->behind.size == 0)
        return outcome;
    /* What waits to be sent is a writer's, who is waiting too or will come back, or an answer of
       libssl's own: only a caller that does not wait here must be told of the latter. A reader
       waits for both directions, and what a send says of a broken connection is the writer's news:
       the socket has its own for a reader. */
    if (tk_transport_flush(c) == 0 && outcome == TK_STEP_WANT_READ && !op->may_wait &&
        c->owed_count == 0 && c->turn.number == 0)
        return TK_STEP_WANT_WRITE;
    return outcome;
}

/* What the peer has sent before it saw our close_notify (RFC 8446, 6.1: each direction ends by
   itself) is nobody's any more: libssl would end the connection over it. */
static tk_outcome discard(tk_conn *c, tk_op *op)
{
    uint8_t nobodys[16384];
    tk_outcome outcome = TK_STEP_MORE;
    int messages = 0, result;
    size_t n;

    while (outcome == TK_STEP_MORE && messages++ < MESSAGES_MOST) {
        c->reader_room = 0;
        result = SSL_read_ex(c->ssl, nobodys, sizeof nobodys, &n);
        if (result != 1 && (SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN))
            outcome = TK_STEP_DONE;
        else if (result != 1)
            outcome = tk_op_classify(c, op, result);
    }
    OPENSSL_cleanse(nobodys, sizeof nobodys);
    return outcome;
}

/* While a reader is waiting, leave the reading to it: the last of the peer's data, and its
   close_notify, which ends both. */
static tk_outcome step_shutdown(tk_conn *c, tk_op *op)
{
    tk_outcome outcome;
    int messages = 0, result;

    for (;;) {
        if (c->shutdown_sent && tk_op_leaves_reading(c, op))
            return tk_op_flush(c, op, TK_STEP_WANT_READ);
        if (c->shutdown_sent && !(SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) &&
            SSL_is_init_finished(c->ssl) && (outcome = discard(c, op)) != TK_STEP_DONE)
            return tk_op_flush(c, op, outcome);
        result = SSL_shutdown(c->ssl);
        if (result >= 0 && tk_result_is_cut(c))
            return tk_op_flush(c, op, tk_op_cut(op));
        if (result < 0) {
            outcome = tk_op_classify(c, op, result);
            if (outcome == TK_STEP_MORE && ++messages < MESSAGES_MOST)
                continue;
            return tk_op_flush(c, op, outcome);
        }
        c->shutdown_sent = 1;
        if (result == 1 || ++op->zeros > 1)
            return tk_op_flush(c, op, TK_STEP_DONE);
    }
}

/* ---- the operations ---- */

int64_t tk_conn_read(tk_conn *c, void *into, size_t room, int64_t timeout)
{
    tk_op op = { .step = step_read, .into = into, .size = room, .kind = TK_READ, .counts = 1 };

    return tk_op_do(c, &op, timeout);
}

int tk_conn_is_dry(tk_conn *c)
{
    int dry;

    tk_conn_lock(c);
    dry = is_drained(c) && tk_mem_is_dry(c->outgoing) && c->parked == TK_STEP_NONE &&
          !c->closed && !c->orphaned && c->inside == 0 && !c->unanswered;
    tk_conn_unlock(c);
    return dry;
}

void tk_conn_report_sessions(tk_conn *c) { tk_atomic_store32(&c->reports_sessions, 1); }

void tk_conn_set_over(tk_conn *c) { tk_atomic_store32(&c->over, 1); }

int tk_conn_is_over(tk_conn *c) { return tk_atomic_load32(&c->over); }

int64_t tk_conn_shutdown(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = step_shutdown, .kind = TK_SHUTDOWN };

    return tk_op_do(c, &op, timeout);
}

int64_t tk_conn_read_given(tk_conn *c, const void *given, size_t given_size, void *into,
                           size_t room)
{
    tk_op op = { .step = step_read, .into = into, .size = room, .kind = TK_READ, .counts = 1 };
    tk_mem_source source = { .from = given, .size = given_size };
    int64_t status = TK_MEMORY;
    int direct;

    tk_conn_lock(c);
    /* behind what waits there; a callback may let others in, in the middle of a handshake */
    direct = c->inside == 0 && SSL_is_init_finished(c->ssl);
    if (direct)
        c->source = &source;
    if (direct || given_size == 0 || tk_mem_give(c->incoming, given, given_size))
        status = tk_op_run(c, &op, 0);
    if (direct) {
        c->source = NULL;
        if (source.size > 0 && !tk_mem_give(c->incoming, source.from, source.size))
            status = TK_MEMORY;
    }
    if (status > 0 && is_drained(c) && tk_mem_is_dry(c->outgoing))
        status |= TK_DRY;
    tk_conn_unlock(c);
    return status;
}

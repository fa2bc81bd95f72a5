/* Reading from a connection, and shutting it down. tk_op.c says how an operation runs. */
#include "tk_conn.h"
#include "tk_handshake.h"
#include "tk_transport.h"
#include "tk_wait.h"

/* ---- the steps ---- */

static int64_t step_read(tk_conn *c, tk_op *op)
{
    int64_t status;
    int more, first = !c->has_read;

    if (c->parked != 0)
        return c->parked;
    if (tk_handshake_first(c) && (status = tk_handshake_step(c, op)) != TK_DONE)
        return status;
    do {
        size_t n = 0;
        int result;

        c->reader_room = c->shutdown_sent ? 0 : op->size - op->done;
        result = SSL_read_ex(c->ssl, op->into + op->done, op->size - op->done, &n);
        if (result != 1) {
            status = tk_op_classify(c, op, result);
            if (op->done == 0)
                break;
            /* the bytes come first; the connection has failed for good */
            if (tk_is_failure(status)) {
                tk_op_take_fault(c, op);
                c->parked = status;
            }
            status = (int64_t)op->done;
            break;
        }
        op->done += n;
        c->has_read = 1;
        status = (int64_t)op->done;
        more = op->done < op->size && (SSL_pending(c->ssl) > 0 || tk_transport_holds_record(c));
    } while (more);
    if ((first || op->done == 0) && SSL_is_init_finished(c->ssl))
        /* after a ticket libssl holds a write buffer, which only the next write would free */
        (void)SSL_free_buffers(c->ssl);
    if (c->behind.size == 0)
        return status;
    /* What waits to be sent is a writer's, who is waiting too or will come back, or an answer of
       libssl's own: only a caller that does not wait here must be told of the latter. A reader
       waits for both directions, and what a send says of a broken connection is the writer's news:
       the socket has its own for a reader. */
    if (tk_transport_flush(c) == 0 && status == TK_WANT_READ && !op->may_wait &&
        c->owed_count == 0 && c->turn.number == 0)
        return TK_WANT_WRITE;
    return status;
}

/* As long as somebody waits to read, he reads: the last of the peer's data, and its close_notify,
   which ends both. */
static int64_t step_shutdown(tk_conn *c, tk_op *op)
{
    for (;;) {
        int result;

        if (c->shutdown_sent && tk_op_leaves_reading(c, op))
            return tk_op_flush(c, op, TK_WANT_READ);
        result = SSL_shutdown(c->ssl);
        if (result < 0)
            return tk_op_flush(c, op, tk_op_classify(c, op, result));
        c->shutdown_sent = 1;
        if (result == 1 || ++op->zeros > 1)
            return tk_op_flush(c, op, TK_DONE);
    }
}

/* ---- the operations ---- */

int64_t tk_conn_read(tk_conn *c, void *into, size_t room, int64_t timeout)
{
    tk_op op = { .step = step_read, .into = into, .size = room, .kind = TK_READ };

    return tk_op_do(c, &op, timeout);
}

int64_t tk_conn_shutdown(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = step_shutdown, .kind = TK_SHUTDOWN };

    return tk_op_do(c, &op, timeout);
}

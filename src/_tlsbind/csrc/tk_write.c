/* Writing, and what happens to a write that ends early, and to other threads' writes meanwhile.

   A write ends early when its timeout expires, when it must not block, or when a signal handler
   raises. What libssl has encrypted by then goes out in any case. The caller cannot learn how much
   that is; like OpenSSL, we require it to repeat the write with the same bytes. The bytes that are
   encrypted are *owed*, as a size and a digest: tk_partial.c. (A non-blocking caller learns how
   many bytes are on the wire, as on any socket, and is owed the rest.)

   * A write that begins with the owed bytes is the repetition, and continues after them; if several
     owed writes match, after the longest. It does not matter whose they were: when two writers send
     equal bytes, the peer cannot tell them apart.
   * A write goes out whole: from its first record to its last it has the turn, and other threads'
     writes wait for theirs as they wait for a full socket. That holds while it is under way, and
     also after it has ended in the middle.
   * A write that ended early with nothing left to encrypt blocks nobody.
   * The thread whose write ended early must not write anything else first. libssl would not allow
     it either, and a program that tries has lost the rest of a message. A thread that would wait
     for ever for a write that ended in the middle is refused, too.

   So each byte is encrypted once, and in its writer's order. A blocking writer gathers several
   records for one send. */
#include "tk_handshake.h"
#include "tk_lock.h"
#include "tk_partial.h"
#include "tk_transport.h"

enum {
    RECORD_MOST = 16384,
    STEP_MOST = 1 << 20,         /* how much is written before others have their turn */
    CORK_MOST = 8 * RECORD_MOST, /* how much a blocking write gathers for one send */
    OWED_MOST = 16               /* writes that are never repeated: then no other begins */
};

#define NOBODY 0
#define LEFT UINT64_MAX

/* ---- the turn ---- */

static void give_turn(tk_conn *c, uint64_t number)
{
    c->turn.number = number;
    c->turn.thread = tk_thread();
    c->turn.generation = tk_generation;
    tk_condition_broadcast(&c->turns);
}

static void take_turn(tk_conn *c, tk_op *op)
{
    if (op->number == NOBODY)
        op->number = ++c->writes;
    if (c->turn.number != op->number)
        give_turn(c, op->number);
}

static void end_turn(tk_conn *c, const tk_op *op, int torn)
{
    if (op->number != NOBODY && c->turn.number == op->number)
        give_turn(c, torn ? LEFT : NOBODY);
}

static tk_outcome refuse(tk_op *op, int reason)
{
    ERR_raise(ERR_LIB_SSL, reason);
    op->ssl_error = SSL_ERROR_SSL;
    return TK_STEP_SSL;
}

/* Another write has the turn. One of this thread's own, and one of another process, will not end
   while we wait. */
static tk_outcome wait_for_turn(const tk_conn *c, tk_op *op)
{
    if (c->turn.generation != tk_generation)
        return refuse(op, SSL_R_BAD_WRITE_RETRY);
    if (c->turn.number == LEFT)
        return op->limited ? TK_STEP_WANT_TURN : refuse(op, SSL_R_BAD_WRITE_RETRY);
    if (c->turn.thread == tk_thread())
        return refuse(op, SSL_R_BAD_WRITE_RETRY);
    return op->may_wait ? TK_STEP_WANT_TURN : TK_STEP_WANT_WRITE;
}

/* A write that has no bytes encrypted yet, where others are under way or have ended early: whether
   it repeats one of these, or may begin, now or later. */
static tk_outcome come_in(tk_conn *c, tk_op *op)
{
    uint64_t me = tk_thread();
    tk_partial *o = tk_partial_by(c, op->data, op->size);
    int32_t i;

    if (o != NULL) {
        op->taken = o->size;
        if (o->torn || (op->taken < op->size && c->turn.number == NOBODY))
            take_turn(c, op);
        if (op->taken == op->size)
            end_turn(c, op, 0);
        *o = c->owed[--c->owed_count];
        return TK_STEP_DONE;
    }
    for (i = 0; i < c->owed_count; i++)
        if (c->owed[i].thread == me)
            return refuse(op,
                          c->owed[i].size > op->size ? SSL_R_BAD_LENGTH : SSL_R_BAD_WRITE_RETRY);
    if (c->owed_count >= OWED_MOST)
        return refuse(op, SSL_R_BAD_WRITE_RETRY);
    return c->turn.number != NOBODY && wait_for_turn(c, op) == TK_STEP_SSL ? TK_STEP_SSL
                                                                           : TK_STEP_DONE;
}

/* ---- the step ---- */

static tk_outcome seal(tk_conn *c, tk_op *op, int gathering)
{
    size_t n = 0, most = c->fd < 0 ? op->size : RECORD_MOST;
    size_t chunk = op->size - op->taken < most ? op->size - op->taken : most;
    int result;

    c->corked = (uint8_t)gathering;
    result = tk_handshake_write(c, op->data + op->taken, chunk, &n);
    c->corked = 0;
    if (result != 1)
        return tk_op_flush(c, op, tk_op_classify(c, op, result));
    op->taken += n;
    if (op->taken < op->size)
        take_turn(c, op);
    else
        end_turn(c, op, 0);
    return TK_STEP_DONE;
}

static tk_outcome step_write(tk_conn *c, tk_op *op)
{
    int gathering = op->may_wait && op->size > RECORD_MOST && c->behind.size == 0 &&
                    op->taken < op->size;
    size_t begun = op->taken;
    tk_outcome outcome;

    if (tk_handshake_first(c) && (outcome = tk_handshake_step(c, op)) != TK_STEP_DONE)
        return outcome;
    if (op->taken == 0 && op->size > 0 && (c->owed_count > 0 || c->turn.number != NOBODY) &&
        (outcome = come_in(c, op)) != TK_STEP_DONE)
        return outcome;
    for (;;) {
        int result, flushed = gathering ? 1 : tk_transport_flush(c);

        if (flushed < 0) {
            op->ssl_error = SSL_ERROR_SYSCALL;
            return TK_STEP_SYSCALL;
        }
        if (flushed == 0)
            return TK_STEP_WANT_WRITE;
        if (!gathering)
            op->done = op->taken;
        if (op->done == op->size && op->size > 0)
            return TK_STEP_DONE;
        if (op->may_wait && !gathering && op->done - begun >= STEP_MOST)
            return TK_STEP_MORE; /* its peer reads everything */
        if (op->size == 0 && (SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN))
            return refuse(op, SSL_R_PROTOCOL_IS_SHUTDOWN); /* as libssl, for which nothing counts */
        if (op->size == 0) /* nothing to send, but a handshake may be pending */
            return (result = SSL_do_handshake(c->ssl)) == 1 ? TK_STEP_DONE
                                                            : tk_op_classify(c, op, result);
        if (c->turn.number != NOBODY && c->turn.number != op->number)
            return wait_for_turn(c, op);
        if ((outcome = seal(c, op, gathering)) != TK_STEP_DONE)
            return outcome;
        gathering = op->may_wait && op->taken < op->size && c->behind.size < CORK_MOST;
    }
}

/* ---- the operations ---- */

static int failed(int64_t status) { return status == TK_SYSCALL || status == TK_SSL; }

/* From the byte `told` on, the caller does not know what has become of them. */
static void leave(tk_conn *c, tk_op *op, size_t told)
{
    int torn = op->taken > told && op->taken < op->size;

    if (op->taken > told && !c->closed && c->send_failed == 0)
        tk_owe(c, op->data + told, op->taken - told, torn);
    end_turn(c, op, torn);
}

/* With the lock held. */
static int64_t write_once(tk_conn *c, const void *data, size_t size, int64_t timeout)
{
    tk_op op = { .step = step_write, .data = data, .size = size, .kind = TK_WRITE, .counts = 1 };
    int64_t status = tk_op_run(c, &op, timeout);

    if (failed(status)) {
        leave(c, &op, op.taken);
    } else if (status < 0) {
        size_t told = op.may_wait && !c->closed ? 0 : op.done;
        leave(c, &op, told);
        status = told > 0 ? (int64_t)told : status;
    }
    return status;
}

int64_t tk_conn_write(tk_conn *c, const void *data, size_t size, int64_t timeout)
{
    int64_t status;

    tk_conn_lock(c);
    status = write_once(c, data, size, timeout);
    tk_conn_unlock(c);
    return status;
}

int64_t tk_conn_write_taken(tk_conn *c, const void *data, size_t size, void *into, size_t room)
{
    tk_mem_sink sink = { .into = into, .room = room };
    int64_t status;
    int at_end;

    tk_conn_lock(c);
    if (c->inside) { /* where its bytes go is settled now, and it would have to wait: not here */
        tk_conn_unlock(c);
        return TK_INTERRUPTED;
    }
    sink.size = tk_mem_take(c->outgoing, into, room, &at_end); /* of others, from before */
    c->sink = &sink;
    status = write_once(c, data, size, 0);
    c->sink = NULL;
    if (status >= 0 && tk_mem_holds(c->outgoing)) /* padded records may need more than the room */
        sink.size += tk_mem_take(c->outgoing, sink.into + sink.size, room - sink.size, &at_end);
    if (status >= 0)
        status = (int64_t)sink.size;
    else if (sink.size > 0 && !tk_mem_give_first(c->outgoing, into, sink.size)) /* an alert, say */
        status = TK_MEMORY;
    tk_conn_unlock(c);
    return status;
}

int64_t tk_conn_write_passing(tk_conn *c, const void *data, size_t size,
                              int (*pass)(void *to, const void *data, size_t size), void *to)
{
    tk_mem_sink sink = { .pass = pass, .to = to };
    int64_t status = TK_INTERRUPTED; /* a callback is running: as in tk_conn_write_taken */

    tk_conn_lock(c);
    if (!c->inside) {
        c->sink = &sink;
        status = write_once(c, data, size, 0);
        c->sink = NULL;
    }
    tk_conn_unlock(c);
    return status;
}

int64_t tk_conn_write_on(tk_conn *c, const void *data, size_t size, tk_progress *p, int64_t timeout)
{
    tk_op op = { .step = step_write,
                 .data = data,
                 .size = size,
                 .kind = TK_WRITE,
                 .counts = 1,
                 .number = p->number,
                 .taken = p->taken,
                 .done = p->done };
    int64_t status;

    tk_conn_lock(c);
    status = tk_op_run(c, &op, timeout);
    if (failed(status))
        leave(c, &op, op.taken);
    p->number = op.number;
    p->taken = failed(status) ? 0 : op.taken;
    p->done = op.done;
    tk_conn_unlock(c);
    return status == TK_CLOSED && op.done > 0 ? (int64_t)op.done : status;
}

void tk_conn_write_leave(tk_conn *c, const void *data, size_t size, tk_progress *p)
{
    tk_op op = { .data = data, .size = size, .number = p->number, .taken = p->taken };

    tk_conn_lock(c);
    leave(c, &op, 0);
    p->number = p->taken = 0;
    tk_conn_unlock(c);
}

/* Operations of an event loop's connections: one call receives and decrypts, one encrypts and
   sends. tk_stage.c explains where the bytes are meanwhile, and tk_op.c how an operation runs.

   None of them waits. "Nothing has arrived" is an answer, not a failure, and any further news
   (ciphertext that the socket refused, sessions in the queue, more to read) is returned with the
   count. */
#include "tk_stage.h"
#include "tk_fault.h"
#include "tk_handshake.h"
#include "tk_lock.h"
#include "tk_transport.h"

enum {
    RECORD_MOST = 16384,
    MESSAGES_MOST = 64,        /* beside data, in one call: as in tk_conn.c */
    SLICE = 2 * TK_STAGE_ROOM, /* how much one call encrypts, for the others' sake */
    UNSENT_MOST = (1 << 24) - 1
};

/* ---- the steps ---- */

static tk_outcome handshake(tk_conn *c, tk_op *op)
{
    tk_outcome outcome;

    tk_stage_begin(c);
    outcome = tk_stage_end(c, op, tk_handshake_step(c, op));
    return outcome == TK_STEP_DONE && c->behind.size > 0 && c->fd >= 0 ? TK_STEP_WANT_WRITE
                                                                       : outcome;
}

/* Once more, for libssl to say what is wrong with an end in the middle of a record. */
static tk_outcome torn(tk_conn *c, tk_op *op)
{
    uint8_t byte;
    size_t n;

    c->end_hidden = 0;
    tk_op_refill(c);
    return tk_op_classify(c, op, SSL_read_ex(c->ssl, &byte, 1, &n));
}

/* libssl stops after each message that is not data. */
static tk_outcome read_once(tk_conn *c, tk_op *op)
{
    size_t n = 0;
    int result;

    tk_op_refill(c);
    c->reader_room = op->size - op->done;
    result = SSL_read_ex(c->ssl, op->into + op->done, op->size - op->done, &n);
    op->done += n;
    return result == 1 ? TK_STEP_DONE : tk_op_classify(c, op, result);
}

/* Read until the room is full, or all that was received is used up. */
static tk_outcome decrypt(tk_conn *c, tk_op *op)
{
    tk_outcome outcome;
    int messages = 0;

    c->end_hidden = 1;
    do {
        outcome = read_once(c, op);
    } while ((outcome == TK_STEP_DONE && op->done < op->size &&
              (SSL_has_pending(c->ssl) || tk_stage_holds_bytes(c) ||
               tk_stage_receives_on(c))) ||
             (outcome == TK_STEP_MORE && ++messages < MESSAGES_MOST));
    if (outcome == TK_STEP_WANT_READ && c->at_end)
        outcome = SSL_has_pending(c->ssl) ? torn(c, op) : TK_STEP_ENDED;
    c->end_hidden = 0;
    if (outcome != TK_STEP_MORE)
        return outcome;
    op->again = 1; /* when other connections have had their turn */
    return TK_STEP_DONE;
}

static tk_outcome receive(tk_conn *c, tk_op *op)
{
    tk_outcome outcome = TK_STEP_DONE;
    int first = !c->has_read;

    if (c->parked != TK_STEP_NONE)
        return c->parked;
    tk_stage_begin(c);
    if (tk_handshake_first(c))
        outcome = tk_handshake_step(c, op);
    if (outcome == TK_STEP_DONE)
        outcome = decrypt(c, op);
    outcome = tk_stage_end(c, op, outcome);
    c->has_read |= op->done > 0;
    if ((first || op->done == 0) && SSL_is_init_finished(c->ssl))
        tk_transport_free_buffers(c); /* as in tk_conn.c */
    if (op->done == 0 || outcome == TK_STEP_DONE)
        return outcome;
    if (tk_is_failure(outcome)) { /* the bytes come first */
        tk_op_take_fault(c, op);
        c->parked = outcome;
    }
    /* the next call reports it */
    op->again = outcome != TK_STEP_WANT_READ && outcome != TK_STEP_WANT_WRITE;
    return TK_STEP_DONE;
}

static tk_outcome encrypt(tk_conn *c, tk_op *op)
{
    size_t n;
    int result;

    while (op->taken < op->size && op->done < SLICE && c->behind.size == 0) {
        size_t left = op->size - op->taken;

        n = 0;
        tk_stage_last(c, left <= RECORD_MOST);
        result = tk_handshake_write(c, op->data + op->taken,
                                    left < RECORD_MOST ? left : RECORD_MOST, &n);
        if (result != 1)
            return tk_op_classify(c, op, result);
        op->taken += n;
        op->done += n;
    }
    return TK_STEP_DONE;
}

static tk_outcome post(tk_conn *c, tk_op *op)
{
    tk_outcome outcome = TK_STEP_DONE;

    tk_stage_begin(c);
    if (c->behind.size > 0 && c->fd >= 0 && tk_transport_flush(c) < 0) {
        op->ssl_error = SSL_ERROR_SYSCALL;
        return tk_stage_end(c, op, TK_STEP_SYSCALL);
    }
    if (tk_handshake_first(c))
        outcome = tk_handshake_step(c, op);
    return tk_stage_end(c, op, outcome == TK_STEP_DONE ? encrypt(c, op) : outcome);
}

static tk_outcome finish(tk_conn *c, tk_op *op)
{
    int result = 1;

    tk_stage_begin(c);
    if (!c->shutdown_sent) {
        result = SSL_shutdown(c->ssl);
        c->shutdown_sent = result >= 0;
    }
    return tk_stage_end(c, op, result >= 0 ? TK_STEP_DONE : tk_op_classify(c, op, result));
}

/* ---- the operations ---- */

/* The status of a step, or what it has done: see tk_api_stream.h. */
static int64_t packed(const tk_conn *c, int64_t status, size_t count, int again)
{
    size_t unsent = c->behind.size < UNSENT_MOST ? c->behind.size : UNSENT_MOST;
    int64_t flags = (c->events > 0 || c->interrupted ? TK_STREAM_EVENTS : 0) |
                    (again ? TK_STREAM_AGAIN : 0);

    if (status != TK_DONE && status != TK_WANT_READ && status != TK_WANT_WRITE)
        return status == TK_EOF ? TK_ZERO_RETURN : status;
    return (int64_t)count | (int64_t)unsent << TK_STREAM_UNSENT_SHIFT |
           flags << TK_STREAM_FLAGS_SHIFT;
}

int64_t tk_stream_handshake(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = handshake, .kind = TK_HANDSHAKE };

    return tk_op_do(c, &op, timeout);
}

int64_t tk_stream_receive(tk_conn *c)
{
    return tk_stream_receive_into(c, tk_stage_plain(c->stage), TK_STAGE_ROOM);
}

/* Whether a receive returns something without the socket. */
static int waits(const tk_conn *c)
{
    return c->ahead.size > 0 || c->parked != TK_STEP_NONE || SSL_has_pending(c->ssl) ||
           (SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/* A room that is full says nothing of what is left behind it. */
static int is_left(const tk_conn *c, const tk_op *op)
{
    return op->again || (op->done == op->size && op->done > 0 &&
                         (waits(c) || c->stage == NULL || tk_stage_forgets(c->stage)));
}

int64_t tk_stream_receive_into(tk_conn *c, void *into, size_t room)
{
    tk_op op = { .step = receive, .into = into, .size = room, .kind = TK_READ };
    int64_t result;

    tk_conn_lock(c);
    result = tk_op_run(c, &op, 0);
    result = packed(c, result, op.done, is_left(c, &op));
    tk_conn_unlock(c);
    return result;
}

int64_t tk_stream_send(tk_conn *c, const void *data, size_t size)
{
    tk_op op = { .step = post, .data = data, .size = size, .kind = TK_WRITE };
    int64_t result;

    tk_conn_lock(c);
    result = tk_op_run(c, &op, 0);
    result = packed(c, result, op.done, result == TK_WANT_READ);
    tk_conn_unlock(c);
    return result;
}

int64_t tk_stream_finish(tk_conn *c)
{
    tk_op op = { .step = finish, .kind = TK_SHUTDOWN };
    int64_t result;

    tk_conn_lock(c);
    result = packed(c, tk_op_run(c, &op, 0), 0, 0);
    tk_conn_unlock(c);
    return result;
}

/* ---- small questions ---- */

int tk_stream_waiting(tk_conn *c)
{
    int waiting;

    tk_conn_lock(c);
    waiting = waits(c);
    tk_conn_unlock(c);
    return waiting;
}

size_t tk_stream_unsent(tk_conn *c)
{
    size_t size;

    tk_conn_lock(c);
    size = c->behind.size;
    tk_conn_unlock(c);
    return size;
}

size_t tk_stream_take(tk_conn *c, void *into, size_t room)
{
    size_t n;

    tk_conn_lock(c);
    n = tk_queue_take(&c->behind, into, room);
    tk_conn_unlock(c);
    return n;
}

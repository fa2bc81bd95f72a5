/* Operations on a connection: one SSL, one lock, one loop.

   How an operation runs. Handshake, read, write and shutdown are each a `step`: a function that
   calls libssl once or more and returns the outcome. `tk_op_run`, under the connection's lock,
   clears this thread's error queue, runs the step, and records the fault if it failed, all before
   the lock is released. Only then, if the step needs I/O, and there is a socket and time left, does
   it wait in the kernel (tk_wait.c), *without* the lock, and try again. So one thread can be in a
   read while another writes and a third closes; of several readers one waits for the socket. A
   timeout of 0 is all that the memory transport and non-blocking sockets need: the same step, no
   wait.

   How bytes are sent. libssl never sees a full socket (tk_transport.c): a record that the socket
   refuses waits in `behind`, and every step ends by trying to send it. A write is complete when
   none of its bytes wait there; tk_write.c has the rules for those that end earlier.

   How a connection is closed while in use. tk_conn_close marks it, wakes the threads in poll by
   shutting the socket down, and waits until they have left; after that, the descriptor may be
   closed, and its number used again. */
#include "tk_op.h"
#include "tk_fault.h"
#include "tk_lock.h"
#include "tk_result.h"
#include "tk_transport.h"
#include "tk_wait.h"

enum { BUDGET = 65536 }; /* bytes from the peer that one call of libssl may work through */

void tk_op_refill(tk_conn *c)
{
    c->starved = 0;
    c->budget = BUDGET;
}

tk_outcome tk_op_classify(tk_conn *c, tk_op *op, int result)
{
    switch (op->ssl_error = SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return c->starved ? TK_STEP_WANT_READ : TK_STEP_MORE;
    case SSL_ERROR_WANT_WRITE:
        if (c->send_failed == 0)
            return TK_STEP_WANT_WRITE;
        op->ssl_error = SSL_ERROR_SYSCALL;
        return TK_STEP_SYSCALL;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    case SSL_ERROR_WANT_X509_LOOKUP:
    case SSL_ERROR_WANT_RETRY_VERIFY:
        return c->unanswered ? TK_STEP_PAUSED : TK_STEP_SSL;
    case SSL_ERROR_ZERO_RETURN:
        if (tk_result_is_cut(c))
            return tk_op_cut(op);
        /* The end of the data to a reader; once both sides have ended, only to one that waits:
           another thread unwraps. */
        if (op->kind == TK_READ &&
            (SSL_get_shutdown(c->ssl) == SSL_RECEIVED_SHUTDOWN || op->may_wait))
            return TK_STEP_EOF;
        return TK_STEP_ZERO_RETURN;
    case SSL_ERROR_SYSCALL:
        return TK_STEP_SYSCALL;
    default:
        return TK_STEP_SSL;
    }
}

/* The peer has ended without close_notify, which is an error: report it as libssl does. */
tk_outcome tk_op_cut(tk_op *op)
{
    ERR_raise(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING);
    op->ssl_error = SSL_ERROR_SSL;
    return TK_STEP_SSL;
}

static int is_want(tk_outcome outcome)
{
    return outcome == TK_STEP_WANT_READ || outcome == TK_STEP_WANT_WRITE ||
           outcome == TK_STEP_WANT_TURN || outcome == TK_STEP_WANT_DOOR;
}

static int64_t status_of(const tk_op *op, tk_outcome outcome)
{
    switch (outcome) {
    case TK_STEP_DONE:
        return op->counts ? (int64_t)op->done : TK_DONE;
    case TK_STEP_ENDED:
        return TK_ENDED;
    case TK_STEP_EOF:
        return TK_EOF;
    case TK_STEP_ZERO_RETURN:
        return TK_ZERO_RETURN;
    case TK_STEP_WANT_READ:
        return TK_WANT_READ;
    case TK_STEP_WANT_WRITE:
    case TK_STEP_WANT_TURN:
    case TK_STEP_WANT_DOOR:
        return TK_WANT_WRITE;
    case TK_STEP_MORE:
        return TK_INTERRUPTED;
    case TK_STEP_PAUSED:
        return TK_PAUSED;
    case TK_STEP_UNWANTED:
        return TK_UNWANTED;
    case TK_STEP_SYSCALL:
        return TK_SYSCALL;
    default:
        return TK_SSL;
    }
}

/* The errno of the operation's own direction first: after a reset, libssl tries to send an alert,
   and fails with EPIPE. */
static int errno_of(const tk_conn *c, const tk_op *op)
{
    int first = op->kind == TK_WRITE ? c->write_errno : c->read_errno;
    int second = op->kind == TK_WRITE ? c->read_errno : c->write_errno;

    return first != 0 ? first : second;
}

/* After every step except a write's: send what libssl has written meanwhile. */
tk_outcome tk_op_flush(tk_conn *c, tk_op *op, tk_outcome outcome)
{
    int flushed = c->behind.size > 0 ? tk_transport_flush(c) : 1;

    if (flushed == 1 || tk_is_failure(outcome))
        return outcome;
    if (flushed < 0) {
        op->ssl_error = SSL_ERROR_SYSCALL;
        return TK_STEP_SYSCALL;
    }
    return TK_STEP_WANT_WRITE;
}

/* Take the fault now, in the thread and the call that failed. Without memory for it, it stays
   without details. */
static void take_fault(tk_conn *c, const tk_op *op, int sys_errno)
{
    tk_fault **slot = &c->fault[op->kind];

    if (*slot != NULL || (*slot = malloc(sizeof **slot)) != NULL)
        tk_fault_capture(*slot, c, op->ssl_error, sys_errno);
}

void tk_op_take_fault(tk_conn *c, const tk_op *op) { take_fault(c, op, errno_of(c, op)); }

/* Report what an operation of that kind has reported. */
static tk_outcome repeat_fault(tk_conn *c, const tk_op *op, int kind)
{
    const tk_fault *earlier = c->fault[kind];
    tk_fault **slot = &c->fault[op->kind];

    if (*slot != NULL || (*slot = malloc(sizeof **slot)) != NULL) {
        if (*slot != earlier)
            **slot = *earlier;
        (*slot)->repeated = 1;
    }
    return earlier->ssl_error == SSL_ERROR_SYSCALL ? TK_STEP_SYSCALL : TK_STEP_SSL;
}

/* libssl says only once why a handshake has failed, and then that the transport has ended, or that
   a function must not be called. */
static int has_failed_before(tk_conn *c, const tk_op *op)
{
    return c->failed > 0 && !c->done && c->fault[c->failed - 1] != NULL &&
           op->kind != TK_SHUTDOWN;
}

/* libssl 4.0 reports only once why an operation has failed, whichever thread has called it. Return
   the kind of operation that has reported it; -1 if there is none. */
static int reported_before(const tk_conn *c, const tk_op *op)
{
    const int kinds[] = { TK_READ, op->kind, TK_HANDSHAKE };
    size_t i;

    if (op->kind == TK_READ && c->parked != TK_STEP_NONE) /* libssl was not called */
        return -1;
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (c->fault[kinds[i]] != NULL)
            return kinds[i];
    return -1;
}

static tk_outcome attempt(tk_conn *c, tk_op *op)
{
    tk_outcome outcome;
    int kind;

    c->read_errno = c->write_errno = c->interrupted = 0;
    c->reader_room = 0;
    if (c->unanswered && op->kind != TK_SHUTDOWN)
        return TK_STEP_PAUSED;
    tk_fault_begin();
    tk_op_refill(c);
    /* Nothing that is written reaches a peer that has aborted the connection. */
    if (op->kind != TK_READ && c->send_failed == 0 && tk_result_is_cut(c))
        outcome = tk_op_cut(op);
    else
        outcome = c->demanding ? (tk_outcome)c->demanding_step(c, op) : op->step(c, op);
    if (tk_is_failure(outcome) && has_failed_before(c, op))
        return repeat_fault(c, op, c->failed - 1);
    if (outcome == TK_STEP_SSL && ERR_peek_error() == 0 && (kind = reported_before(c, op)) >= 0)
        return repeat_fault(c, op, kind);
    if (tk_is_failure(outcome) && (op->kind != TK_READ || c->parked == TK_STEP_NONE))
        tk_op_take_fault(c, op);
    if (outcome == TK_STEP_SSL && !c->done && op->kind != TK_SHUTDOWN)
        c->failed = (uint8_t)(1 + op->kind);
    if (op->kind == TK_READ && outcome == TK_STEP_SSL)
        /* libssl would report it only once, and the next reader needs it too */
        c->parked = outcome;
    return c->interrupted && is_want(outcome) ? TK_STEP_MORE : outcome;
}

/* A read that needs no call of libssl. */
static int has_to_wait(tk_conn *c, const tk_op *op)
{
    if (op->kind != TK_READ || !op->may_wait || c->unwanted)
        return 0;
    if (tk_op_leaves_reading(c, op)) {
        (void)tk_transport_flush(c);
        return 1;
    }
    if (!c->dry || c->parked != TK_STEP_NONE || c->ahead.size > 0 || c->behind.size > 0 ||
        c->unanswered)
        return 0;
    c->dry = 0; /* as the last time: it would ask an empty socket */
    return SSL_is_init_finished(c->ssl) && !SSL_has_pending(c->ssl) &&
           SSL_get_shutdown(c->ssl) == 0;
}

/* Whether an operation must end here, and with which status. */
static int ends(tk_conn *c, tk_op *op, tk_outcome outcome, int64_t deadline, tk_look *look,
                int64_t *status)
{
    int64_t left = -1;
    int met;

    if (!is_want(outcome) || (!op->may_wait && outcome != TK_STEP_WANT_DOOR)) {
        *status = status_of(op, outcome);
        return 1;
    }
    if (c->closed) { /* by a callback, in this step */
        *status = TK_CLOSED;
        return 1;
    }
    if (op->limited && (left = deadline - tk_clock_ms()) <= 0) {
        *status = TK_TIMED_OUT;
        return 1;
    }
    met = tk_op_wait(c, op, outcome, left, look);
    op->waited = 1;
    if (met == TK_SYSCALL)
        take_fault(c, op, tk_fd_errno());
    if (met == TK_TIMED_OUT && op->kind != TK_READ && !(op->limited && deadline <= tk_clock_ms()))
        met = TK_INTERRUPTED; /* only a part of the time: the caller looks for signals */
    *status = met;
    return met != TK_DONE && met != TK_TIMED_OUT; /* whether the time is over, the clock says */
}

int64_t tk_op_run(tk_conn *c, tk_op *op, int64_t timeout)
{
    /* the clock has cut off part of a millisecond */
    int64_t deadline = timeout > 0 ? tk_clock_ms() + timeout + 1 : 0, status;
    tk_outcome outcome;
    tk_look look;

    look.size = 0;
    look.fresh = 0;
    op->may_wait = timeout != 0 && c->fd >= 0;
    op->limited = timeout > 0;
    do {
        if (c->closed || c->orphaned)
            return TK_CLOSED;
        if (c->inside && c->inside_thread == tk_thread())
            return TK_REENTERED;
        c->look = look.fresh ? &look : NULL;
        look.fresh = 0;
        outcome = c->inside            ? TK_STEP_WANT_DOOR
                  : has_to_wait(c, op) ? TK_STEP_WANT_READ
                                       : attempt(c, op);
        c->look = NULL;
    } while (!ends(c, op, outcome, deadline, &look, &status));
    if (op->kind == TK_READ)
        c->dry = op->waited && look.size < sizeof look.bytes;
    if (op->waited)
        tk_op_hand_over(c);
    return status;
}

int64_t tk_op_do(tk_conn *c, tk_op *op, int64_t timeout)
{
    int64_t status;

    tk_conn_lock(c);
    status = tk_op_run(c, op, timeout);
    tk_conn_unlock(c);
    return status;
}

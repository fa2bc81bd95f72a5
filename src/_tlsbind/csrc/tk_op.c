/* Operations on a connection: one SSL, one lock, one loop.

   How an operation runs. Handshake, read, write and shutdown are each a `step`: a function that
   calls libssl once or more and says what came of it. `tk_op_run`, under the connection's lock,
   clears this thread's error queue, makes the step, and takes the fault if it failed, all before
   the lock is released. Only then, when the step wants I/O, and there is a socket and time left,
   does it wait in the kernel (tk_wait.c), *without* the lock; and tries again. So one thread may
   sit in a read while another writes and a third closes; of several readers one waits for the
   socket. A timeout of 0 is the whole of the memory transport and of non-blocking sockets: the same
   step, no wait.

   How bytes leave. libssl never meets a full socket (tk_transport.c): a record that the socket
   refuses waits in `behind`, and every step ends by trying to send it. A write has happened when
   nothing of it waits there any more; tk_write.c has the rules for those that end before.

   How a connection ends under its users. tk_conn_close marks it, wakes the threads in poll by
   shutting the socket down, and waits until they have left; the descriptor may be closed after
   that, and its number used again. */
#include "tk_op.h"
#include "tk_fault.h"
#include "tk_transport.h"
#include "tk_wait.h"

int64_t tk_op_classify(tk_conn *c, tk_op *op, int result)
{
    switch (op->ssl_error = SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TK_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TK_WANT_WRITE;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        return TK_PAUSED;
    case SSL_ERROR_ZERO_RETURN:
        /* The end of the data to a reader; once both sides have ended, only to one that waits:
           another thread unwraps. */
        if (op->kind == TK_READ &&
            (SSL_get_shutdown(c->ssl) == SSL_RECEIVED_SHUTDOWN || op->may_wait))
            return TK_EOF;
        return TK_ZERO_RETURN;
    case SSL_ERROR_SYSCALL:
        return TK_SYSCALL;
    default:
        return TK_SSL;
    }
}

static int is_want(int64_t status)
{
    return status == TK_WANT_READ || status == TK_WANT_WRITE || status == TK_TURN;
}

/* The errno of the operation's own direction first: after a reset, libssl tries to send an alert,
   and fails with EPIPE. */
static int errno_of(const tk_conn *c, const tk_op *op)
{
    int first = op->kind == TK_WRITE ? c->write_errno : c->read_errno;
    int second = op->kind == TK_WRITE ? c->read_errno : c->write_errno;

    return first != 0 ? first : second;
}

/* After every step but a write's: send on what libssl has written meanwhile. */
int64_t tk_op_flush(tk_conn *c, tk_op *op, int64_t status)
{
    int flushed = c->behind.size > 0 ? tk_transport_flush(c) : 1;

    if (flushed == 1 || tk_is_failure(status))
        return status;
    if (flushed < 0) {
        op->ssl_error = SSL_ERROR_SYSCALL;
        return TK_SYSCALL;
    }
    return TK_WANT_WRITE;
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

/* libssl 4.0 does not say a second time what another thread's read has failed of. */
static int64_t repeat_fault(tk_conn *c, const tk_op *op)
{
    tk_fault **slot = &c->fault[op->kind];

    if (*slot != NULL || (*slot = malloc(sizeof **slot)) != NULL)
        **slot = *c->fault[TK_READ];
    return c->fault[TK_READ]->ssl_error == SSL_ERROR_SYSCALL ? TK_SYSCALL : TK_SSL;
}

static int64_t attempt(tk_conn *c, tk_op *op)
{
    int64_t status;

    c->read_errno = c->write_errno = c->interrupted = 0;
    c->reader_room = 0;
    if (c->unanswered && op->kind != TK_SHUTDOWN)
        return TK_PAUSED;
    tk_fault_begin();
    status = op->step(c, op);
    if (status == TK_SSL && op->kind != TK_READ && ERR_peek_error() == 0 &&
        c->fault[TK_READ] != NULL)
        return repeat_fault(c, op);
    if (tk_is_failure(status) && (op->kind != TK_READ || c->parked == 0))
        tk_op_take_fault(c, op);
    if (op->kind == TK_READ && status == TK_SSL)
        /* libssl would not say it twice, and the next reader has to hear it too */
        c->parked = status;
    return c->interrupted && is_want(status) ? TK_INTERRUPTED : status;
}

/* A read that libssl need not be asked about. */
static int has_to_wait(tk_conn *c, const tk_op *op)
{
    if (op->kind != TK_READ || !op->may_wait)
        return 0;
    if (tk_op_leaves_reading(c, op)) {
        (void)tk_transport_flush(c);
        return 1;
    }
    if (!c->dry || c->parked != 0 || c->ahead.size > 0 || c->behind.size > 0 || c->unanswered)
        return 0;
    c->dry = 0; /* as the last time: it would ask an empty socket */
    return SSL_is_init_finished(c->ssl) && SSL_pending(c->ssl) == 0 &&
           SSL_get_shutdown(c->ssl) == 0;
}

int64_t tk_op_run(tk_conn *c, tk_op *op, int64_t timeout)
{
    /* the clock has cut off part of a millisecond */
    int64_t deadline = timeout > 0 ? tk_clock_ms() + timeout + 1 : 0, left = timeout, status;
    tk_look look;

    look.size = 0;
    op->may_wait = timeout != 0 && c->fd >= 0;
    op->limited = timeout > 0;
    for (;;) {
        int waited;

        status = c->closed            ? TK_CLOSED
                 : c->inside          ? TK_REENTERED
                 : has_to_wait(c, op) ? TK_WANT_READ
                                      : attempt(c, op);
        c->look = NULL;
        if (!is_want(status) || c->fd < 0 || timeout == 0)
            break;
        if (timeout > 0 && (left = deadline - tk_clock_ms()) <= 0) {
            status = TK_TIMED_OUT;
            break;
        }
        waited = tk_op_wait(c, op, status, left, &look);
        op->waited = 1;
        if (waited == TK_SYSCALL)
            take_fault(c, op, tk_fd_errno());
        if (waited != TK_DONE && waited != TK_TIMED_OUT) {
            status = waited;
            break;
        }
    }
    if (op->kind == TK_READ)
        c->dry = op->waited && look.size < sizeof look.bytes;
    return status;
}

int64_t tk_op_do(tk_conn *c, tk_op *op, int64_t timeout)
{
    int64_t status;

    tk_lock(&c->mutex);
    status = tk_op_run(c, op, timeout);
    tk_unlock(&c->mutex);
    return status;
}


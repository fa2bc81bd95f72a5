/* A connection: one SSL, one lock, one loop.

   How an operation runs. Handshake, read, write and shutdown are each a `step`: a function that calls libssl once or
   more and says what came of it. `run` takes the connection's lock, clears this thread's error queue, makes the step,
   and takes the fault if it failed, all before the lock is released. Only then, when the step wants I/O, and there is
   a socket and time left, does it wait in poll, *without* the lock; and tries again. So one thread may sit in a read
   while another writes and a third closes. A timeout of 0 is the whole of the memory transport and of non-blocking
   sockets: the same step, no wait.

   How bytes leave. libssl never meets a full socket (tk_transport.c): a record that the socket refuses waits in
   `behind`, and every step ends by trying to send it. A write has happened when nothing of it waits there any more. When
   the caller's time runs out before, the plaintext that is encrypted already is *owed*: the caller repeats the write
   with the same bytes, as OpenSSL asks of it too, and is told of them then. A byte is never encrypted twice. A writer
   that waits here gathers several records for one send.

   How a connection ends under its users. tk_conn_close marks it, wakes the threads in poll by shutting the socket
   down, and waits until they have left; the descriptor may be closed after that, and its number used again. */
#include "tk.h"

enum {
    RECORD_MOST = 16384,
    SLICE_MS = 50, /* see slice() */
    CORK_MOST = 8 * RECORD_MOST /* how much a blocking write gathers for one send */
};

typedef struct tk_op {
    int64_t (*step)(tk_conn *c, struct tk_op *op);
    uint8_t *into;       /* read */
    const uint8_t *data; /* write */
    size_t size;
    size_t taken;        /* write: encrypted so far */
    size_t done;         /* read or on the wire so far */
    int may_wait, waited;
    int kind;            /* TK_HANDSHAKE ... */
    int zeros;           /* shutdown: answers of 0 so far */
    int ssl_error;
} tk_op;

/* ---- the loop ---- */

static int64_t classify(tk_conn *c, tk_op *op, int result)
{
    switch (op->ssl_error = SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TK_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TK_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        /* The end of the data to a reader; once both sides have ended, only to one that was waiting for them. */
        if (op->kind == TK_READ && (SSL_get_shutdown(c->ssl) == SSL_RECEIVED_SHUTDOWN || op->waited))
            return TK_EOF;
        return TK_ZERO_RETURN;
    case SSL_ERROR_SYSCALL:
        return TK_SYSCALL;
    default:
        return TK_SSL;
    }
}

static int is_want(int64_t status) { return status == TK_WANT_READ || status == TK_WANT_WRITE; }
static int is_failure(int64_t status) { return status == TK_SYSCALL || status == TK_SSL; }

/* The errno of the operation's own direction first: after a reset, libssl tries to send an alert, and fails with EPIPE. */
static int errno_of(const tk_conn *c, const tk_op *op)
{
    int first = op->kind == TK_WRITE ? c->write_errno : c->read_errno;
    int second = op->kind == TK_WRITE ? c->read_errno : c->write_errno;

    return first != 0 ? first : second;
}

/* After every step but a write's: send on what libssl has written meanwhile. */
static int64_t flush_after(tk_conn *c, tk_op *op, int64_t status)
{
    int flushed = c->behind.size > 0 ? tk_transport_flush(c) : 1;

    if (flushed == 1 || is_failure(status))
        return status;
    if (flushed < 0) {
        op->ssl_error = SSL_ERROR_SYSCALL;
        return TK_SYSCALL;
    }
    return TK_WANT_WRITE;
}

/* Take the fault now, in the thread and the call that failed. Without memory for it, it stays without details. */
static void take_fault(tk_conn *c, const tk_op *op, int sys_errno)
{
    tk_fault **slot = &c->fault[op->kind];

    if (*slot != NULL || (*slot = malloc(sizeof **slot)) != NULL)
        tk_fault_capture(*slot, c, op->ssl_error, sys_errno);
}

static int64_t attempt(tk_conn *c, tk_op *op)
{
    int64_t status;

    c->read_errno = c->write_errno = 0;
    c->reader_room = 0;
    if (c->unanswered && op->kind != TK_SHUTDOWN)
        return TK_PAUSED;
    tk_fault_begin();
    status = op->step(c, op);
    if (is_failure(status) && (op->kind != TK_READ || c->parked == 0))
        take_fault(c, op, errno_of(c, op));
    if (op->kind == TK_READ && status == TK_SSL)
        c->parked = status; /* libssl would not say it twice, and the next reader has to hear it too */
    return status;
}

/* Enough to tell the bytes of one writer from another's (FNV-1a, 64 bits). */
static uint64_t fingerprint(const uint8_t *data, size_t size)
{
    uint64_t h = 0xcbf29ce484222325u;
    size_t i;

    for (i = 0; i < size; i++)
        h = (h ^ data[i]) * 0x100000001b3u;
    return h;
}

/* A write that ends early returns what is on the wire, and owes the rest of what it has encrypted. */
static int64_t settle(tk_conn *c, tk_op *op, int64_t status)
{
    if (op->kind != TK_WRITE || status >= 0)
        return status;
    if (op->taken > op->done) {
        c->owed = op->taken - op->done;
        c->owed_print = fingerprint(op->data + op->done, c->owed);
    }
    return op->done > 0 && !is_failure(status) ? (int64_t)op->done : status;
}

/* Called and returning with the lock held. */
static int wait_unlocked(tk_conn *c, int64_t status, int64_t ms)
{
    int reading = status == TK_WANT_READ;
    int writing = status == TK_WANT_WRITE || c->behind.size > 0;
    int waited;

    if (c->generation != tk_generation) {
        c->generation = tk_generation;
        c->waiting = 0;
    }
    c->waiting++;
    tk_unlock(&c->mutex);
    waited = tk_wait(c, reading, writing, ms);
    tk_lock(&c->mutex);
    c->waiting--;
    if (c->closed && c->waiting == 0)
        tk_condition_broadcast(&c->left);
    return c->closed ? TK_CLOSED : waited;
}

/* Nothing to read without the socket, and nothing that must be done first. */
static int nothing_here(const tk_conn *c)
{
    return c->ahead.size == 0 && c->behind.size == 0 && !c->unanswered && SSL_is_init_finished(c->ssl)
        && SSL_pending(c->ssl) == 0 && SSL_get_shutdown(c->ssl) == 0;
}

/* A handshake and a shutdown look again from time to time: another thread may have read what they wait for. */
static int64_t slice(const tk_op *op, int64_t left)
{
    if (op->kind == TK_HANDSHAKE || op->kind == TK_SHUTDOWN)
        return left < 0 || left > SLICE_MS ? SLICE_MS : left;
    return left;
}

static int64_t run(tk_conn *c, tk_op *op, int64_t timeout)
{
    int64_t deadline = timeout > 0 ? tk_clock_ms() + timeout + 1 : 0, left = timeout, status; /* the clock has cut off part of a millisecond */

    op->may_wait = timeout != 0 && c->fd >= 0;
    tk_lock(&c->mutex);
    for (;;) {
        int waited;

        if (op->kind == TK_READ && op->may_wait && c->dry && !c->closed && c->parked == 0 && nothing_here(c)) {
            c->dry = 0; /* as the last time: libssl would ask an empty socket */
            status = TK_WANT_READ;
        } else {
            status = c->closed ? TK_CLOSED : attempt(c, op);
        }
        if (!is_want(status) || c->fd < 0 || timeout == 0)
            break;
        if (timeout > 0 && (left = deadline - tk_clock_ms()) <= 0) {
            status = TK_TIMED_OUT;
            break;
        }
        waited = wait_unlocked(c, status, slice(op, left));
        op->waited = 1;
        if (waited == TK_SYSCALL)
            take_fault(c, op, tk_fd_errno());
        if (waited != TK_DONE && waited != TK_TIMED_OUT) {
            status = waited;
            break;
        }
    }
    if (op->kind == TK_READ)
        c->dry = (uint8_t)op->waited;
    status = settle(c, op, status);
    tk_unlock(&c->mutex);
    return status;
}

/* ---- the steps ---- */

static int64_t step_handshake(tk_conn *c, tk_op *op)
{
    int result = SSL_do_handshake(c->ssl);

    return flush_after(c, op, result == 1 ? TK_DONE : classify(c, op, result));
}

static int64_t step_read(tk_conn *c, tk_op *op)
{
    int64_t status;
    int more;

    if (c->parked != 0)
        return c->parked;
    do {
        size_t n = 0;
        int result;

        c->reader_room = c->shutdown_sent ? 0 : op->size - op->done;
        result = SSL_read_ex(c->ssl, op->into + op->done, op->size - op->done, &n);
        if (result != 1) {
            status = classify(c, op, result);
            if (op->done == 0)
                break;
            if (is_failure(status)) { /* the bytes come first; the connection has failed for good */
                take_fault(c, op, errno_of(c, op));
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
    if (SSL_is_init_finished(c->ssl))
        (void)SSL_free_buffers(c->ssl); /* after a ticket libssl holds a write buffer, and SSL_MODE_RELEASE_BUFFERS forgets it */
    if (c->behind.size == 0)
        return status;
    /* What waits to be sent is a writer's, who is waiting too or will come back, or an answer of libssl's own: only a
       caller that does not wait here must be told of the latter. A reader waits for both directions, and what a send
       says of a broken connection is the writer's news: the socket has its own for a reader. */
    if (tk_transport_flush(c) == 0 && status == TK_WANT_READ && !op->may_wait && c->owed == 0)
        return TK_WANT_WRITE;
    return status;
}

static int64_t refuse_retry(tk_op *op, int reason)
{
    ERR_raise(ERR_LIB_SSL, reason);
    op->ssl_error = SSL_ERROR_SSL;
    return TK_SSL;
}

/* Take over what an earlier call encrypted and did not report. */
static int64_t take_owed(tk_conn *c, tk_op *op)
{
    if (c->owed > op->size)
        return refuse_retry(op, SSL_R_BAD_LENGTH);
    if (fingerprint(op->data, c->owed) != c->owed_print)
        return refuse_retry(op, SSL_R_BAD_WRITE_RETRY);
    op->taken = c->owed;
    c->owed = 0;
    return TK_DONE;
}

static int64_t step_write(tk_conn *c, tk_op *op)
{
    size_t most = c->fd < 0 ? op->size : RECORD_MOST;

    c->corked = op->may_wait && op->size > RECORD_MOST && c->behind.size == 0;
    if (c->owed > 0 && op->taken == 0 && take_owed(c, op) != TK_DONE)
        return TK_SSL;
    for (;;) {
        size_t n = 0, chunk;
        int result, flushed = c->corked ? 1 : tk_transport_flush(c);

        if (flushed < 0) {
            op->ssl_error = SSL_ERROR_SYSCALL;
            return TK_SYSCALL;
        }
        if (flushed == 0)
            return TK_WANT_WRITE;
        if (!c->corked)
            op->done = op->taken;
        if (op->done == op->size && op->size > 0)
            return (int64_t)op->done;
        if (op->size == 0) /* nothing to send, but a handshake may be due */
            return (result = SSL_do_handshake(c->ssl)) == 1 ? 0 : classify(c, op, result);
        chunk = op->size - op->taken < most ? op->size - op->taken : most;
        result = SSL_write_ex(c->ssl, op->data + op->taken, chunk, &n);
        if (result != 1) {
            c->corked = 0;
            return flush_after(c, op, classify(c, op, result));
        }
        op->taken += n;
        c->corked = op->may_wait && op->taken < op->size && c->behind.size < CORK_MOST;
    }
}

static int64_t step_shutdown(tk_conn *c, tk_op *op)
{
    for (;;) {
        int result = SSL_shutdown(c->ssl);
        if (result < 0)
            return flush_after(c, op, classify(c, op, result));
        c->shutdown_sent = 1;
        if (result == 1 || ++op->zeros > 1)
            return flush_after(c, op, TK_DONE);
    }
}

/* ---- the operations ---- */

int64_t tk_conn_handshake(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = step_handshake, .kind = TK_HANDSHAKE };

    return run(c, &op, timeout);
}

int64_t tk_conn_read(tk_conn *c, void *into, size_t room, int64_t timeout)
{
    tk_op op = { .step = step_read, .into = into, .size = room, .kind = TK_READ };

    return run(c, &op, timeout);
}

int64_t tk_conn_write(tk_conn *c, const void *data, size_t size, int64_t timeout)
{
    tk_op op = { .step = step_write, .data = data, .size = size, .kind = TK_WRITE };

    return run(c, &op, timeout);
}

int64_t tk_conn_shutdown(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = step_shutdown, .kind = TK_SHUTDOWN };

    return run(c, &op, timeout);
}

void tk_conn_fault(tk_conn *c, int operation, tk_fault *out)
{
    memset(out, 0, sizeof *out);
    tk_lock(&c->mutex);
    if (c->fault[operation] != NULL)
        *out = *c->fault[operation];
    tk_unlock(&c->mutex);
}

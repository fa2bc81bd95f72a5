/* All waiting in the kernel. A signal is a status, not an error: Python's handlers have to run.

   A waiting thread does not hold the connection's lock. Several threads may wait: of the readers
   one waits for the socket, and the others for that one, which wakes the next of them when it has
   what it came for; a writer waits for its turn (tk_write.c).
   A reader without a timeout, on a blocking socket, does not poll: it peeks at the incoming bytes
   (MSG_PEEK), as the transport would have to do next. */
#include "tk_wait.h"
#include "tk_lock.h"

enum { SLICE_MS = 50, WRITE_SLICE_MS = 250 };

static int wait_for_socket(const tk_conn *c, int reading, int writing, int64_t ms)
{
    struct pollfd p = { 0 };
    int whole = ms >= 0 && ms <= TK_POLL_MOST, n;

    p.fd = (tk_fd)c->fd;
    p.events = (short)((reading ? POLLIN : 0) | (writing ? POLLOUT : 0));
    n = tk_fd_poll(&p, whole ? (int)ms : TK_POLL_MOST);
    if (n > 0)
        return TK_DONE; /* also on POLLERR and POLLHUP: the next read or write gets the error */
    if (n == 0) /* part of the time: the caller handles signals and calls again */
        return whole ? TK_TIMED_OUT : TK_INTERRUPTED;
    return tk_fd_errno() == TK_EINTR ? TK_INTERRUPTED : TK_SYSCALL;
}

/* The kernel reports a failure once: it is part of what was seen. A non-blocking socket is for
   poll. */
static int wait_for_bytes(const tk_conn *c, tk_look *look)
{
    int n = (int)tk_fd_peek_waiting((tk_fd)c->fd, look->bytes, sizeof look->bytes),
        e = tk_fd_errno();

    if (n < 0 && e == TK_EINTR)
        return TK_INTERRUPTED;
    if (n < 0 && tk_fd_would_block(e))
        return wait_for_socket(c, 1, 0, -1);
    look->size = n > 0 ? (size_t)n : 0;
    look->error = n < 0 ? e : 0;
    return TK_DONE;
}

/* Before a thread begins to wait without the lock, and after. */
static void count_in(tk_conn *c) { c->waiting++; }

static void count_out(tk_conn *c)
{
    if (--c->waiting == 0 && c->closed)
        tk_condition_broadcast(&c->left);
}

/* Another thread waits to read, and there is nothing to read yet. Whatever comes next is for that
   one to take in: it would sleep on if this one took it, and hear nothing of the peer's end. */
int tk_op_leaves_reading(const tk_conn *c, const tk_op *op)
{
    if (!op->may_wait || !c->reader || (op->kind != TK_READ && op->kind != TK_SHUTDOWN))
        return 0;
    return c->parked == TK_STEP_NONE && !(SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) &&
           SSL_pending(c->ssl) == 0;
}

static int64_t at_most(int64_t most, int64_t left) { return left < 0 || left > most ? most : left; }
static int64_t slice(int64_t left) { return at_most(SLICE_MS, left); }

/* All but a reader look again from time to time. A signal that comes while a large write is
   encrypted ends no poll that begins after it: without this, Ctrl-C would not stop a program whose
   peer has stopped reading. */
static int64_t longest(const tk_op *op, int reads, int64_t left)
{
    if (op->kind == TK_READ && reads)
        return left;
    return at_most(op->kind == TK_WRITE ? WRITE_SLICE_MS : SLICE_MS, left);
}

static int wait_unlocked(tk_conn *c, const tk_op *op, tk_outcome wanted, int64_t left,
                         tk_look *look)
{
    int reads = wanted == TK_STEP_WANT_READ && !tk_op_leaves_reading(c, op),
        reader = reads && op->kind == TK_READ;
    int writes = wanted == TK_STEP_WANT_WRITE || c->behind.size > 0;
    uint64_t taken = c->taken;
    int waited;

    count_in(c);
    c->reader |= reader;
    tk_conn_unlock(c);
    look->size = 0;
    look->error = 0;
    if (reader && !writes && left < 0)
        waited = wait_for_bytes(c, look);
    else
        waited = wait_for_socket(c, reads, writes,
                                 longest(op, reads || wanted != TK_STEP_WANT_READ, left));
    tk_conn_lock(c);
    c->reader &= !reader;
    count_out(c);
    look->fresh = look->error != 0 || (look->size > 0 && c->taken == taken);
    return waited;
}

/* Another write, or a callback of another thread's, ends soon, or its caller has to come back. A
   condition does not hear of signals: look for them. */
static int wait_for_thread(tk_conn *c, tk_condition *condition, int64_t left)
{
    int passed;

    count_in(c);
    passed = tk_conn_wait(c, condition, (int)slice(left));
    count_out(c);
    return passed ? TK_DONE : TK_INTERRUPTED;
}

/* One thread, and not all: it wakes the next in turn. The thread that comes back for more may be
   faster; then the one that was woken finds a reader again. */
void tk_op_hand_over(tk_conn *c)
{
    if (c->waiting > 0 && !c->reader)
        tk_condition_signal(&c->handover);
}

int tk_op_wait(tk_conn *c, const tk_op *op, tk_outcome wanted, int64_t left, tk_look *look)
{
    int waited;

    if (wanted == TK_STEP_WANT_TURN || wanted == TK_STEP_WANT_DOOR)
        waited = wait_for_thread(c, &c->turns, left);
    else if (op->kind == TK_READ && c->behind.size == 0 && tk_op_leaves_reading(c, op))
        waited = wait_for_thread(c, &c->handover, left);
    else
        waited = wait_unlocked(c, op, wanted, left, look);
    return c->closed ? TK_CLOSED : waited;
}

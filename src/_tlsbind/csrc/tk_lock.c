/* The lock of a connection. It is held while libssl works, for a bounded time, and never by a
   waiting thread, whether it waits for a socket or for Python behind a door (tk_door.h).

   A thread that takes it repeatedly, because its peer keeps it busy, cannot starve the others: if
   another thread has waited for more than a moment, a thread that arrives lets it in first.

   In a forked child, the first thread that takes the lock removes the traces of the parent's
   threads. A connection that one of those was using, behind a door, is useless there: it is
   orphaned, and behaves as if it were closed. */
#include "tk_lock.h"

enum { PATIENCE_MS = 1 };

static void begin_in_child(tk_conn *c)
{
    static int32_t busy; /* threads of the child that arrive at once */

    while (tk_atomic_add(&busy, 1) != 1) {
        tk_atomic_add(&busy, -1);
        tk_pause();
    }
    if (c->generation != tk_generation) {
        if (!tk_try_lock(&c->mutex) || (c->inside > 0 && c->inside_thread != tk_thread()))
            c->orphaned = 1;
        tk_mutex_init(&c->mutex);
        tk_condition_init(&c->left);
        tk_condition_init(&c->turns);
        tk_condition_init(&c->handover);
        c->waiting = c->reader = c->queueing = 0;
        tk_atomic_store32(&c->generation, tk_generation);
    }
    tk_atomic_add(&busy, -1);
}

/* Whether a queued thread has waited for too long. */
static int somebody_is_late(tk_conn *c)
{
    return tk_atomic_load32(&c->queueing) != 0 &&
           tk_clock_ms() - tk_atomic_load(&c->queueing_since) > PATIENCE_MS;
}

void tk_conn_lock_slowly(tk_conn *c)
{
    if (tk_atomic_load32(&c->generation) != tk_generation)
        begin_in_child(c);
    while (somebody_is_late(c)) {
        tk_fork_leave(c);
        tk_pause();
        tk_fork_enter(c);
    }
    if (tk_try_lock(&c->mutex))
        return;
    if (tk_atomic_add(&c->queueing, 1) == 1)
        tk_atomic_store(&c->queueing_since, tk_clock_ms());
    tk_lock(&c->mutex);
    tk_atomic_store(&c->queueing_since, tk_clock_ms()); /* for the next one */
    tk_atomic_add(&c->queueing, -1);
}

int tk_conn_wait(tk_conn *c, tk_condition *condition, int ms)
{
    int in_time = 1;

    tk_fork_leave(c);
    if (ms < 0)
        tk_condition_wait(condition, &c->mutex);
    else
        in_time = tk_condition_wait_ms(condition, &c->mutex, ms);
    tk_unlock(&c->mutex);
    tk_conn_lock(c); /* not while a fork is in progress */
    return in_time;
}

void tk_conn_lock_outside(tk_conn *c)
{
    tk_conn_lock(c);
    while (c->inside > 0 && c->inside_thread != tk_thread() && !c->orphaned && !c->closed)
        tk_conn_wait(c, &c->turns, -1);
}

/* The lock of a connection: tk_lock.c. */
#ifndef TK_LOCK_H
#define TK_LOCK_H

#include "tk_conn.h"
#include "tk_fork.h"

void tk_conn_lock_slowly(tk_conn *c);
/* Let go of the lock until the condition holds, perhaps, or the time is over: then 0. -1: for
   ever */
int tk_conn_wait(tk_conn *c, tk_condition *condition, int ms);
/* As tk_conn_lock; and no callback of another thread's is under way. */
void tk_conn_lock_outside(tk_conn *c);

static inline void tk_conn_lock(tk_conn *c)
{
    tk_fork_enter(c);
    if (tk_atomic_load32(&c->generation) != tk_generation || tk_atomic_load32(&c->queueing) != 0 ||
        !tk_try_lock(&c->mutex))
        tk_conn_lock_slowly(c);
}

static inline void tk_conn_unlock(tk_conn *c)
{
    tk_unlock(&c->mutex);
    tk_fork_leave(c);
}

#endif

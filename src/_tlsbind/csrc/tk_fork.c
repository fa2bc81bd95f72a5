/* Forks. In a child only the thread that forked continues. Locks that other threads held stay
   locked, in libcrypto too, and data that they were changing stays half changed.

   So a fork waits until no other thread is running in here. Each call counts itself in and out,
   which costs two additions: operations of connections do so themselves, all others at the border
   (decl/gates.py). None of them waits for anything but a short computation, so the fork waits for
   milliseconds at most. Threads that wait for a socket, for another write, or for Python behind a
   door, have counted themselves out and hold no lock. Threads that want to enter during a fork wait
   for its end.

   A child then finds every lock free. It also finds traces of the threads that no longer exist;
   tk_generation deals with them: see tk_conn_lock in tk_lock.c. */
#include "tk_fork.h"

enum { PATIENCE_MS = 5000 }; /* then it forks all the same */

int32_t tk_generation, tk_forking;
tk_fork_counter tk_fork_counters[TK_FORK_COUNTERS];
static tk_mutex mutex; /* held while a fork is under way */

static int anybody_inside(void)
{
    int i;

    for (i = 0; i < TK_FORK_COUNTERS; i++)
        if (tk_atomic_load32(&tk_fork_counters[i].inside) != 0)
            return 1;
    return 0;
}

static void before(void)
{
    int64_t end = tk_clock_ms() + PATIENCE_MS;

    tk_lock(&mutex);
    tk_atomic_store32(&tk_forking, 1);
    while (anybody_inside() && tk_clock_ms() < end)
        tk_pause();
}

static void in_parent(void)
{
    tk_atomic_store32(&tk_forking, 0);
    tk_unlock(&mutex);
}

static void in_child(void)
{
    tk_generation++;
    memset(tk_fork_counters, 0, sizeof tk_fork_counters);
    in_parent();
}

/* A thread has counted itself in while a fork is under way. */
void tk_fork_wait(int32_t *inside)
{
    do {
        tk_atomic_add(inside, -1);
        tk_lock(&mutex);
        tk_unlock(&mutex);
        tk_atomic_add(inside, 1);
    } while (tk_atomic_load32(&tk_forking));
}

int tk_fork_init(void)
{
    tk_mutex_init(&mutex);
    return tk_at_fork(before, in_parent, in_child);
}

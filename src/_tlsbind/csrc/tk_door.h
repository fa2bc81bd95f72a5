/* A door: a call from C to Python. The connection's lock is released meanwhile: Python may take its
   time, close the connection, or query it from another thread. libssl's half-finished work is safe,
   because no thread continues it. Code behind the door leaves no trace in front of it: the error
   queue and errno are restored. */
#ifndef TK_DOOR_H
#define TK_DOOR_H

#include "tk_lock.h"
#include "tk_doors.h"

static inline void tk_door_leave(tk_conn *c, int door)
{
    c->inside = 1;
    c->inside_thread = tk_thread();
    c->door = (uint8_t)door;
    if (c->source != NULL)
        tk_mem_keep(c->incoming, c->source);
    tk_conn_unlock(c);
}

static inline void tk_door_return(tk_conn *c)
{
    tk_conn_lock(c);
    c->inside = 0;
    c->door = TK_DOOR_NONE;
    tk_condition_broadcast(&c->turns);
}

static inline int tk_door_open(tk_conn *c, int door)
{
    int error = errno;

    ERR_set_mark();
    tk_door_leave(c, door);
    return error;
}

static inline void tk_door_close(tk_conn *c, int error)
{
    tk_door_return(c);
    ERR_pop_to_mark();
    errno = error;
}

/* The same, after a question: a negative answer means that Python has raised. */
static inline int tk_door_answer(tk_conn *c, int error, int answer)
{
    tk_door_close(c, error);
    if (answer < 0)
        c->interrupted = 1;
    return answer;
}

#endif

/* The way through a door to Python. The lock stays outside: Python may take its time, close the
   connection, or ask it something from another thread. What libssl is in the middle of is safe
   meanwhile, since nobody goes on with it. What is done behind the door does not show in front: the
   error queue and errno are as they were. */
#ifndef TK_DOOR_H
#define TK_DOOR_H

#include "tk_lock.h"
#include "tk_doors.h"

static inline int tk_door_open(tk_conn *c, int door)
{
    int error = errno;

    c->inside = 1;
    c->inside_thread = tk_thread();
    c->door = (uint8_t)door;
    ERR_set_mark();
    tk_conn_unlock(c);
    return error;
}

static inline void tk_door_close(tk_conn *c, int error)
{
    tk_conn_lock(c);
    c->inside = 0;
    c->door = TK_DOOR_NONE;
    tk_condition_broadcast(&c->turns);
    ERR_pop_to_mark();
    errno = error;
}

#endif

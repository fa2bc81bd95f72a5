/* Around a door to Python: what is done behind it must not show in front. */
#ifndef TK_DOOR_H
#define TK_DOOR_H

#include "tk_conn.h"
#include "tk_doors.h"

static inline int tk_door_open(tk_conn *c)
{
    int error = errno;

    c->inside++;
    ERR_set_mark();
    return error;
}

static inline void tk_door_close(tk_conn *c, int error)
{
    c->inside--;
    ERR_pop_to_mark();
    errno = error;
}

#endif

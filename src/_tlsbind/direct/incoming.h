/* Reading between the stdlib's MemoryBIOs: incoming.c, guess.c, pieces.c. */
#ifndef TK_INCOMING_H
#define TK_INCOMING_H

#include "direct.h"

enum { TK_AT_ONCE = 65536 }; /* as names->at_once */

typedef struct {
    Py_ssize_t room, done, given; /* given: the last time */
    int64_t status;
    int dry; /* nothing was left of what came before, and no handshake is under way */
} tk_reading;

/* How many bytes the program's queue still holds; -1: that could not be asked. */
Py_ssize_t tk_reading_waiting(const tk_direct *d);

/* What was taken out of the queue; all that the queue holds, too. 0: Python has failed. */
int tk_reading_given(const tk_direct *d, PyObject *given, char *into, tk_reading *r);
int tk_reading_pieces(const tk_direct *d, PyObject *given, char *into, tk_reading *r);

/* What comes out of the queue, as bytes. */
PyObject *tk_reading_much(tk_direct *d, PyObject *given, Py_ssize_t size, tk_reading *r);

#endif

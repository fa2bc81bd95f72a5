/* The traffic of an event loop's transport: traffic.c and buffered.c. */
#ifndef TK_TRAFFIC_H
#define TK_TRAFFIC_H

#include "direct.h"

typedef struct {
    PyObject_HEAD
    const tk_direct_names *names;
    tk_conn *conn;
    PyObject *channel;  /* keeps `conn` and its stage alive */
    PyObject *owner;    /* the transport; after its end, what answers a late call */
    PyObject *protocol;
    Py_ssize_t last, before; /* how many bytes have come the last two times */
    char idle, stalled, again_due, paused, buffered; /* see aio/_traffic.py */
} tk_traffic;

/* delivery.c: call a method of the owner; `first` and `second` may be NULL */
PyObject *tk_traffic_ask(const tk_traffic *t, PyObject *name, PyObject *first, PyObject *second);
/* The protocol has raised in this method: what must not be caught goes on, and the owner gets the
   rest. */
PyObject *tk_traffic_not_delivered(const tk_traffic *t, PyObject *method);
int64_t tk_traffic_receive(const tk_traffic *t, void *into, Py_ssize_t room);

/* buffered.c: receive into the buffer of a BufferedProtocol */
PyObject *tk_traffic_fill(tk_traffic *t);

#endif

/* From the program's queue through libssl, piece by piece: incoming.c. */
#include "incoming.h"

Py_ssize_t tk_reading_waiting(const tk_direct *d)
{
    PyObject *number = PyObject_GetAttr(d->incoming, d->names->pending);
    Py_ssize_t size = number == NULL ? -1 : PyLong_AsSsize_t(number);

    Py_XDECREF(number);
    return size;
}

int tk_reading_given(const tk_direct *d, PyObject *given, char *into, tk_reading *r)
{
    PyThreadState *left;
    int64_t status;
    const char *data = PyBytes_AsString(given); /* which raises when it is something else */

    if (data == NULL)
        return 0;
    r->given = PyBytes_Size(given);
    left = tk_python_leave(tk_direct_is_quick(d, r->given));
    status = tk_conn_read_given(d->conn, data, (size_t)r->given, into + r->done,
                                (size_t)(r->room - r->done));
    tk_python_return(left);
    r->status = status;
    if (status > 0)
        r->done += (Py_ssize_t)(status & (TK_DRY - 1));
    return 1;
}

int tk_reading_pieces(const tk_direct *d, PyObject *given, char *into, tk_reading *r)
{
    int fine;

    Py_INCREF(given);
    for (;;) {
        fine = tk_reading_given(d, given, into, r);
        Py_DECREF(given);
        if (!fine || r->status <= 0 || r->given < TK_AT_ONCE || r->done == r->room)
            return fine;
        if ((given = tk_method_call(&d->take, d->names->at_once)) == NULL)
            return 0;
    }
}

/* Reading and writing between tlskit's MemoryBIOs: methods.c. */
#include "direct.h"

static int64_t unseal(const tk_direct *d, void *into, Py_ssize_t room)
{
    Py_ssize_t held = (Py_ssize_t)tk_atomic_load(&d->conn->incoming->state.pending);
    PyThreadState *left = tk_python_leave(tk_direct_is_quick(d, held));
    int64_t status = tk_conn_read(d->conn, into, (size_t)room, 0);

    tk_python_return(left);
    return status;
}

static int64_t seal(const tk_direct *d, const char *data, Py_ssize_t size)
{
    PyThreadState *left = tk_python_leave(tk_direct_is_quick(d, size));
    int64_t status = tk_conn_write(d->conn, data, (size_t)size, 0);

    tk_python_return(left);
    return status;
}

/* The rest of what has filled the stack's room, with that before it. */
static PyObject *read_beyond(const tk_direct *d, const uint8_t *begun, Py_ssize_t size)
{
    tk_queue q = { .data = NULL };
    Py_ssize_t room = tk_least(size, TK_DIRECT_SMALL + TK_RECORD_MOST);
    uint8_t *into = tk_queue_reserve(&q, (size_t)room);
    PyObject *data;
    int64_t status;

    if (into == NULL)
        return PyErr_NoMemory();
    memcpy(into, begun, TK_DIRECT_SMALL);
    /* a failure comes again at the next read */
    status = unseal(d, into + TK_DIRECT_SMALL, room - TK_DIRECT_SMALL);
    data = PyBytes_FromStringAndSize((char *)into, TK_DIRECT_SMALL + (status > 0 ? status : 0));
    tk_queue_clear(&q);
    return data;
}

static PyObject *read_little(const tk_direct *d, Py_ssize_t size, int64_t *status)
{
    uint8_t small[TK_DIRECT_SMALL];

    *status = unseal(d, small, tk_least(size, TK_DIRECT_SMALL));
    if (*status == TK_DIRECT_SMALL && size > TK_DIRECT_SMALL)
        return read_beyond(d, small, size);
    return *status < 0 ? NULL : PyBytes_FromStringAndSize((char *)small, (Py_ssize_t)*status);
}

static PyObject *read_much(const tk_direct *d, Py_ssize_t room, int64_t *status)
{
    tk_queue q = { .data = NULL };
    uint8_t *into = tk_queue_reserve(&q, (size_t)room);
    PyObject *data = NULL;

    *status = into == NULL ? TK_MEMORY : unseal(d, into, room);
    if (*status >= 0)
        data = PyBytes_FromStringAndSize((char *)into, (Py_ssize_t)*status);
    tk_queue_clear(&q);
    return data;
}

static PyObject *read_bytes(const tk_direct *d, Py_ssize_t size, int64_t *status)
{
    Py_ssize_t held = (Py_ssize_t)tk_atomic_load(&d->conn->incoming->state.pending);
    Py_ssize_t room = tk_least(tk_least(size, held + TK_RECORD_MOST), TK_DIRECT_MOST);
    int little = held <= TK_DIRECT_SMALL || size <= TK_DIRECT_SMALL;

    return little ? read_little(d, size, status) : read_much(d, room, status);
}

static PyObject *read_into(const tk_direct *d, const tk_request *q, int64_t *status)
{
    *status = unseal(d, q->into, q->size);
    return *status < 0 ? NULL : PyLong_FromLongLong(*status);
}

PyObject *tk_direct_read_memory(tk_direct *d, const tk_request *q)
{
    int64_t status;
    PyObject *data = q->buffer == Py_None ? read_bytes(d, q->size, &status)
                                          : read_into(d, q, &status);

    if (status > 0)
        tk_direct_settle(d);
    if (status >= 0)
        return data;
    return status == TK_WANT_READ
             ? tk_direct_nothing(d)
             : tk_direct_go_on(d->channel, d->names->read_on, status, q->wanted, q->buffer);
}

PyObject *tk_direct_write_memory(const tk_direct *d, PyObject *given, const char *data,
                                 Py_ssize_t size)
{
    int64_t status = seal(d, data, size);

    return status >= 0 ? PyLong_FromLongLong(status)
                       : tk_direct_go_on(d->channel, d->names->write_on, status, given, NULL);
}

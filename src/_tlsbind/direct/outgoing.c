/* Writing between the stdlib's MemoryBIOs: incoming.c.

   libssl's output for a piece goes into the program's outgoing queue at once, so that no copy
   leaves the processor's cache. */
#include "direct.h"

enum {
    PIECE_MOST = 49152,  /* what the processor has at hand, encrypted too */
    OVERHEAD_MOST = 2048 /* what encryption adds to a piece, and an answer that waits before it */
};

static int put(const tk_direct *d, PyObject *made)
{
    PyObject *done = made == NULL ? NULL : PyObject_CallFunctionObjArgs(d->put, made, NULL);

    Py_XDECREF(done);
    Py_XDECREF(made);
    return done != NULL;
}

int tk_direct_send_the_rest(const tk_direct *d)
{
    tk_mem *made = d->conn->outgoing;
    int fine;

    if (!tk_mem_holds(made))
        return 1;
    if (!tk_direct_acquire(d->sends))
        return 0;
    fine = put(d, tk_direct_take(made, (Py_ssize_t)tk_atomic_load(&made->state.pending)));
    tk_direct_release(d->sends);
    return fine;
}

static int64_t seal(const tk_direct *d, const char *data, Py_ssize_t size, void *into, size_t room)
{
    int64_t status;

    Py_BEGIN_ALLOW_THREADS
    status = tk_conn_write_taken(d->conn, data, (size_t)size, into, room);
    Py_END_ALLOW_THREADS
    return status;
}

/* What is made of a piece goes into the program's queue. 0: Python has failed. */
static int write_little(const tk_direct *d, const char *data, Py_ssize_t size, int64_t *status)
{
    char small[TK_DIRECT_SMALL];

    *status = seal(d, data, size, small, sizeof small);
    return *status <= 0 || put(d, PyBytes_FromStringAndSize(small, (Py_ssize_t)*status));
}

static int write_much(const tk_direct *d, const char *data, Py_ssize_t size, int64_t *status)
{
    tk_queue q = { .data = NULL };
    char *into = (char *)tk_queue_reserve(&q, PIECE_MOST + OVERHEAD_MOST); /* a block: tk_queue.c */
    int fine;

    if (into == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    *status = seal(d, data, size, into, (size_t)(size + OVERHEAD_MOST));
    fine = *status <= 0 || put(d, PyMemoryView_FromMemory(into, (Py_ssize_t)*status, PyBUF_READ));
    tk_queue_clear(&q);
    return fine;
}

PyObject *tk_direct_write_queue(const tk_direct *d, PyObject *given, const char *data,
                                Py_ssize_t size)
{
    Py_ssize_t at = 0;
    int64_t status = 1;
    int fine = 1;

    if (!tk_direct_acquire(d->sends))
        return NULL;
    while (at < size && fine && status > 0) {
        Py_ssize_t piece = tk_least(size - at, PIECE_MOST);
        int little = piece <= TK_DIRECT_SMALL - OVERHEAD_MOST;

        fine = (little ? write_little : write_much)(d, data + at, piece, &status);
        if (fine && status > 0) {
            at += piece;
            fine = tk_direct_send_the_rest(d); /* in its order */
        }
    }
    tk_direct_release(d->sends);
    if (!fine)
        return NULL;
    if (at == 0)
        return tk_direct_go_on(d->channel, d->names->write_on, status, given, NULL);
    return at == size || tk_direct_send_the_rest(d) ? PyLong_FromSsize_t(at) : NULL;
}

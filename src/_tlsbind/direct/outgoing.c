/* Writing between the stdlib's MemoryBIOs: methods.c.

   What libssl makes of a piece goes into the program's outgoing queue from where libssl has made
   it, so the queue's own copy is the only one. The interpreter is kept meanwhile: with AES in
   hardware, a record takes less time than another thread needs to begin. */
#include "direct.h"

#include <string.h>

enum { PIECE_MOST = 65536 }; /* bytes until other threads of the interpreter may have their turn */

/* A piece that is under way. */
typedef struct {
    tk_direct *d;
    PyObject *type, *error, *traceback; /* what the queue has raised; NULL: nothing */
} piece;

static int put(const tk_direct *d, PyObject *made)
{
    PyObject *done = made == NULL ? NULL : tk_method_call(&d->put, made);

    Py_XDECREF(done);
    return done != NULL;
}

int tk_direct_send_the_rest(const tk_direct *d)
{
    tk_mem *made = d->conn->outgoing;
    PyObject *data;
    int fine;

    if (!tk_mem_holds(made))
        return 1;
    if (!tk_direct_acquire(d->sends))
        return 0;
    data = tk_direct_take(made, (Py_ssize_t)tk_atomic_load(&made->state.pending));
    fine = put(d, data);
    Py_XDECREF(data);
    tk_direct_release(d->sends);
    return fine;
}

/* What it does not take waits for the next write, and so does all that comes behind it. */
static int pass(void *to, const void *data, size_t size)
{
    piece *p = to;
    int fine;

    if (p->type != NULL)
        return 0;
    p->d->passed = data;
    p->d->passed_size = (Py_ssize_t)size;
    fine = put(p->d, (PyObject *)p->d);
    p->d->passed = NULL;
    if (!fine)
        PyErr_Fetch(&p->type, &p->error, &p->traceback);
    return fine;
}

/* 0: Python has failed. */
static int write_piece(tk_direct *d, const char *data, Py_ssize_t size, int64_t *status)
{
    piece p = { .d = d };

    if (!tk_direct_send_the_rest(d)) /* in its order */
        return 0;
    *status = tk_conn_write_passing(d->conn, data, (size_t)size, pass, &p);
    if (p.type != NULL) {
        PyErr_Restore(p.type, p.error, p.traceback);
        return 0;
    }
    return *status < 0 || tk_direct_send_the_rest(d);
}

static void give_others_a_turn(void)
{
    Py_BEGIN_ALLOW_THREADS
    Py_END_ALLOW_THREADS
}

PyObject *tk_direct_write_queue(tk_direct *d, PyObject *given, const char *data, Py_ssize_t size)
{
    Py_ssize_t at = 0;
    int64_t status = 1;
    int fine = 1;

    if (!tk_direct_acquire(d->sends))
        return NULL;
    while (at < size && fine && status > 0) {
        Py_ssize_t some = tk_least(size - at, PIECE_MOST);

        if (at > 0)
            give_others_a_turn();
        fine = write_piece(d, data + at, some, &status);
        at += fine && status > 0 ? some : 0;
    }
    tk_direct_release(d->sends);
    if (!fine)
        return NULL;
    if (at == 0)
        return tk_direct_go_on(d->channel, d->names->write_on, status, given, NULL);
    return at == size || tk_direct_send_the_rest(d) ? PyLong_FromSsize_t(at) : NULL;
}

/* Reading between the stdlib's MemoryBIOs, which asyncio and uvloop use: methods.c.

   A read moves the content of the program's incoming queue through libssl into one object. Between
   the two halves of a call other threads may run: the connection's locks for the two directions,
   `receives` and `sends`, keep the bytes in order. */
#include "incoming.h"

int tk_direct_receive(const tk_direct *d)
{
    PyObject *given = NULL;
    const char *data = NULL;
    int64_t n = 0;
    int over;

    if (!tk_direct_acquire(d->receives))
        return 0;
    over = tk_atomic_load32(&d->conn->over); /* by another thread? */
    if (!over && PyObject_SetAttr(d->channel, d->names->dry, Py_False) == 0 &&
        (given = PyObject_CallNoArgs(d->take.bound)) != NULL)
        data = PyBytes_AsString(given);
    if (data != NULL && PyBytes_Size(given) > 0) {
        size_t size = (size_t)PyBytes_Size(given);

        Py_BEGIN_ALLOW_THREADS
        n = tk_mem_write(d->conn->incoming, data, size);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(given);
    tk_direct_release(d->receives);
    if (n < 0)
        PyErr_NoMemory();
    return over || (data != NULL && n >= 0);
}

int tk_direct_end(const tk_direct *d)
{
    PyObject *done = NULL;
    int fine = 1;

    if (d->incoming == NULL)
        return 1;
    if (!tk_direct_acquire(d->receives))
        return 0;
    if (tk_mem_holds(d->conn->incoming))
        fine = (done = PyObject_CallMethodObjArgs(d->channel, d->names->return_leftover, NULL)) !=
               NULL;
    else
        tk_conn_set_over(d->conn);
    tk_direct_release(d->receives);
    Py_XDECREF(done);
    return fine;
}

/* The rest of a record whose first bytes have come before. */
static PyObject *read_beyond(const tk_direct *d, const char *begun, Py_ssize_t size, tk_reading *r)
{
    PyObject *nothing = PyBytes_FromStringAndSize(NULL, 0), *data = NULL;
    tk_queue q = { .data = NULL };
    char *into;

    r->room = tk_least(size, TK_DIRECT_SMALL + TK_RECORD_MOST);
    if (nothing == NULL || (into = (char *)tk_queue_reserve(&q, (size_t)r->room)) == NULL) {
        Py_XDECREF(nothing);
        return PyErr_NoMemory();
    }
    memcpy(into, begun, TK_DIRECT_SMALL);
    if (tk_reading_given(d, nothing, into, r)) /* a failure comes again at the next read */
        data = PyBytes_FromStringAndSize(into, r->done);
    Py_DECREF(nothing);
    tk_queue_clear(&q);
    return data;
}

static PyObject *read_little(const tk_direct *d, PyObject *given, Py_ssize_t size, tk_reading *r)
{
    char small[TK_DIRECT_SMALL];

    r->room = tk_least(size, TK_DIRECT_SMALL);
    if (!tk_reading_given(d, given, small, r))
        return NULL;
    if (r->done == TK_DIRECT_SMALL && size > TK_DIRECT_SMALL)
        return read_beyond(d, small, size, r);
    return PyBytes_FromStringAndSize(small, r->done);
}

/* Nothing came: is there more to do than to say so? */
static PyObject *read_nothing(const tk_direct *d, const tk_request *q, Py_ssize_t waiting)
{
    if (waiting == 0 && !tk_mem_holds(d->conn->outgoing) &&
        tk_direct_attribute_is(d->incoming, d->names->eof, Py_False) == 1)
        return tk_direct_nothing(d);
    if (PyErr_Occurred())
        return NULL;
    return PyObject_CallMethodObjArgs(d->channel, d->names->read_slowly, q->wanted, q->buffer,
                                      NULL);
}

static PyObject *read_bytes(tk_direct *d, PyObject *given, Py_ssize_t size, tk_reading *r)
{
    return size <= TK_DIRECT_SMALL || PyBytes_Size(given) <= TK_DIRECT_SMALL
             ? read_little(d, given, size, r)
             : tk_reading_much(d, given, size, r);
}

static PyObject *read_into(const tk_direct *d, PyObject *given, const tk_request *q, tk_reading *r)
{
    r->room = q->size;
    return tk_reading_pieces(d, given, q->into, r) ? PyLong_FromSsize_t(r->done) : NULL;
}

/* Py_None: nothing was there, or had come. */
static PyObject *read_taken(tk_direct *d, PyObject *given, const tk_request *q, tk_reading *r)
{
    if (r->dry && PyBytes_Size(given) == 0)
        return Py_NewRef(Py_None);
    return q->buffer == Py_None ? read_bytes(d, given, q->size, r) : read_into(d, given, q, r);
}

static PyObject *read_under_lock(tk_direct *d, const tk_request *q, tk_reading *r)
{
    PyObject *given, *data = NULL;

    if (!tk_direct_acquire(d->receives))
        return NULL;
    given = tk_method_call(&d->take, d->names->at_once);
    if (given != NULL) {
        data = read_taken(d, given, q, r);
        Py_DECREF(given);
    }
    tk_direct_release(d->receives);
    return data;
}

/* What comes after the bytes, or instead of them. 0: Python has failed. */
static int conclude(tk_direct *d, const tk_reading *r)
{
    tk_direct_settle(d);
    if (r->status > TK_DRY)
        return 1;
    /* the connection's own methods must not think that nothing is left */
    if (r->done > 0 && PyObject_SetAttr(d->channel, d->names->dry, Py_False) < 0)
        return 0;
    return tk_direct_send_the_rest(d) && (r->done > 0 || tk_direct_end(d));
}

PyObject *tk_direct_read_queue(tk_direct *d, const tk_request *q)
{
    tk_reading r = { .dry = tk_conn_is_dry(d->conn) };
    PyObject *data = read_under_lock(d, q, &r);

    if (data == Py_None) {
        Py_DECREF(data);
        return read_nothing(d, q, 0);
    }
    if (data == NULL || ((r.done > 0 || r.status == 0) && conclude(d, &r)))
        return data;
    Py_DECREF(data);
    if (r.done > 0 || r.status == 0)
        return NULL;
    if (r.status == TK_WANT_READ)
        return read_nothing(d, q, tk_reading_waiting(d));
    return tk_direct_go_on(d->channel, d->names->read_on, r.status, q->wanted, q->buffer);
}

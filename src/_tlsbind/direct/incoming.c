/* Reading between the stdlib's MemoryBIOs, which asyncio and uvloop use: methods.c.

   A read moves the content of the program's incoming queue through libssl into one object. Between
   the two halves of a call other threads may run: the connection's locks for the two directions,
   `receives` and `sends`, keep the bytes in order. */
#include "direct.h"

enum {
    HEADER = 5,       /* of a record */
    AT_ONCE = 65536,  /* as names->at_once */
    EXTRA_MOST = 2048 /* of a record: more than any cipher adds */
};

/* How many bytes the program's queue still holds; -1: that could not be asked. */
static Py_ssize_t waiting(const tk_direct *d)
{
    PyObject *number = PyObject_GetAttr(d->incoming, d->names->pending);
    Py_ssize_t size = number == NULL ? -1 : PyLong_AsSsize_t(number);

    Py_XDECREF(number);
    return size;
}

typedef struct {
    Py_ssize_t room, done, given; /* given: the last time */
    int64_t status;
} reading;

/* One crossing; 0: Python has failed. */
static int read_given(const tk_direct *d, PyObject *given, char *into, reading *r)
{
    int64_t status;
    const char *data = PyBytes_AsString(given); /* which raises when it is something else */

    if (data == NULL)
        return 0;
    r->given = PyBytes_Size(given);
    Py_BEGIN_ALLOW_THREADS
    status = tk_conn_read_given(d->conn, data, (size_t)r->given, into + r->done,
                                (size_t)(r->room - r->done));
    Py_END_ALLOW_THREADS
    r->status = status;
    if (status > 0)
        r->done += (Py_ssize_t)(status & (TK_DRY - 1));
    return 1;
}

/* All that the program's queue holds, piece by piece. 0: Python has failed. */
static int read_pieces(const tk_direct *d, PyObject *given, char *into, reading *r)
{
    int fine;

    Py_INCREF(given);
    for (;;) {
        fine = read_given(d, given, into, r);
        Py_DECREF(given);
        if (!fine || r->status <= 0 || r->given < AT_ONCE || r->done == r->room)
            return fine;
        if ((given = PyObject_CallFunctionObjArgs(d->take, d->names->at_once, NULL)) == NULL)
            return 0;
    }
}

int tk_direct_receive(const tk_direct *d)
{
    PyObject *given = NULL;
    const char *data = NULL;
    int64_t n = 0;
    int over;

    if (!tk_direct_acquire(d->receives))
        return 0;
    over = tk_direct_attribute_is(d->channel, d->names->over, Py_True); /* by another thread? */
    if (over == 0 && PyObject_SetAttr(d->channel, d->names->dry, Py_False) == 0 &&
        (given = PyObject_CallNoArgs(d->take)) != NULL)
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
    return over == 1 || (data != NULL && n >= 0);
}

int tk_direct_end(const tk_direct *d)
{
    PyObject *done = NULL;
    int fine;

    if (d->take == NULL)
        return 1;
    if (!tk_direct_acquire(d->receives))
        return 0;
    if (tk_mem_holds(d->conn->incoming))
        fine = (done = PyObject_CallMethodObjArgs(d->channel, d->names->return_leftover, NULL)) !=
               NULL;
    else
        fine = PyObject_SetAttr(d->channel, d->names->over, Py_True) == 0;
    tk_direct_release(d->receives);
    Py_XDECREF(done);
    return fine;
}

/* How many bytes will come out of what is there, if it begins with a record, and the records after
   the last one that can be seen are as long as that; 0: nobody knows. A guess that is right saves
   a copy. */
static Py_ssize_t guess(const tk_direct *d, PyObject *given, Py_ssize_t more, int *records)
{
    const uint8_t *p = (const uint8_t *)PyBytes_AsString(given);
    Py_ssize_t seen = PyBytes_Size(given), there = seen + more, sum = 0;

    for (*records = 0; seen >= HEADER && p[0] == SSL3_RT_APPLICATION_DATA; ++*records) {
        Py_ssize_t body = p[3] << 8 | p[4], size = HEADER + body, data = body - d->overhead;

        if (there < size || data <= 0)
            break;
        if (seen < size || seen - size < HEADER)
            return sum + there / size * data;
        sum += data;
        p += size;
        seen -= size;
        there -= size;
    }
    return sum;
}

/* What the next guess begins with. */
static void learn(tk_direct *d, PyObject *given, const reading *r, int records)
{
    Py_ssize_t extra = PyBytes_Size(given) - r->done - (Py_ssize_t)records * HEADER;

    if (r->status > TK_DRY && records > 0 && r->given == PyBytes_Size(given) &&
        extra % records == 0 && extra / records < EXTRA_MOST)
        d->overhead = (int32_t)(extra / records);
    else if (r->status < TK_DRY && tk_conn_pending(d->conn) > 0)
        d->overhead = TK_DIRECT_OVERHEAD; /* it was too much: a record did not fit */
}

/* Into an object of that size, or what came in a copy. */
static PyObject *read_guessed(const tk_direct *d, PyObject *given, reading *r)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, r->room);

    if (data == NULL || !read_pieces(d, given, PyBytes_AsString(data), r)) {
        if (PyErr_Occurred())
            Py_CLEAR(data);
        return data;
    }
    return tk_direct_first(data, r->done);
}

static PyObject *read_unknown(const tk_direct *d, PyObject *given, reading *r)
{
    tk_queue q = { .data = NULL };
    char *into = (char *)tk_queue_reserve(&q, (size_t)r->room);
    PyObject *data = NULL;

    if (into == NULL)
        return PyErr_NoMemory();
    if (read_pieces(d, given, into, r))
        data = PyBytes_FromStringAndSize(into, r->done);
    tk_queue_clear(&q);
    return data;
}

static PyObject *read_much(tk_direct *d, PyObject *given, Py_ssize_t size, reading *r)
{
    Py_ssize_t more = PyBytes_Size(given) < AT_ONCE ? 0 : waiting(d), guessed;
    PyObject *data;
    int records;

    if (more < 0)
        return NULL;
    size = tk_least(size, TK_DIRECT_MOST);
    guessed = guess(d, given, more, &records);
    r->room = tk_least(size, guessed);
    if (guessed > 0)
        data = read_guessed(d, given, r);
    else {
        r->room = tk_least(size, PyBytes_Size(given) + more + TK_RECORD_MOST);
        data = read_unknown(d, given, r);
    }
    if (data != NULL && r->done > 0)
        learn(d, given, r, records);
    return data;
}

/* The rest of a record whose first bytes have come before. */
static PyObject *read_beyond(const tk_direct *d, const char *begun, Py_ssize_t size, reading *r)
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
    if (read_given(d, nothing, into, r)) /* a failure comes again at the next read */
        data = PyBytes_FromStringAndSize(into, r->done);
    Py_DECREF(nothing);
    tk_queue_clear(&q);
    return data;
}

static PyObject *read_little(const tk_direct *d, PyObject *given, Py_ssize_t size, reading *r)
{
    char small[TK_DIRECT_SMALL];

    r->room = tk_least(size, TK_DIRECT_SMALL);
    if (!read_given(d, given, small, r))
        return NULL;
    if (r->done == TK_DIRECT_SMALL && size > TK_DIRECT_SMALL)
        return read_beyond(d, small, size, r);
    return PyBytes_FromStringAndSize(small, r->done);
}

/* Nothing came: is there more to do than to say so? */
static PyObject *read_nothing(const tk_direct *d, PyObject *wanted, int64_t status)
{
    if (status != TK_WANT_READ)
        return tk_direct_go_on(d->channel, d->names->read_on, status, wanted);
    if (waiting(d) == 0 && tk_direct_attribute_is(d->incoming, d->names->eof, Py_False) == 1 &&
        !tk_mem_holds(d->conn->outgoing))
        return tk_direct_nothing(d);
    if (PyErr_Occurred())
        return NULL;
    return PyObject_CallMethodObjArgs(d->channel, d->names->read_slowly, wanted, Py_None, NULL);
}

static PyObject *read_under_lock(tk_direct *d, Py_ssize_t size, reading *r)
{
    PyObject *given, *data = NULL;

    if (!tk_direct_acquire(d->receives))
        return NULL;
    given = PyObject_CallFunctionObjArgs(d->take, d->names->at_once, NULL);
    if (given != NULL) {
        data = size <= TK_DIRECT_SMALL || PyBytes_Size(given) <= TK_DIRECT_SMALL
                 ? read_little(d, given, size, r)
                 : read_much(d, given, size, r);
        Py_DECREF(given);
    }
    tk_direct_release(d->receives);
    return data;
}

PyObject *tk_direct_read_queue(tk_direct *d, PyObject *wanted, Py_ssize_t size)
{
    reading r = { .done = 0 };
    PyObject *data;

    /* asyncio reads until there is nothing more to read, and asks for it with an exception */
    if (tk_conn_is_dry(d->conn) && waiting(d) == 0)
        return read_nothing(d, wanted, TK_WANT_READ);
    if (PyErr_Occurred() || (data = read_under_lock(d, size, &r)) == NULL)
        return NULL;
    if (r.status == 0 && r.done == 0) {
        if (tk_direct_send_the_rest(d) && tk_direct_end(d))
            return data;
        Py_DECREF(data);
        return NULL;
    }
    if (r.done == 0) {
        Py_DECREF(data);
        return read_nothing(d, wanted, r.status);
    }
    if (r.status > TK_DRY)
        return data;
    /* the connection's own methods must not think that nothing is left */
    if (PyObject_SetAttr(d->channel, d->names->dry, Py_False) == 0 && tk_direct_send_the_rest(d))
        return data;
    Py_DECREF(data);
    return NULL;
}

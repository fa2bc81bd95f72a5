/* Reading more than a little between the stdlib's MemoryBIOs: incoming.c.

   The bytes go straight into an object of the size that they are expected to have. */
#include "incoming.h"

enum {
    HEADER = 5,       /* of a record */
    EXTRA_MOST = 2048 /* of a record: more than any cipher adds */
};

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
static void learn(tk_direct *d, PyObject *given, const tk_reading *r, int records)
{
    Py_ssize_t extra = PyBytes_Size(given) - r->done - (Py_ssize_t)records * HEADER;

    if (r->status > TK_DRY && records > 0 && r->given == PyBytes_Size(given) &&
        extra % records == 0 && extra / records < EXTRA_MOST)
        d->overhead = (int32_t)(extra / records);
    else if (r->status < TK_DRY && tk_conn_pending(d->conn) > 0)
        d->overhead = TK_DIRECT_OVERHEAD; /* it was too much: a record did not fit */
}

/* Into an object of that size, or what came in a copy. */
static PyObject *read_guessed(const tk_direct *d, PyObject *given, tk_reading *r)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, r->room);

    if (data == NULL || !tk_reading_pieces(d, given, PyBytes_AsString(data), r)) {
        if (PyErr_Occurred())
            Py_CLEAR(data);
        return data;
    }
    return tk_direct_first(data, r->done);
}

static PyObject *read_unknown(const tk_direct *d, PyObject *given, tk_reading *r)
{
    tk_queue q = { .data = NULL };
    char *into = (char *)tk_queue_reserve(&q, (size_t)r->room);
    PyObject *data = NULL;

    if (into == NULL)
        return PyErr_NoMemory();
    if (tk_reading_pieces(d, given, into, r))
        data = PyBytes_FromStringAndSize(into, r->done);
    tk_queue_clear(&q);
    return data;
}

PyObject *tk_reading_much(tk_direct *d, PyObject *given, Py_ssize_t size, tk_reading *r)
{
    Py_ssize_t more = PyBytes_Size(given) < TK_AT_ONCE ? 0 : tk_reading_waiting(d), guessed;
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

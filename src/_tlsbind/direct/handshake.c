/* Handshakes and ends in memory: methods.c. */
#include "direct.h"
#include "tk_handshake.h"

typedef int64_t (*operation)(tk_conn *c, int64_t timeout);

/* The logger of _connection/log.py, from `logging`; NULL: there is none, or Python has failed. */
static PyObject *logger_of(tk_direct_names *n, PyObject *logging)
{
    PyObject *found = tk_atomic_pointer((void **)&n->logger), *earlier;

    if (found != NULL || (found = PyObject_CallMethod(logging, "getLogger", "s", "tlskit")) == NULL)
        return found;
    if ((earlier = tk_atomic_once((void **)&n->logger, found)) == NULL)
        return found;
    Py_DECREF(found); /* another thread was faster */
    return earlier;
}

/* Whether the log wants the end of a handshake; -1: Python has failed, or a signal's handler has
   raised in it. */
static int is_logged(tk_direct_names *n)
{
    PyObject *logging = PyDict_GetItemWithError(PyImport_GetModuleDict(), n->logging);
    PyObject *logger, *enabled;
    int wanted;

    if (logging == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if ((logger = logger_of(n, logging)) == NULL)
        return -1;
    enabled = PyObject_CallMethodObjArgs(logger, n->is_enabled_for, n->debug, NULL);
    wanted = enabled == NULL ? -1 : PyObject_IsTrue(enabled);
    Py_XDECREF(enabled);
    return wanted;
}

/* Whether its end means nothing to anybody: it need not be concluded, and no log is listening; -1
   as there. */
static int ends_quietly(const tk_direct *d)
{
    int nothing = tk_direct_attribute_is(d->channel, d->names->concludes, Py_False);
    int logged = nothing == 1 ? is_logged(d->names) : 0;

    return nothing != 1 ? nothing : logged < 0 ? -1 : !logged;
}

/* The end of a MemoryBIO of the stdlib's has not been passed on yet. */
static int may_come(const tk_direct *d)
{
    return d->incoming == NULL ||
           tk_direct_attribute_is(d->incoming, d->names->eof, Py_False) == 1;
}

static int is_sent(const tk_direct *d) { return d->incoming == NULL || tk_direct_send_the_rest(d); }

static int conclude_handshake(const tk_direct *d) { return ends_quietly(d) == 1 && is_sent(d); }

static int conclude_shutdown(const tk_direct *d) { return is_sent(d) && tk_direct_end(d); }

static int64_t step(const tk_direct *d, operation operate)
{
    int64_t status;

    Py_BEGIN_ALLOW_THREADS
    status = operate(d->conn, 0);
    Py_END_ALLOW_THREADS
    return status;
}

/* Let Python decide what the operation has paused for. 0: it has raised. The stdlib's MemoryBIOs
   are not for this: what libssl has made would have to be sent even then. */
static int decide(const tk_direct *d)
{
    PyObject *done = tk_direct_go_on(d->channel, d->names->decide, TK_PAUSED, NULL, NULL);

    Py_XDECREF(done);
    return done != NULL;
}

/* `name` is the connection's own method, and `go_on` the one that knows what to do about a status
   that is not usual. */
static PyObject *run(tk_direct *d, operation operate, PyObject *name, PyObject *go_on,
                     int (*conclude)(const tk_direct *))
{
    int fine = tk_direct_attribute_is(d->channel, d->names->late_error, Py_None);
    int64_t status;

    if (fine == 0)
        return tk_direct_otherwise(d->channel, name, NULL, 0, NULL);
    if (fine < 0 || (d->incoming != NULL && !tk_direct_receive(d)))
        return NULL;
    while ((status = step(d, operate)) == TK_PAUSED && d->incoming == NULL)
        if (!decide(d))
            return NULL;
    if (status > 0)
        tk_direct_settle(d);
    fine = tk_direct_attribute_is(d->channel, d->names->late_error, Py_None);
    if (fine == 1 && status == TK_WANT_READ && may_come(d) && is_sent(d))
        return tk_direct_nothing(d);
    if (fine == 1 && status > 0 && conclude(d))
        return Py_NewRef(Py_None);
    return PyErr_Occurred() ? NULL : tk_direct_go_on(d->channel, go_on, status, NULL, NULL);
}

PyObject *tk_direct_handshake(tk_direct *d)
{
    const tk_direct_names *n = d->names;

    return run(d, tk_conn_handshake, n->do_handshake, n->handshake_on, conclude_handshake);
}

PyObject *tk_direct_shutdown(tk_direct *d)
{
    const tk_direct_names *n = d->names;

    return run(d, tk_conn_shutdown, n->shutdown, n->shutdown_on, conclude_shutdown);
}

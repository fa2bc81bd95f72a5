/* The common operations of a connection in memory, as methods of CPython.

   A call through cffi converts its arguments and its result, and needs a frame of Python around it
   that makes bytes of the data: for a message of 64 bytes that is a third of all the work. These
   methods do what that frame does, and go straight to tk_conn.c and tk_write.c. Everything that is
   not usual (another type of argument, a session to hand out, a failure) goes to the methods of the
   same connection in Python, which can do it all: _core/memory.py for MemoryBIOs of tlskit's,
   _core/queued.py for the stdlib's. Where this is not compiled in, as on PyPy, they do everything.

   This is a second module in the extension (PEP 489, "Multiple modules in one library"), within the
   limited API like the first. A Direct changes after it was made only in a guess, in
   whether a handshake was complete, and in what it passes on under a lock. */
#include "direct.h"
#include "tk_fork.h"

/* Nobody is to be told of what comes beside data; these locks are this process's. */
static int is_silent(const tk_direct *d)
{
    return d->channel != NULL && d->generation == tk_atomic_load32(&tk_generation) &&
           !tk_atomic_load32(&d->conn->reports_sessions);
}

/* And TLS is not over. */
static int is_plain(const tk_direct *d)
{
    return is_silent(d) && !tk_atomic_load32(&d->conn->over);
}

/* The program's queue is left alone, and libssl has nothing more to send: asyncio reads until it
   gets b"" twice. */
static int is_over(const tk_direct *d)
{
    return is_silent(d) && tk_atomic_load32(&d->conn->over) && !tk_mem_holds(d->conn->outgoing);
}

/* ---- the methods ---- */

static PyObject *settled(tk_direct *d, PyObject *result)
{
    if (result != NULL)
        tk_direct_settle(d);
    return result;
}

/* NULL, and nothing is raised: this is for the connection's own method. */
static PyObject *read_bytes(tk_direct *d, const tk_request *q)
{
    if (q->size > 0 && is_plain(d))
        return d->incoming == NULL ? tk_direct_read_memory(d, q) : tk_direct_read_queue(d, q);
    return q->size > 0 && is_over(d) ? tk_direct_read_memory(d, q) : NULL;
}

static PyObject *read_into(tk_direct *d, tk_request *q)
{
    PyObject *number = NULL;
    tk_view view;

    if (!is_plain(d) || !tk_view_of(q->buffer, 1, &view))
        return NULL;
    q->into = view.data;
    q->size = q->size > 0 ? tk_least(q->size, view.size) : view.size;
    if (q->size > 0)
        number = d->incoming == NULL ? tk_direct_read_memory(d, q) : tk_direct_read_queue(d, q);
    tk_view_release(&view);
    return number;
}

static PyObject *direct_read(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    tk_direct *d = (tk_direct *)self;
    tk_request q = { .buffer = nargs == 2 ? args[1] : Py_None };
    PyObject *data;

    if (nargs >= 1 && nargs <= 2 && kwnames == NULL && PyLong_CheckExact(args[0])) {
        q.wanted = args[0];
        q.size = PyLong_AsSsize_t(args[0]);
        PyErr_Clear(); /* any number will do where there is a buffer */
        data = q.buffer == Py_None ? read_bytes(d, &q) : read_into(d, &q);
        if (data != NULL || PyErr_Occurred())
            return data;
    }
    return settled(d, tk_direct_otherwise(d->channel, d->names->read, args, nargs, kwnames));
}

/* A write between the stdlib's MemoryBIOs keeps the interpreter. */
static int may_write(tk_direct *d)
{
    return d->incoming == NULL || tk_atomic_load32(&d->settled);
}

static PyObject *write_bytes(tk_direct *d, PyObject *given, const char *data, Py_ssize_t size)
{
    return d->incoming == NULL ? tk_direct_write_memory(d, given, data, size)
                               : tk_direct_write_queue(d, given, data, size);
}

/* As read_bytes. */
static PyObject *write_view(tk_direct *d, PyObject *given)
{
    PyObject *number = NULL;
    tk_view view;

    if (!tk_view_of(given, 0, &view))
        return NULL;
    if (view.size > 0)
        number = write_bytes(d, given, view.data, view.size);
    tk_view_release(&view);
    return number;
}

static PyObject *direct_write(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    tk_direct *d = (tk_direct *)self;
    PyObject *number = NULL;

    if (nargs == 1 && kwnames == NULL && is_plain(d) && may_write(d)) {
        if (!PyBytes_CheckExact(args[0]))
            number = write_view(d, args[0]);
        else if (PyBytes_Size(args[0]) > 0)
            number = write_bytes(d, args[0], PyBytes_AsString(args[0]), PyBytes_Size(args[0]));
        if (number != NULL || PyErr_Occurred())
            return number;
    }
    return settled(d, tk_direct_otherwise(d->channel, d->names->write, args, nargs, kwnames));
}

static PyObject *direct_do_handshake(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
    tk_direct *d = (tk_direct *)self;

    if (nargs != 0 || kwnames != NULL || !is_plain(d))
        return tk_direct_otherwise(d->channel, d->names->do_handshake, args, nargs, kwnames);
    return tk_direct_handshake(d);
}

static PyObject *direct_unwrap(PyObject *self, PyObject *nothing)
{
    tk_direct *d = (tk_direct *)self;

    (void)nothing;
    return is_silent(d) ? tk_direct_shutdown(d)
                        : tk_direct_otherwise(d->channel, d->names->shutdown, NULL, 0, NULL);
}

static PyObject *direct_pending(PyObject *self, PyObject *nothing)
{
    const tk_direct *d = (const tk_direct *)self;
    int64_t size = tk_conn_pending(d->conn);

    (void)nothing;
    if (size == 0 && d->incoming != NULL)
        size = tk_conn_holds_more(d->conn);
    return PyLong_FromLongLong(size);
}

/* ---- the type ---- */

/* The stdlib's MemoryBIO copies what libssl has just made: outgoing.c. */
static int direct_show(PyObject *self, struct tk_buffer *into, int flags)
{
    const tk_direct *d = (const tk_direct *)self;

    return tk_view_show(self, d->passed, d->passed_size, into, flags);
}

static int is_lock(const tk_direct *d, PyObject *lock)
{
    return (PyObject *)Py_TYPE(lock) == d->names->lock;
}

static PyObject *direct_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *handle, *address, *channel, *incoming, *outgoing, *receives, *sends;
    tk_direct *d;

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Direct() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_UnpackTuple(args, "Direct", 7, 7, &handle, &address, &channel, &incoming, &outgoing,
                           &receives, &sends) ||
        (d = (tk_direct *)PyType_GenericAlloc(type, 0)) == NULL)
        return NULL;
    d->names = PyType_GetModuleState(type);
    d->conn = PyLong_AsVoidPtr(address);
    d->generation = tk_atomic_load32(&tk_generation);
    Py_INCREF(d->handle = handle);
    Py_INCREF(d->channel = channel);
    Py_INCREF(d->receives = receives);
    Py_INCREF(d->sends = sends);
    d->overhead = TK_DIRECT_OVERHEAD;
    if (incoming != Py_None && tk_method_find(incoming, "read", &d->take) &&
        tk_method_find(outgoing, "write", &d->put))
        Py_INCREF(d->incoming = incoming);
    if (d->incoming != NULL && !(is_lock(d, receives) && is_lock(d, sends)))
        PyErr_SetString(PyExc_TypeError, "Direct() needs two locks of this module");
    if (PyErr_Occurred())
        Py_CLEAR(d);
    return (PyObject *)d;
}

static int direct_traverse(PyObject *self, visitproc visit, void *arg)
{
    tk_direct *d = (tk_direct *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(d->channel);
    Py_VISIT(d->incoming);
    Py_VISIT(d->take.bound);
    Py_VISIT(d->put.bound);
    return 0;
}

/* What could be part of a circle. Calls after this get the connection's own answer. */
static int direct_clear(PyObject *self)
{
    Py_CLEAR(((tk_direct *)self)->channel);
    return 0;
}

static void direct_dealloc(PyObject *self)
{
    tk_direct *d = (tk_direct *)self;
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_it = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    Py_CLEAR(d->channel);
    Py_CLEAR(d->incoming);
    Py_CLEAR(d->take.bound);
    Py_CLEAR(d->put.bound);
    Py_CLEAR(d->receives);
    Py_CLEAR(d->sends);
    Py_CLEAR(d->handle);
    free_it(self);
    Py_DECREF(type);
}

static PyMethodDef direct_methods[] = {
    { "read", (PyCFunction)(void (*)(void))direct_read, METH_FASTCALL | METH_KEYWORDS,
      "As the connection's own." },
    { "write", (PyCFunction)(void (*)(void))direct_write, METH_FASTCALL | METH_KEYWORDS,
      "As the connection's own." },
    { "do_handshake", (PyCFunction)(void (*)(void))direct_do_handshake,
      METH_FASTCALL | METH_KEYWORDS, "As the connection's own." },
    { "unwrap", direct_unwrap, METH_NOARGS, "As the connection's own `shutdown`." },
    { "pending", direct_pending, METH_NOARGS, "As the connection's own." },
    { NULL, NULL, 0, NULL }
};

static PyType_Slot direct_slots[] = {
    { Py_tp_new, direct_new },           { Py_tp_dealloc, direct_dealloc },
    { Py_tp_traverse, direct_traverse }, { Py_tp_clear, direct_clear },
    { Py_tp_methods, direct_methods },   { TK_SLOT_GET, direct_show },
    { 0, NULL }
};

PyType_Spec tk_direct_spec = { "_tlsbind._direct.Direct", sizeof(tk_direct), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, direct_slots };

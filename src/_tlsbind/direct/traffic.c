/* The traffic of an event loop's transport, as methods of CPython: what the loop calls when the
   socket is readable, and the transport's `write`.

   For a message of 64 bytes, cffi's calls and the frames of Python around them are a tenth of what
   the transport costs. These methods receive, decrypt and call the protocol, or encrypt and send,
   and leave everything that is not usual to the transport's own methods (the names are in
   module.c). aio/_traffic.py has the same in Python, for where this is not compiled in. */
#include "direct.h"
#include "tk_stage.h"

#include <stddef.h>
#include <structmember.h>

typedef struct {
    PyObject_HEAD
    const tk_direct_names *names;
    tk_conn *conn;
    PyObject *channel;  /* keeps `conn` and its stage alive */
    PyObject *owner;    /* the transport; after its end, what answers a late call */
    PyObject *protocol;
    Py_ssize_t last, before; /* how many bytes have come the last two times */
    char idle, stalled, again_due, buffered; /* see aio/_traffic.py */
} traffic;

static PyObject *ask_owner(const traffic *t, PyObject *name, PyObject *first, PyObject *second)
{
    PyObject *owner = t->owner != NULL ? t->owner : Py_None, *result;

    Py_INCREF(owner); /* it may be replaced meanwhile */
    result = PyObject_CallMethodObjArgs(owner, name, first, second, NULL);
    Py_DECREF(owner);
    return result;
}

/* ---- reading ---- */

/* The protocol has raised: what must not be caught goes on, and the transport gets the rest. */
static PyObject *not_delivered(const traffic *t)
{
    PyObject *type, *error, *where, *result = NULL;

    if (PyErr_ExceptionMatches(PyExc_SystemExit) || PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
        return NULL;
    PyErr_Fetch(&type, &error, &where);
    PyErr_NormalizeException(&type, &error, &where);
    if (where == NULL || PyException_SetTraceback(error, where) == 0)
        result = ask_owner(t, t->names->not_delivered, error, NULL);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(where);
    return result;
}

static PyObject *deliver(const traffic *t, PyObject *data)
{
    PyObject *protocol = t->protocol != NULL ? t->protocol : Py_None, *result;

    Py_INCREF(protocol);
    result = PyObject_CallMethodObjArgs(protocol, t->names->data_received, data, NULL);
    Py_DECREF(protocol);
    if (result == NULL)
        return not_delivered(t);
    if (!t->stalled)
        return result;
    Py_DECREF(result);
    return ask_owner(t, t->names->after_receive, NULL, NULL);
}

static int64_t receive_into(const traffic *t, void *into, Py_ssize_t room)
{
    int64_t status;

    Py_BEGIN_ALLOW_THREADS
    status = tk_stream_receive_into(t->conn, into, (size_t)room);
    Py_END_ALLOW_THREADS
    return status;
}

static Py_ssize_t count_in(int64_t status)
{
    return status > 0 ? (Py_ssize_t)(status & UINT32_MAX) : 0;
}

/* Into the stage, and a copy of it. */
static PyObject *receive_any(const traffic *t, int64_t *status)
{
    char *plain = tk_stage_plain(t->conn->stage);

    *status = receive_into(t, plain, TK_STAGE_ROOM);
    return PyBytes_FromStringAndSize(plain, count_in(*status));
}

/* Straight into an object of the size that is expected: that saves the copy. More than that has to
   wait for the next turn of the loop. */
static PyObject *receive_expected(const traffic *t, int64_t *status)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, t->last);

    if (data == NULL)
        return NULL;
    *status = receive_into(t, PyBytes_AsString(data), t->last);
    return tk_direct_first(data, count_in(*status));
}

/* Who sends a large message or a stream sends more of the same. */
static PyObject *receive(traffic *t, int64_t *status)
{
    int steady = t->last > TK_DIRECT_SMALL && t->last == t->before;
    PyObject *data = (steady ? receive_expected : receive_any)(t, status);

    t->before = t->last;
    t->last = count_in(*status);
    return data;
}

static PyObject *traffic_read_ready(PyObject *self, PyObject *nothing)
{
    traffic *t = (traffic *)self;
    PyObject *data, *result;
    int64_t status = 0;

    (void)nothing;
    if (t->again_due)
        return Py_NewRef(Py_None);
    if (t->buffered)
        return ask_owner(t, t->names->read_into_protocol, NULL, NULL);
    if ((data = receive(t, &status)) == NULL)
        return NULL;
    result = status > 0 && status <= TK_STAGE_ROOM
                 ? deliver(t, data)
                 : tk_direct_go_on(t->owner, t->names->pulled, status, data);
    Py_DECREF(data);
    return result;
}

/* ---- writing ---- */

static PyObject *traffic_write(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    const traffic *t = (const traffic *)self;
    const char *data;
    Py_ssize_t size;
    int64_t status;

    if (!t->idle || nargs != 1 || kwnames != NULL || !PyBytes_CheckExact(args[0]))
        return tk_direct_otherwise(t->owner, t->names->write_slowly, args, nargs, kwnames);
    data = PyBytes_AsString(args[0]);
    size = PyBytes_Size(args[0]);
    Py_BEGIN_ALLOW_THREADS
    status = tk_stream_send(t->conn, data, (size_t)size);
    Py_END_ALLOW_THREADS
    if (status != size)
        return tk_direct_go_on(t->owner, t->names->pushed, status, args[0]);
    return Py_NewRef(Py_None);
}

/* ---- the type ---- */

static PyObject *traffic_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *address, *channel, *owner;
    traffic *t;

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Traffic() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_UnpackTuple(args, "Traffic", 3, 3, &address, &channel, &owner) ||
        (t = (traffic *)PyType_GenericAlloc(type, 0)) == NULL)
        return NULL;
    t->names = PyType_GetModuleState(type);
    t->conn = PyLong_AsVoidPtr(address);
    Py_INCREF(t->channel = channel);
    Py_INCREF(t->owner = owner);
    if (t->conn == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "Traffic() needs a connection");
    if (PyErr_Occurred())
        Py_CLEAR(t);
    return (PyObject *)t;
}

static int traffic_traverse(PyObject *self, visitproc visit, void *arg)
{
    traffic *t = (traffic *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(t->channel);
    Py_VISIT(t->owner);
    Py_VISIT(t->protocol);
    return 0;
}

/* What could be part of a circle. The connection stays, for a call that comes after all. */
static int traffic_clear(PyObject *self)
{
    Py_CLEAR(((traffic *)self)->owner);
    Py_CLEAR(((traffic *)self)->protocol);
    return 0;
}

static void traffic_dealloc(PyObject *self)
{
    traffic *t = (traffic *)self;
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_it = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    (void)traffic_clear(self);
    Py_CLEAR(t->channel);
    free_it(self);
    Py_DECREF(type);
}

static PyMemberDef traffic_members[] = {
    { "owner", T_OBJECT, offsetof(traffic, owner), 0, NULL },
    { "protocol", T_OBJECT, offsetof(traffic, protocol), 0, NULL },
    { "idle", T_BOOL, offsetof(traffic, idle), 0, NULL },
    { "stalled", T_BOOL, offsetof(traffic, stalled), 0, NULL },
    { "again_due", T_BOOL, offsetof(traffic, again_due), 0, NULL },
    { "buffered", T_BOOL, offsetof(traffic, buffered), 0, NULL },
    { NULL, 0, 0, 0, NULL }
};

static PyMethodDef traffic_methods[] = {
    { "read_ready", traffic_read_ready, METH_NOARGS,
      "Receive, decrypt and deliver: the socket is readable." },
    { "write", (PyCFunction)(void (*)(void))traffic_write, METH_FASTCALL | METH_KEYWORDS,
      "write($self, /, data)\n--\n\nEncrypt `data` and send it, as much at once as the socket "
      "accepts." },
    { NULL, NULL, 0, NULL }
};

static PyType_Slot traffic_slots[] = {
    { Py_tp_new, traffic_new },           { Py_tp_dealloc, traffic_dealloc },
    { Py_tp_traverse, traffic_traverse }, { Py_tp_clear, traffic_clear },
    { Py_tp_methods, traffic_methods },   { Py_tp_members, traffic_members },
    { 0, NULL }
};

PyType_Spec tk_direct_traffic_spec = { "_tlsbind._direct.Traffic", sizeof(traffic), 0,
                                       Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, traffic_slots };

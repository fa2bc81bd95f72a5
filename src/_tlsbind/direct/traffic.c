/* The traffic of an event loop's transport, as methods of CPython: what the loop calls when the
   socket is readable, and the transport's `write`.

   For a message of 64 bytes, cffi's calls and the frames of Python around them are a tenth of what
   the transport costs. These methods receive, decrypt and call the protocol, or encrypt and send,
   and leave everything that is not usual to the transport's own methods (the names are in
   module.c). aio/_traffic.py has the same in Python, for where this is not compiled in. */
#include "traffic.h"
#include "tk_stage.h"

#include <stddef.h>
#include <structmember.h>

/* ---- reading ---- */

static PyObject *deliver(const tk_traffic *t, PyObject *data)
{
    PyObject *protocol = t->protocol != NULL ? t->protocol : Py_None, *result;

    Py_INCREF(protocol);
    result = PyObject_CallMethodObjArgs(protocol, t->names->data_received, data, NULL);
    Py_DECREF(protocol);
    if (result == NULL)
        return tk_traffic_not_delivered(t, t->names->data_received);
    if (!t->stalled)
        return result;
    Py_DECREF(result);
    return tk_traffic_ask(t, t->names->after_receive, NULL, NULL);
}

static Py_ssize_t count_in(int64_t status)
{
    return status > 0 ? (Py_ssize_t)(status & UINT32_MAX) : 0;
}

/* Into the stage, and a copy of it. */
static PyObject *receive_any(const tk_traffic *t, int64_t *status)
{
    char *plain = tk_stage_plain(t->conn->stage);

    *status = tk_traffic_receive(t, plain, TK_STAGE_ROOM);
    return PyBytes_FromStringAndSize(plain, count_in(*status));
}

/* Straight into an object of the size that is expected: that saves the copy. More than that has to
   wait for the next turn of the loop. */
static PyObject *receive_expected(const tk_traffic *t, int64_t *status)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, t->last);

    if (data == NULL)
        return NULL;
    *status = tk_traffic_receive(t, PyBytes_AsString(data), t->last);
    return tk_direct_first(data, count_in(*status));
}

/* Who sends a large message or a stream sends more of the same. */
static PyObject *receive(tk_traffic *t, int64_t *status)
{
    int steady = t->last > TK_DIRECT_SMALL && t->last == t->before;
    PyObject *data = (steady ? receive_expected : receive_any)(t, status);

    t->before = t->last;
    t->last = count_in(*status);
    return data;
}

static PyObject *traffic_read_ready(PyObject *self, PyObject *nothing)
{
    tk_traffic *t = (tk_traffic *)self;
    PyObject *data, *result;
    int64_t status = 0;

    (void)nothing;
    if (t->again_due)
        return Py_NewRef(Py_None);
    if (t->paused)
        return tk_traffic_ask(t, t->names->readable, NULL, NULL);
    if (t->buffered)
        return tk_traffic_fill(t);
    if ((data = receive(t, &status)) == NULL)
        return NULL;
    result = status > 0 && status <= TK_STAGE_ROOM
                 ? deliver(t, data)
                 : tk_direct_go_on(t->owner, t->names->pulled, status, data, NULL);
    Py_DECREF(data);
    return result;
}

/* ---- writing ---- */

static PyObject *transmit(const tk_traffic *t, PyObject *given, const void *data, Py_ssize_t size)
{
    int64_t status;

    Py_BEGIN_ALLOW_THREADS
    status = tk_stream_send(t->conn, data, (size_t)size);
    Py_END_ALLOW_THREADS
    if (status != size)
        return tk_direct_go_on(t->owner, t->names->pushed, status, given, NULL);
    return Py_NewRef(Py_None);
}

static PyObject *traffic_write(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    const tk_traffic *t = (const tk_traffic *)self;
    PyObject *result;
    tk_view view;

    if (t->idle && nargs == 1 && kwnames == NULL) {
        if (PyBytes_CheckExact(args[0]))
            return transmit(t, args[0], PyBytes_AsString(args[0]), PyBytes_Size(args[0]));
        if ((PyByteArray_CheckExact(args[0]) || PyMemoryView_Check(args[0])) &&
            tk_view_of(args[0], 0, &view)) {
            result = transmit(t, args[0], view.data, view.size);
            tk_view_release(&view);
            return result;
        }
    }
    return tk_direct_otherwise(t->owner, t->names->write_slowly, args, nargs, kwnames);
}

/* ---- the type ---- */

static PyObject *traffic_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *address, *channel, *owner;
    tk_traffic *t;

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Traffic() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_UnpackTuple(args, "Traffic", 3, 3, &address, &channel, &owner) ||
        (t = (tk_traffic *)PyType_GenericAlloc(type, 0)) == NULL)
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
    tk_traffic *t = (tk_traffic *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(t->channel);
    Py_VISIT(t->owner);
    Py_VISIT(t->protocol);
    return 0;
}

/* What could be part of a circle. The connection stays, for a call that comes after all. */
static int traffic_clear(PyObject *self)
{
    Py_CLEAR(((tk_traffic *)self)->owner);
    Py_CLEAR(((tk_traffic *)self)->protocol);
    return 0;
}

static void traffic_dealloc(PyObject *self)
{
    tk_traffic *t = (tk_traffic *)self;
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_it = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    (void)traffic_clear(self);
    Py_CLEAR(t->channel);
    free_it(self);
    Py_DECREF(type);
}

static PyMemberDef traffic_members[] = {
    { "owner", T_OBJECT, offsetof(tk_traffic, owner), 0, NULL },
    { "protocol", T_OBJECT, offsetof(tk_traffic, protocol), 0, NULL },
    { "idle", T_BOOL, offsetof(tk_traffic, idle), 0, NULL },
    { "stalled", T_BOOL, offsetof(tk_traffic, stalled), 0, NULL },
    { "again_due", T_BOOL, offsetof(tk_traffic, again_due), 0, NULL },
    { "paused", T_BOOL, offsetof(tk_traffic, paused), 0, NULL },
    { "buffered", T_BOOL, offsetof(tk_traffic, buffered), 0, NULL },
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

PyType_Spec tk_direct_traffic_spec = { "_tlsbind._direct.Traffic", sizeof(tk_traffic), 0,
                                       Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, traffic_slots };

/* The usual read and write of a connection over a socket, as methods of CPython (see methods.c).

   They wait as the connection's own methods do (_core/connection.py), and leave to those what is
   not usual: sessions to hand out, a `select` that gevent has replaced, pauses, signals and
   failures. A Blocking keeps the C half alive, and is given the Python half with each call, so that
   the two are no circle. It does not change, but for the size that a reader is expected to fill. */
#include "direct.h"
#include "tk_os.h"

#include <math.h>

typedef struct {
    PyObject_HEAD
    const tk_direct_names *names;
    tk_conn *conn;
    PyObject *handle;  /* cffi's: it owns `conn` */
    int64_t filled;    /* a read has returned that many bytes, and had no room for more */
} blocking;

/* A timeout as C takes it, in milliseconds; 0: it is not one. */
static int timeout_of(PyObject *timeout, int64_t *ms)
{
    double seconds;

    *ms = -1;
    if (timeout == Py_None)
        return 1;
    if (!PyFloat_Check(timeout))
        return 0;
    seconds = PyFloat_AsDouble(timeout);
    if (!(seconds >= 0 && seconds < 1e12))
        return 0;
    *ms = (int64_t)ceil(seconds * 1000);
    return 1;
}

static int is_plain(const blocking *b, int64_t ms)
{
    const tk_direct_names *n = b->names;
    int plain = !tk_atomic_load32(&b->conn->reports_sessions) &&
                (ms == 0 || tk_direct_attribute_is(n->select, n->select_name,
                                                   n->native_select) == 1);

    if (PyErr_Occurred())
        PyErr_Clear();
    return plain;
}

/* The clock has cut off part of a millisecond: rather too little time than too much. `more` may be
   NULL. */
static PyObject *go_on(PyObject *channel, PyObject *name, int64_t status, PyObject *given,
                       PyObject *timeout, int64_t began, PyObject *more)
{
    int64_t passed = began == 0 ? 0 : tk_clock_ms() - began - 1;
    PyObject *seconds = PyFloat_FromDouble(passed > 0 ? (double)passed / 1000 : 0);
    PyObject *number = PyLong_FromLongLong(status), *result = NULL;

    if (number != NULL && seconds != NULL)
        result = PyObject_CallMethodObjArgs(channel, name, number, given, timeout, seconds, more,
                                            NULL);
    Py_XDECREF(number);
    Py_XDECREF(seconds);
    return result;
}

/* ---- reading ---- */

static int64_t read_into(const blocking *b, void *into, Py_ssize_t room, int64_t ms)
{
    int64_t status;

    Py_BEGIN_ALLOW_THREADS
    status = tk_conn_read(b->conn, into, (size_t)room, ms);
    Py_END_ALLOW_THREADS
    return status;
}

static PyObject *bytes_of(const void *data, int64_t status)
{
    return PyBytes_FromStringAndSize(data, status > 0 ? (Py_ssize_t)status : 0);
}

static PyObject *read_little(const blocking *b, Py_ssize_t room, int64_t ms, int64_t *status)
{
    char small[TK_DIRECT_SMALL];

    *status = read_into(b, small, room, ms);
    return bytes_of(small, *status);
}

/* A stream's reader, which gets as much as it asks for: straight into the object. */
static PyObject *read_full(const blocking *b, Py_ssize_t room, int64_t ms, int64_t *status)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, room);

    if (data == NULL)
        return NULL;
    *status = read_into(b, PyBytes_AsString(data), room, ms);
    return tk_direct_first(data, *status > 0 ? (Py_ssize_t)*status : 0);
}

static PyObject *read_much(const blocking *b, Py_ssize_t room, int64_t ms, int64_t *status)
{
    tk_queue q = { .data = NULL };
    uint8_t *into = tk_queue_reserve(&q, (size_t)room);
    PyObject *data;

    if (into == NULL)
        return PyErr_NoMemory();
    *status = read_into(b, into, room, ms);
    data = bytes_of(into, *status);
    tk_queue_clear(&q);
    return data;
}

static PyObject *blocking_read(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    blocking *b = (blocking *)self;
    int64_t ms, began, status = 0;
    Py_ssize_t size, room;
    PyObject *data;

    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "read() takes a connection, a size and a timeout");
        return NULL;
    }
    size = PyLong_CheckExact(args[1]) ? PyLong_AsSsize_t(args[1]) : 0;
    PyErr_Clear();
    if (size <= 0 || !timeout_of(args[2], &ms) || !is_plain(b, ms))
        return PyObject_CallMethodObjArgs(args[0], b->names->read, args[1], Py_None, args[2], NULL);
    began = ms > 0 ? tk_clock_ms() : 0;
    room = tk_least(size, TK_DIRECT_MOST);
    data = room <= TK_DIRECT_SMALL  ? read_little(b, room, ms, &status)
           : room == tk_atomic_load(&b->filled) ? read_full(b, room, ms, &status)
                                    : read_much(b, room, ms, &status);
    tk_atomic_store(&b->filled, status == room ? room : 0);
    if (data == NULL || status >= 0)
        return data;
    Py_DECREF(data);
    return go_on(args[0], b->names->read_after, status, args[1], args[2], began, NULL);
}

static PyObject *blocking_read_into(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    const blocking *b = (const blocking *)self;
    int64_t ms, began, status;
    Py_ssize_t size;
    tk_view view;

    if (nargs != 4) {
        PyErr_SetString(PyExc_TypeError,
                        "read_into() takes a connection, a size, a buffer and a timeout");
        return NULL;
    }
    size = PyLong_CheckExact(args[1]) ? PyLong_AsSsize_t(args[1]) : -1;
    PyErr_Clear();
    if (size < 0 || !timeout_of(args[3], &ms) || !is_plain(b, ms) ||
        !tk_view_of(args[2], 1, &view))
        return PyObject_CallMethodObjArgs(args[0], b->names->read, args[1], args[2], args[3],
                                          NULL);
    size = size > 0 ? tk_least(size, view.size) : view.size;
    began = ms > 0 ? tk_clock_ms() : 0;
    status = size > 0 ? read_into(b, view.data, size, ms) : 0;
    tk_view_release(&view);
    return status >= 0 ? PyLong_FromLongLong(status)
                       : go_on(args[0], b->names->read_after, status, args[1], args[3], began,
                               args[2]);
}

/* ---- writing ---- */

static PyObject *blocking_write(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    const blocking *b = (const blocking *)self;
    int64_t ms, began, status;
    Py_ssize_t size;
    const char *data;

    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "write() takes a connection, data and a timeout");
        return NULL;
    }
    if (!PyBytes_CheckExact(args[1]) || !timeout_of(args[2], &ms) ||
        (ms != 0 && PyBytes_Size(args[1]) > TK_RECORD_MOST) || !is_plain(b, ms))
        return PyObject_CallMethodObjArgs(args[0], b->names->write, args[1], args[2], NULL);
    data = PyBytes_AsString(args[1]);
    size = PyBytes_Size(args[1]);
    began = ms > 0 ? tk_clock_ms() : 0;
    Py_BEGIN_ALLOW_THREADS
    status = tk_conn_write(b->conn, data, (size_t)size, ms);
    Py_END_ALLOW_THREADS
    return status >= 0 ? PyLong_FromLongLong(status)
                       : go_on(args[0], b->names->write_after, status, args[1], args[2], began,
                               NULL);
}

/* ---- the type ---- */

static PyObject *blocking_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *handle, *address;
    blocking *b;

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Blocking() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_UnpackTuple(args, "Blocking", 2, 2, &handle, &address) ||
        (b = (blocking *)PyType_GenericAlloc(type, 0)) == NULL)
        return NULL;
    b->names = PyType_GetModuleState(type);
    Py_INCREF(b->handle = handle);
    b->conn = PyLong_AsVoidPtr(address);
    if (b->conn == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "Blocking() needs a connection");
    if (PyErr_Occurred())
        Py_CLEAR(b);
    return (PyObject *)b;
}

static void blocking_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_CLEAR(((blocking *)self)->handle);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef blocking_methods[] = {
    { "read", (PyCFunction)(void (*)(void))blocking_read, METH_FASTCALL,
      "read($self, connection, len, timeout, /)\n--\n\nAs the connection's own." },
    { "read_into", (PyCFunction)(void (*)(void))blocking_read_into, METH_FASTCALL,
      "read_into($self, connection, len, buffer, timeout, /)\n--\n\nAs the connection's own." },
    { "write", (PyCFunction)(void (*)(void))blocking_write, METH_FASTCALL,
      "write($self, connection, data, timeout, /)\n--\n\nAs the connection's own." },
    { NULL, NULL, 0, NULL }
};

static PyType_Slot blocking_slots[] = {
    { Py_tp_new, blocking_new }, { Py_tp_dealloc, blocking_dealloc },
    { Py_tp_methods, blocking_methods }, { 0, NULL }
};

PyType_Spec tk_direct_blocking_spec = { "_tlsbind._direct.Blocking", sizeof(blocking), 0,
                                        Py_TPFLAGS_DEFAULT, blocking_slots };

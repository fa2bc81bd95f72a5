/* The byte queue of a MemoryBIO, which owns a tk_mem. What a program does with it is done here,
   without Python frames; only data that is not bytes goes to the class in Python that derives from
   this one (_core/bio.py). */
#include "direct.h"

static tk_mem *mem_of(PyObject *self) { return ((tk_direct_mem *)self)->mem; }

/* The arguments of a derived class are its own __init__'s. */
static int takes_none(PyTypeObject *type)
{
    return PyType_GetSlot(type, Py_tp_init) == PyType_GetSlot(&PyBaseObject_Type, Py_tp_init);
}

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    tk_direct_mem *m;

    if (takes_none(type) &&
        (PyTuple_Size(args) > 0 || (kwargs != NULL && PyDict_Size(kwargs) > 0))) {
        PyErr_SetString(PyExc_TypeError, "MemoryBIO() takes no arguments");
        return NULL;
    }
    if ((m = (tk_direct_mem *)PyType_GenericAlloc(type, 0)) == NULL)
        return NULL;
    if ((m->mem = tk_mem_new()) != NULL)
        return (PyObject *)m;
    Py_DECREF(m);
    return PyErr_NoMemory();
}

static void queue_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    tk_mem *mem = mem_of(self);

    if (mem != NULL) {
        Py_BEGIN_ALLOW_THREADS
        tk_mem_free(mem);
        Py_END_ALLOW_THREADS
    }
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* ---- what a program does ---- */

static PyObject *queue_read(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t there = (Py_ssize_t)tk_atomic_load(&mem_of(self)->state.pending), size = -1;

    if (nargs > 1) {
        PyErr_SetString(PyExc_TypeError, "read() takes at most 1 argument");
        return NULL;
    }
    if (nargs == 1 && (size = PyNumber_AsSsize_t(args[0], NULL)) == -1 && PyErr_Occurred())
        return NULL;
    return tk_direct_take(mem_of(self), size < 0 || size > there ? there : size);
}

static PyObject *queue_write(PyObject *self, PyObject *data)
{
    tk_mem *mem = mem_of(self);
    PyThreadState *left;
    const char *from;
    Py_ssize_t size;
    int64_t n;

    if (!PyBytes_CheckExact(data) || tk_atomic_load(&mem->state.ended))
        return PyObject_CallMethod(self, "_write_slowly", "(O)", data);
    from = PyBytes_AsString(data);
    size = PyBytes_Size(data);
    left = tk_python_leave(size <= TK_DIRECT_QUICK);
    n = tk_mem_write(mem, from, (size_t)size);
    tk_python_return(left);
    return n < 0 ? PyErr_NoMemory() : PyLong_FromSsize_t(size);
}

static PyObject *queue_write_eof(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    Py_BEGIN_ALLOW_THREADS
    tk_mem_write_eof(mem_of(self));
    Py_END_ALLOW_THREADS
    return Py_NewRef(Py_None);
}

static PyObject *queue_pending(PyObject *self, void *nothing)
{
    (void)nothing;
    return PyLong_FromLongLong(tk_atomic_load(&mem_of(self)->state.pending));
}

static PyObject *queue_eof(PyObject *self, void *nothing)
{
    int eof;

    (void)nothing;
    Py_BEGIN_ALLOW_THREADS
    eof = tk_mem_eof(mem_of(self));
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(eof);
}

static PyObject *queue_ended(PyObject *self, void *nothing)
{
    (void)nothing;
    return PyBool_FromLong((long)tk_atomic_load(&mem_of(self)->state.ended));
}

static PyObject *queue_address(PyObject *self, void *nothing)
{
    (void)nothing;
    return PyLong_FromVoidPtr(mem_of(self));
}

/* ---- the type ---- */

static PyMethodDef queue_methods[] = {
    { "read", (PyCFunction)(void (*)(void))queue_read, METH_FASTCALL,
      "read($self, size=-1, /)\n--\n\nRemove and return up to `size` bytes, or all of them if it "
      "is negative; b\"\" if there\nare none." },
    { "write", queue_write, METH_O,
      "write($self, data, /)\n--\n\nAppend all of `data`, and return the number of bytes.\n\n"
      "Raises:\n    SSLError: after write_eof()." },
    { "write_eof", queue_write_eof, METH_NOARGS,
      "write_eof($self, /)\n--\n\nMark the end: `eof` becomes true once all bytes have been "
      "read." },
    { NULL, NULL, 0, NULL }
};

static PyGetSetDef queue_attributes[] = {
    { "pending", queue_pending, NULL, "The number of bytes that can be read.", NULL },
    { "eof", queue_eof, NULL, "Whether the end was marked and all bytes have been read.", NULL },
    { "ended", queue_ended, NULL, "Whether the end was marked.", NULL },
    { "_address", queue_address, NULL, "The tk_mem's, for cffi.", NULL },
    { NULL, NULL, NULL, NULL, NULL }
};

static PyType_Slot queue_slots[] = {
    { Py_tp_new, queue_new },         { Py_tp_dealloc, queue_dealloc },
    { Py_tp_methods, queue_methods }, { Py_tp_getset, queue_attributes },
    { 0, NULL }
};

PyType_Spec tk_direct_queue_spec = { "_tlsbind._direct.Queue", sizeof(tk_direct_mem), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, queue_slots };

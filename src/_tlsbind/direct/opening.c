/* Opening a connection: an object that owns its tk_conn. What cffi would do here takes
   longer than libssl: it converts each argument, and makes an object that calls back into it at the
   end. */
#include "direct.h"

static tk_direct_conn *allocate(const tk_direct_names *names)
{
    return (tk_direct_conn *)PyType_GenericAlloc((PyTypeObject *)names->conn, 0);
}

/* Of a MemoryBIO; NULL for None. 0: it is neither. */
static int mem_of(const tk_direct_names *names, PyObject *x, tk_mem **mem)
{
    if (PyObject_TypeCheck(x, (PyTypeObject *)names->queue))
        *mem = ((tk_direct_mem *)x)->mem;
    return *mem != NULL || x == Py_None;
}

/* open(tk_ctx, server, descriptor, incoming, outgoing, handle, tk_server_name): None if it fails,
   and the same through cffi tells why. With MemoryBIOs the descriptor is -1, and without them they
   are None. Addresses are numbers, 0 for NULL. */
PyObject *tk_direct_open(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    const tk_direct_names *names = PyModule_GetState(module);
    tk_direct_conn *made;
    tk_mem *incoming = NULL, *outgoing = NULL;
    void *ctx, *handle, *name;
    int64_t fd;
    int server;
    tk_fault fault;

    if (nargs != 7 || !mem_of(names, args[3], &incoming) || !mem_of(names, args[4], &outgoing)) {
        PyErr_SetString(PyExc_TypeError, "open() takes seven arguments, two of them MemoryBIOs");
        return NULL;
    }
    ctx = PyLong_AsVoidPtr(args[0]);
    server = PyObject_IsTrue(args[1]);
    fd = PyLong_AsLongLong(args[2]);
    handle = PyLong_AsVoidPtr(args[5]);
    name = PyLong_AsVoidPtr(args[6]);
    if (!PyErr_Occurred() && (fd < 0) != (incoming != NULL && outgoing != NULL))
        PyErr_SetString(PyExc_ValueError, "open() needs a descriptor or two MemoryBIOs");
    if (PyErr_Occurred() || (made = allocate(names)) == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    made->conn = tk_conn_open(ctx, server, fd, incoming, outgoing, handle, name, &fault);
    Py_END_ALLOW_THREADS
    if (made->conn != NULL)
        return (PyObject *)made;
    Py_DECREF(made);
    return Py_NewRef(Py_None);
}

static PyObject *conn_address(PyObject *self, void *nothing)
{
    (void)nothing;
    return PyLong_FromVoidPtr(((tk_direct_conn *)self)->conn);
}

static void conn_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    tk_conn *conn = ((tk_direct_conn *)self)->conn;

    if (conn != NULL) {
        Py_BEGIN_ALLOW_THREADS
        tk_conn_free(conn);
        Py_END_ALLOW_THREADS
    }
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyGetSetDef conn_attributes[] = {
    { "address", conn_address, NULL, "The tk_conn's, for cffi.", NULL },
    { NULL, NULL, NULL, NULL, NULL }
};

static PyObject *conn_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)type, (void)args, (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "open() makes these");
    return NULL;
}

static PyType_Slot conn_slots[] = {
    { Py_tp_new, conn_new },
    { Py_tp_dealloc, conn_dealloc },
    { Py_tp_getset, conn_attributes },
    { Py_tp_methods, tk_direct_answers },
    { 0, NULL }
};

PyType_Spec tk_direct_conn_spec = { "_tlsbind._direct.Conn", sizeof(tk_direct_conn), 0,
                                    Py_TPFLAGS_DEFAULT, conn_slots };

/* Opening a connection in memory: an object that owns its tk_conn. What cffi would do here takes
   longer than libssl: it converts each argument, and makes an object that calls back into it at the
   end. */
#include "direct.h"

static tk_direct_conn *allocate(const tk_direct_names *names)
{
    return (tk_direct_conn *)PyType_GenericAlloc((PyTypeObject *)names->conn, 0);
}

static int is_queue(const tk_direct_names *names, PyObject *x)
{
    return PyObject_TypeCheck(x, (PyTypeObject *)names->queue);
}

/* open(tk_ctx, server, incoming, outgoing, handle, tk_server_name): None if it fails, and the same
   through cffi tells why. Addresses are numbers, 0 for NULL. */
PyObject *tk_direct_open(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    const tk_direct_names *names = PyModule_GetState(module);
    tk_direct_conn *made;
    void *ctx, *handle, *name;
    int server;
    tk_fault fault;

    if (nargs != 6 || !is_queue(names, args[2]) || !is_queue(names, args[3])) {
        PyErr_SetString(PyExc_TypeError, "open() takes six arguments, two of them MemoryBIOs");
        return NULL;
    }
    ctx = PyLong_AsVoidPtr(args[0]);
    server = PyObject_IsTrue(args[1]);
    handle = PyLong_AsVoidPtr(args[4]);
    name = PyLong_AsVoidPtr(args[5]);
    if (PyErr_Occurred() || (made = allocate(names)) == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    made->conn = tk_conn_open(ctx, server, -1, ((tk_direct_mem *)args[2])->mem,
                              ((tk_direct_mem *)args[3])->mem, handle, name, &fault);
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
    { 0, NULL }
};

PyType_Spec tk_direct_conn_spec = { "_tlsbind._direct.Conn", sizeof(tk_direct_conn), 0,
                                    Py_TPFLAGS_DEFAULT, conn_slots };

/* The module `_tlsbind._direct`: its types, and what their methods use. */
#include "direct.h"

enum { NAMES = sizeof(tk_direct_names) / sizeof(PyObject *) };

static PyObject **each(PyObject *module) { return PyModule_GetState(module); }

static int intern(PyObject **place, const char *text)
{
    return (*place = PyUnicode_InternFromString(text)) != NULL;
}

/* What a wait in C may replace: as in _core/wait.py. */
static int find_select(tk_direct_names *n)
{
    PyObject *select = PyImport_ImportModule("select"), *home = NULL;
    int native = 0;

    n->select = select;
    n->native_select = select == NULL ? NULL : PyObject_GetAttrString(select, "select");
    if (n->native_select != NULL)
        home = PyObject_GetAttrString(n->native_select, "__module__");
    if (home != NULL && PyUnicode_Check(home))
        native = PyUnicode_CompareWithASCIIString(home, "select") == 0;
    Py_XDECREF(home);
    if (n->native_select == NULL || PyErr_Occurred())
        return 0;
    if (!native) { /* an object that nothing else is */
        Py_CLEAR(n->native_select);
        n->native_select = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    }
    return n->native_select != NULL;
}

static int fill(tk_direct_names *n)
{
    PyObject *ssl = PyImport_ImportModule("ssl"), *number = NULL;

    if (ssl == NULL)
        return 0;
    n->want_read = PyObject_GetAttrString(ssl, "SSLWantReadError");
    number = PyObject_GetAttrString(ssl, "SSL_ERROR_WANT_READ");
    Py_DECREF(ssl);
    n->number = number == NULL ? NULL : PyNumber_Long(number);
    Py_XDECREF(number);
    n->at_once = PyLong_FromLong(65536);
    n->any_size = PyLong_FromLong(-1);
    n->debug = PyLong_FromLong(10); /* logging.DEBUG */
    return find_select(n) && n->want_read != NULL && n->number != NULL && n->at_once != NULL &&
           n->any_size != NULL && n->debug != NULL &&
           intern(&n->text, "The operation did not complete (read)") &&
           intern(&n->dry, "_dry") && intern(&n->pending, "pending") && intern(&n->eof, "eof") &&
           intern(&n->library, "library") && intern(&n->reason, "reason") &&
           intern(&n->late_error, "late_error") && intern(&n->concludes, "concludes") &&
           intern(&n->decide, "_decide") &&
           intern(&n->logging, "logging") &&
           intern(&n->is_enabled_for, "isEnabledFor") && intern(&n->do_handshake, "do_handshake") &&
           intern(&n->handshake_on, "_handshake_on") &&
           intern(&n->shutdown, "shutdown") && intern(&n->shutdown_on, "_shutdown_on") &&
           intern(&n->return_leftover, "_return_leftover") &&
           intern(&n->read, "read") && intern(&n->write, "write") &&
           intern(&n->read_on, "_read_on") && intern(&n->read_slowly, "_read_slowly") &&
           intern(&n->write_on, "_write_on") &&
           intern(&n->data_received, "data_received") &&
           intern(&n->not_delivered, "_not_delivered") &&
           intern(&n->after_receive, "_after_receive") &&
           intern(&n->read_into_protocol, "_read_into_protocol") &&
           intern(&n->get_buffer, "get_buffer") &&
           intern(&n->buffer_updated, "buffer_updated") &&
           intern(&n->filled, "_filled") && intern(&n->left_over, "_left_over") &&
           intern(&n->readable, "_readable") &&
           intern(&n->pulled, "_pulled") && intern(&n->pushed, "_pushed") &&
           intern(&n->write_slowly, "_write_slowly") && intern(&n->select_name, "select") &&
           intern(&n->read_after, "_read_after") && intern(&n->write_after, "_write_after");
}

static PyObject *add(PyObject *module, PyType_Spec *spec, const char *name)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);

    if (type != NULL && PyModule_AddObjectRef(module, name, type) < 0)
        Py_CLEAR(type);
    return type;
}

static int module_exec(PyObject *module)
{
    tk_direct_names *names = PyModule_GetState(module);
    PyObject *type;

    if (!fill(names) || (names->lock = add(module, &tk_direct_lock_spec, "Lock")) == NULL ||
        (names->queue = add(module, &tk_direct_queue_spec, "Queue")) == NULL ||
        (names->conn = add(module, &tk_direct_conn_spec, "Conn")) == NULL ||
        (type = add(module, &tk_direct_spec, "Direct")) == NULL)
        return -1;
    Py_DECREF(type);
    if ((type = add(module, &tk_direct_traffic_spec, "Traffic")) == NULL)
        return -1;
    Py_DECREF(type);
    if ((type = add(module, &tk_direct_blocking_spec, "Blocking")) == NULL)
        return -1;
    Py_DECREF(type);
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    PyObject **place = each(module);
    int i;

    for (i = 0; place != NULL && i < NAMES; i++)
        Py_VISIT(place[i]);
    return 0;
}

static int module_clear(PyObject *module)
{
    PyObject **place = each(module);
    int i;

    for (i = 0; place != NULL && i < NAMES; i++)
        Py_CLEAR(place[i]);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    { Py_mod_exec, module_exec },
#ifdef Py_GIL_DISABLED
    { Py_mod_gil, Py_MOD_GIL_NOT_USED },
#endif
    { 0, NULL }
};

static PyMethodDef module_methods[] = {
    { "open", (PyCFunction)(void (*)(void))tk_direct_open, METH_FASTCALL,
      "Open a connection." },
    { "session_facts", tk_direct_session_facts, METH_O, "Return the facts of a session." },
    { NULL, NULL, 0, NULL }
};

static struct PyModuleDef definition = { .m_base = PyModuleDef_HEAD_INIT,
                                         .m_name = "_tlsbind._direct",
                                         .m_size = sizeof(tk_direct_names),
                                         .m_methods = module_methods,
                                         .m_slots = module_slots,
                                         .m_traverse = module_traverse,
                                         .m_clear = module_clear,
                                         .m_free = module_free };

PyMODINIT_FUNC PyInit__direct(void) { return PyModuleDef_Init(&definition); }

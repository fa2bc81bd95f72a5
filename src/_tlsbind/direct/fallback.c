/* Everything that is not usual: the owner's methods in Python, and what the files beside this share
   on the way there. */
#include "direct.h"

PyObject *tk_direct_otherwise(PyObject *owner, PyObject *name, PyObject *const *args,
                              Py_ssize_t nargs, PyObject *kwnames)
{
    /* None has no such method */
    PyObject *method = PyObject_GetAttr(owner == NULL ? Py_None : owner, name);
    PyObject *given = NULL, *named = NULL;
    PyObject *result = NULL;
    Py_ssize_t i, more = kwnames == NULL ? 0 : PyTuple_Size(kwnames);

    if (method == NULL || (given = PyTuple_New(nargs)) == NULL)
        goto out;
    for (i = 0; i < nargs; i++) {
        Py_INCREF(args[i]);
        PyTuple_SetItem(given, i, args[i]);
    }
    if (more > 0 && (named = PyDict_New()) == NULL)
        goto out;
    for (i = 0; i < more; i++)
        if (PyDict_SetItem(named, PyTuple_GetItem(kwnames, i), args[nargs + i]) < 0)
            goto out;
    result = PyObject_Call(method, given, named);
out:
    Py_XDECREF(method);
    Py_XDECREF(given);
    Py_XDECREF(named);
    return result;
}

/* What is to be done about a status: the connection's own method knows. */
PyObject *tk_direct_go_on(PyObject *owner, PyObject *name, int64_t status, PyObject *given,
                          PyObject *more)
{
    PyObject *number = PyLong_FromLongLong(status), *result = NULL;

    owner = owner == NULL ? Py_None : owner; /* None has no such method */
    Py_INCREF(owner);                        /* it may be replaced meanwhile */
    if (number != NULL)
        result = PyObject_CallMethodObjArgs(owner, name, number, given, more, NULL);
    Py_DECREF(owner);
    Py_XDECREF(number);
    return result;
}

PyObject *tk_direct_first(PyObject *data, Py_ssize_t size)
{
    PyObject *first;

    if (PyBytes_Size(data) == size)
        return data;
    first = PyBytes_FromStringAndSize(PyBytes_AsString(data), size);
    Py_DECREF(data);
    return first;
}

PyObject *tk_direct_take(tk_mem *mem, Py_ssize_t size)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, size);
    char *into = data == NULL ? NULL : PyBytes_AsString(data);
    PyThreadState *left;
    int64_t n;

    if (data == NULL)
        return NULL;
    left = tk_python_leave(size <= TK_DIRECT_QUICK);
    n = tk_mem_read(mem, into, (size_t)size);
    tk_python_return(left);
    return tk_direct_first(data, (Py_ssize_t)n); /* another thread may have read, too */
}

PyObject *tk_direct_nothing(const tk_direct *d)
{
    const tk_direct_names *names = d->names;
    PyObject *error = PyObject_CallFunctionObjArgs(names->want_read, names->number,
                                                   names->text, NULL);

    if (error != NULL && PyObject_SetAttr(error, names->library, Py_None) == 0 &&
        PyObject_SetAttr(error, names->reason, Py_None) == 0)
        PyErr_SetObject(names->want_read, error);
    Py_XDECREF(error);
    return NULL;
}

/* Whether an attribute is this object; -1: it could not be read. */
int tk_direct_attribute_is(PyObject *owner, PyObject *name, PyObject *wanted)
{
    PyObject *value = PyObject_GetAttr(owner, name);
    int is = value == NULL ? -1 : value == wanted;

    Py_XDECREF(value);
    return is;
}

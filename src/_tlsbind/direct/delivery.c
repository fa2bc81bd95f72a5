/* Receive for a transport, and tell the transport: for traffic.c and buffered.c. */
#include "traffic.h"

PyObject *tk_traffic_ask(const tk_traffic *t, PyObject *name, PyObject *first, PyObject *second)
{
    PyObject *owner = t->owner != NULL ? t->owner : Py_None, *result;

    Py_INCREF(owner); /* it may be replaced meanwhile */
    result = PyObject_CallMethodObjArgs(owner, name, first, second, NULL);
    Py_DECREF(owner);
    return result;
}

PyObject *tk_traffic_not_delivered(const tk_traffic *t, PyObject *method)
{
    PyObject *type, *error, *where, *result = NULL;

    if (PyErr_ExceptionMatches(PyExc_SystemExit) || PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
        return NULL;
    PyErr_Fetch(&type, &error, &where);
    PyErr_NormalizeException(&type, &error, &where);
    if (where == NULL || PyException_SetTraceback(error, where) == 0)
        result = tk_traffic_ask(t, t->names->not_delivered, error, method);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(where);
    return result;
}

int64_t tk_traffic_receive(const tk_traffic *t, void *into, Py_ssize_t room)
{
    int64_t status;

    Py_BEGIN_ALLOW_THREADS
    status = tk_stream_receive_into(t->conn, into, (size_t)room);
    Py_END_ALLOW_THREADS
    return status;
}

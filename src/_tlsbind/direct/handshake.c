/* Handshakes between tlskit's MemoryBIOs: methods.c. */
#include "direct.h"
#include "tk_handshake.h"

/* Whether the end of a handshake means anything to the connection: something that has to be
   concluded, or a log that may be listening. */
static int is_awaited(const tk_direct *d)
{
    const tk_direct_names *n = d->names;
    int silent = PyDict_GetItemWithError(PyImport_GetModuleDict(), n->logging) == NULL &&
                 tk_direct_attribute_is(d->channel, n->concludes, Py_False) == 1;

    if (PyErr_Occurred())
        PyErr_Clear();
    return !silent;
}

PyObject *tk_direct_handshake_memory(const tk_direct *d)
{
    int64_t status;
    int fine;

    Py_BEGIN_ALLOW_THREADS
    status = tk_conn_handshake(d->conn, 0);
    Py_END_ALLOW_THREADS
    if ((fine = tk_direct_attribute_is(d->channel, d->names->late_error, Py_None)) < 0)
        return NULL;
    if (fine && status == TK_WANT_READ)
        return tk_direct_nothing(d);
    if (fine && status > 0 && !is_awaited(d))
        return Py_NewRef(Py_None);
    return tk_direct_go_on(d->channel, d->names->handshake_on, status, NULL);
}

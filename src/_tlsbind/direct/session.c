/* The facts of a session as one tuple, in the order of Session's attributes (_core/session.py). To
   fetch them through cffi takes as long as libssl takes to copy a session. */
#include "direct.h"
#include "tk_fork.h"
#include "tk_session.h"

static PyObject *bytes_of(const uint8_t *data, uint32_t size)
{
    return PyBytes_FromStringAndSize((const char *)data, size);
}

/* session_facts(SSL_SESSION): its address as a number; somebody owns it meanwhile. */
PyObject *tk_direct_session_facts(PyObject *module, PyObject *address)
{
    SSL_SESSION *s = PyLong_AsVoidPtr(address);
    tk_session_facts f;
    PyObject *hostname;

    (void)module;
    if (s == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "session_facts() needs a session");
        return NULL;
    }
    tk_fork_enter(s);
    tk_session_facts_of(s, &f);
    tk_fork_leave(s);
    hostname = f.hostname == NULL ? tk_none()
                                  : PyUnicode_DecodeLatin1(f.hostname,
                                                           (Py_ssize_t)strlen(f.hostname), NULL);
    return Py_BuildValue("(NNLLLONiLNNNI)", bytes_of(f.id, f.id_size),
                         bytes_of(f.id_context, f.id_context_size), (long long)f.time,
                         (long long)f.timeout, (long long)f.lifetime_hint,
                         f.has_ticket ? Py_True : Py_False, bytes_of(f.ticket, f.ticket_size),
                         (int)f.version, (long long)f.peer_not_after, tk_text(f.cipher),
                         tk_text_of_protocol(f.alpn, f.alpn_size), hostname,
                         (unsigned int)f.max_early_data);
}

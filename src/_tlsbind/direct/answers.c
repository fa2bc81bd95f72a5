/* What programs ask of each connection, as methods of its owner (opening.c). Where this is not
   compiled in, _core/answers.py answers the same.

   The GIL is kept: what the connection's lock guards is a short computation, and nobody who holds
   that lock waits for the GIL (tk_lock.c). */
#include "direct.h"
#include "tk_answers.h"
#include "tk_fork.h"

enum { SUITES_MOST = 256 };

static tk_conn *conn_of(PyObject *self) { return ((tk_direct_conn *)self)->conn; }

/* It takes the references; NULL: one of them is. */
static PyObject *triple(PyObject *a, PyObject *b, PyObject *c)
{
    PyObject *made = a == NULL || b == NULL || c == NULL ? NULL : PyTuple_New(3);

    if (made == NULL) {
        Py_XDECREF(a);
        Py_XDECREF(b);
        Py_XDECREF(c);
        return NULL;
    }
    PyTuple_SetItem(made, 0, a);
    PyTuple_SetItem(made, 1, b);
    PyTuple_SetItem(made, 2, c);
    return made;
}

static PyObject *described(const tk_suite *suite)
{
    return triple(PyUnicode_FromString(suite->name), PyUnicode_FromString(suite->protocol),
                  PyLong_FromLong(suite->bits));
}

/* ---- what was agreed on ---- */

static PyObject *answer_cipher(PyObject *self, PyObject *nothing)
{
    tk_suite suite;

    (void)nothing;
    return tk_conn_suite(conn_of(self), &suite) ? described(&suite) : tk_none();
}

static PyObject *answer_shared_ciphers(PyObject *self, PyObject *nothing)
{
    tk_suite suites[SUITES_MOST];
    int i, n = tk_conn_shared_suites(conn_of(self), suites, SUITES_MOST);
    PyObject *listed, *one;

    (void)nothing;
    if (n <= 0)
        return tk_none();
    listed = PyList_New(n);
    for (i = 0; listed != NULL && i < n; i++) {
        if ((one = described(&suites[i])) == NULL)
            Py_CLEAR(listed);
        else
            PyList_SetItem(listed, i, one);
    }
    return listed;
}

static PyObject *answer_version(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return tk_text(tk_conn_version(conn_of(self)));
}

static PyObject *answer_compression(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return tk_text(tk_conn_compression(conn_of(self)));
}

static PyObject *answer_protocol(PyObject *self, PyObject *nothing)
{
    uint8_t protocol[255];
    int size = tk_conn_protocol(conn_of(self), protocol);

    (void)nothing;
    return tk_text_of_protocol(protocol, (size_t)size);
}

static PyObject *answer_unique(PyObject *self, PyObject *nothing)
{
    uint8_t message[64];
    int size = tk_conn_unique(conn_of(self), message);

    (void)nothing;
    return size == 0 ? tk_none() : PyBytes_FromStringAndSize((char *)message, size);
}

static PyObject *answer_reused(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return PyBool_FromLong(tk_conn_reused(conn_of(self)));
}

/* ---- the peer's certificates ---- */

/* While it is counted (tk_fork.h): making bytes runs no other Python. */
static PyObject *der_of(X509 *x)
{
    int size = i2d_X509(x, NULL);
    PyObject *der = size < 0 ? PyErr_NoMemory() : PyBytes_FromStringAndSize(NULL, size);
    unsigned char *at = der == NULL ? NULL : (unsigned char *)PyBytes_AsString(der);

    if (at != NULL)
        (void)i2d_X509(x, &at);
    return der;
}

/* 0: none; -1: it raises */
static int shown(PyObject *self, X509 **x)
{
    int found = tk_conn_shown(conn_of(self), x);

    if (found < 0)
        PyErr_SetString(PyExc_ValueError, "handshake not done yet");
    return found;
}

static PyObject *answer_has_certificate(PyObject *self, PyObject *nothing)
{
    int found = shown(self, NULL);

    (void)nothing;
    return found < 0 ? NULL : PyBool_FromLong(found);
}

static PyObject *answer_certificate(PyObject *self, PyObject *nothing)
{
    X509 *x = NULL;
    int found = shown(self, &x);
    PyObject *der;

    (void)nothing;
    if (found <= 0)
        return found == 0 ? tk_none() : NULL;
    tk_fork_enter(self);
    der = der_of(x);
    X509_free(x);
    tk_fork_leave(self);
    return der;
}

static PyObject *answer_chain(PyObject *self, PyObject *verified)
{
    int i, reused;
    STACK_OF(X509) *chain =
        tk_conn_shown_chain(conn_of(self), PyObject_IsTrue(verified) == 1, &reused);
    int n = chain == NULL ? 0 : sk_X509_num(chain);
    /* what was noted in a full handshake may say more */
    PyObject *listed = reused ? tk_none() : PyList_New(n), *der;

    if (chain == NULL)
        return listed;
    tk_fork_enter(self);
    for (i = 0; !reused && listed != NULL && i < n; i++) {
        if ((der = der_of(sk_X509_value(chain, i))) == NULL)
            Py_CLEAR(listed);
        else
            PyList_SetItem(listed, i, der);
    }
    sk_X509_pop_free(chain, X509_free);
    tk_fork_leave(self);
    return listed;
}

PyMethodDef tk_direct_answers[] = {
    { "cipher", answer_cipher, METH_NOARGS, "As in answers.py." },
    { "shared_ciphers", answer_shared_ciphers, METH_NOARGS, "As in answers.py." },
    { "version", answer_version, METH_NOARGS, "As in answers.py." },
    { "compression", answer_compression, METH_NOARGS, "As in answers.py." },
    { "selected_alpn_protocol", answer_protocol, METH_NOARGS, "As in answers.py." },
    { "unique", answer_unique, METH_NOARGS, "As in answers.py." },
    { "session_reused", answer_reused, METH_NOARGS, "As in answers.py." },
    { "has_certificate", answer_has_certificate, METH_NOARGS, "As in answers.py." },
    { "certificate", answer_certificate, METH_NOARGS, "As in answers.py." },
    { "chain", answer_chain, METH_O, "As in answers.py." },
    { NULL, NULL, 0, NULL }
};

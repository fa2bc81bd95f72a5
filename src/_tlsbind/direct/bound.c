/* A bound method that is called again and again. One that is written in C, as those of the stdlib's
   MemoryBIO are, is called as the interpreter would call it, without the way there. */
#include "direct.h"

#include <string.h>

typedef PyObject *(*fast_function)(PyObject *self, PyObject *const *args, Py_ssize_t nargs);

/* A function of another type, which ISO C lets us convert, and call as what it is. */
static fast_function fast(PyCFunction f) { return (fast_function)(void (*)(void))f; }

int tk_method_find(PyObject *owner, const char *name, tk_method *m)
{
    memset(m, 0, sizeof *m);
    if ((m->bound = PyObject_GetAttrString(owner, name)) == NULL)
        return 0;
    if (PyCFunction_CheckExact(m->bound)) {
        m->function = PyCFunction_GetFunction(m->bound);
        m->flags = PyCFunction_GetFlags(m->bound);
        m->self = PyCFunction_GetSelf(m->bound);
    }
    return 1;
}

PyObject *tk_method_call(const tk_method *m, PyObject *given)
{
    if (m->function != NULL && m->flags == METH_O)
        return m->function(m->self, given);
    if (m->function != NULL && m->flags == METH_FASTCALL)
        return fast(m->function)(m->self, &given, 1);
    return PyObject_CallFunctionObjArgs(m->bound, given, NULL);
}

/* The bytes of any object that has some (PEP 3118).

   The limited API has this from Python 3.11 on. But its parts are the same in 3.10: the struct has
   been so since 3.3, and the numbers of a type's slots never change. */
#include "direct.h"

enum { SLOT_GET = 1, SLOT_RELEASE = 2, /* Py_bf_getbuffer, Py_bf_releasebuffer */
       FLAG_WRITABLE = 1 };            /* PyBUF_WRITABLE */

typedef int (*get_function)(PyObject *, struct tk_buffer *, int);
typedef void (*release_function)(PyObject *, struct tk_buffer *);

/* The function of a slot, which ISO C does not let us make of a pointer to data. */
static get_function getter_of(PyObject *object)
{
    union { void *slot; get_function function; } u;

    u.slot = PyType_GetSlot(Py_TYPE(object), SLOT_GET);
    return u.function;
}

static release_function releaser_of(PyObject *object)
{
    union { void *slot; release_function function; } u;

    u.slot = PyType_GetSlot(Py_TYPE(object), SLOT_RELEASE);
    return u.function;
}

int tk_view_of(PyObject *object, int writable, tk_view *v)
{
    get_function get = getter_of(object);

    v->buffer.obj = NULL;
    if (get == NULL || get(object, &v->buffer, writable ? FLAG_WRITABLE : 0) != 0) {
        PyErr_Clear();
        return 0;
    }
    v->data = v->buffer.buf;
    v->size = v->buffer.len;
    return 1;
}

void tk_view_release(tk_view *v)
{
    PyObject *object = v->buffer.obj;
    release_function release = object == NULL ? NULL : releaser_of(object);

    if (release != NULL)
        release(object, &v->buffer);
    Py_CLEAR(v->buffer.obj);
}

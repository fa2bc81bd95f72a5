/* The bytes of any object that has some (PEP 3118).

   The limited API has this from Python 3.11 on. But its parts are the same in 3.10: the struct has
   been so since 3.3, and the numbers of a type's slots never change. */
#include "direct.h"

enum { FLAG_WRITABLE = 1, FLAG_FORMAT = 4, FLAG_SHAPE = 8, FLAG_STRIDES = 16 }; /* PyBUF_... */

typedef int (*get_function)(PyObject *, struct tk_buffer *, int);
typedef void (*release_function)(PyObject *, struct tk_buffer *);

/* The function of a slot, which ISO C does not let us make of a pointer to data. */
static get_function getter_of(PyObject *object)
{
    union { void *slot; get_function function; } u;

    u.slot = PyType_GetSlot(Py_TYPE(object), TK_SLOT_GET);
    return u.function;
}

static release_function releaser_of(PyObject *object)
{
    union { void *slot; release_function function; } u;

    u.slot = PyType_GetSlot(Py_TYPE(object), TK_SLOT_RELEASE);
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

int tk_view_show(PyObject *object, const void *data, Py_ssize_t size, struct tk_buffer *into,
                 int flags)
{
    static char bytes[] = "B";

    if (data == NULL || flags & FLAG_WRITABLE) {
        into->obj = NULL;
        PyErr_SetString(PyExc_BufferError, data == NULL ? "no bytes are being passed on"
                                                        : "these bytes are read-only");
        return -1;
    }
    *into = (struct tk_buffer){ .buf = (void *)data,
                                .obj = Py_NewRef(object),
                                .len = size,
                                .itemsize = 1,
                                .readonly = 1,
                                .ndim = 1,
                                .format = flags & FLAG_FORMAT ? bytes : NULL };
    into->shape = flags & FLAG_SHAPE ? &into->len : NULL;
    into->strides = flags & FLAG_STRIDES ? &into->itemsize : NULL;
    return 0;
}

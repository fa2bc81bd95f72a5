/* The common operations of a connection in memory, as methods of CPython: methods.c. */
#ifndef TK_DIRECT_H
#define TK_DIRECT_H

#include <pyconfig.h>
#if !defined(Py_GIL_DISABLED) && !defined(Py_LIMITED_API)
#define Py_LIMITED_API 0x030A0000
#endif
#include <Python.h>

#include "tk_conn.h"
#include "tk_queue.h"

#ifndef PyBUF_READ /* the headers of the limited API have it from 3.11 on, with its function */
#define PyBUF_READ 0x100
#endif

enum { TK_DIRECT_SMALL = 4096, /* bytes: what is no more than that goes through the stack */
       TK_DIRECT_MOST = 262144, /* of one read: what asyncio asks for */
       TK_DIRECT_OVERHEAD = 17, /* of a TLS 1.3 record without padding (RFC 8446, 5.2) */
       TK_RECORD_MOST = 16384,
       TK_DIRECT_QUICK = TK_RECORD_MOST + 512 }; /* a record, whatever its cipher adds */

/* What the module knows. */
typedef struct {
    PyObject *want_read, *number, *text;    /* an SSLWantReadError, and what it is made with */
    PyObject *at_once;                      /* how much a read takes from the program's queue */
    PyObject *lock, *queue, *conn;          /* the types of lock.c, queue.c and opening.c */
    /* names of attributes */
    PyObject *dry, *pending, *eof, *library, *reason;
    PyObject *late_error, *concludes, *decide, *logging, *is_enabled_for, *debug;
    PyObject *logger; /* once somebody may listen: handshake.c */
    PyObject *read, *write, *do_handshake, *shutdown; /* and of methods, */
    PyObject *read_on, *read_slowly, *write_on, *handshake_on, *shutdown_on, *return_leftover;
    /* of a transport and its protocol too */
    PyObject *data_received, *not_delivered, *after_receive, *read_into_protocol, *pulled;
    PyObject *get_buffer, *buffer_updated, *any_size, *filled, *left_over, *readable;
    PyObject *write_slowly, *pushed;
    PyObject *select, *select_name, *native_select; /* the module, and its own function */
    PyObject *read_after, *write_after;
} tk_direct_names;

/* bound.c */
typedef struct {
    PyObject *bound;
    PyObject *self; /* its own */
    PyCFunction function;
    int flags;
} tk_method;

int tk_method_find(PyObject *owner, const char *name, tk_method *m); /* 0: it raises */
PyObject *tk_method_call(const tk_method *m, PyObject *given);

typedef struct {
    PyObject_HEAD
    tk_direct_names *names;
    tk_conn *conn;
    int32_t generation;
    PyObject *handle;                /* the owner of `conn` */
    PyObject *channel;               /* the Connection, in Python; NULL: collected as garbage */
    PyObject *incoming;              /* the stdlib's MemoryBIO; NULL: they are tlskit's */
    tk_method take, put;             /* the incoming one's `read`, the outgoing one's `write` */
    PyObject *receives, *sends;      /* their locks: lock.c */
    const void *passed;              /* what goes into the program's queue now; NULL: nothing */
    Py_ssize_t passed_size;
    int32_t settled;                 /* a handshake was complete: libssl takes little time now */
    int32_t overhead;                /* bytes that the last record was longer than what was in it */
} tk_direct;

typedef struct {
    PyObject_HEAD
    tk_mem *mem;
} tk_direct_mem;

typedef struct {
    PyObject_HEAD
    tk_conn *conn;
} tk_direct_conn;

/* A view of an object's bytes: view.c. */
struct tk_buffer { /* the interpreter's Py_buffer */
    void *buf;
    PyObject *obj;
    Py_ssize_t len, itemsize;
    int readonly, ndim;
    char *format;
    Py_ssize_t *shape, *strides, *suboffsets;
    void *internal;
};

typedef struct {
    void *data;
    Py_ssize_t size;
    struct tk_buffer buffer;
} tk_view;

/* 0: it has no bytes that lie together, or none to write to; nothing is raised */
int tk_view_of(PyObject *object, int writable, tk_view *v);
void tk_view_release(tk_view *v);
/* The reverse, as a type's slot for it returns: show bytes that `object` has now. NULL: it has
   none, which raises BufferError. */
int tk_view_show(PyObject *object, const void *data, Py_ssize_t size, struct tk_buffer *into,
                 int flags);
enum { TK_SLOT_GET = 1, TK_SLOT_RELEASE = 2 }; /* Py_bf_getbuffer, Py_bf_releasebuffer */

/* What a read asks for: bytes, or a count of those that it has put into a buffer. */
typedef struct {
    PyObject *wanted, *buffer; /* the size as an object; Py_None: there is no buffer */
    Py_ssize_t size;           /* at most so many */
    char *into;                /* the buffer's bytes */
} tk_request;

/* fallback.c: for what is not usual, the connection's methods in Python; `given` and `more` may be
   NULL */
PyObject *tk_direct_otherwise(PyObject *owner, PyObject *name, PyObject *const *args,
                              Py_ssize_t nargs, PyObject *kwnames); /* no owner: it fails */
PyObject *tk_direct_go_on(PyObject *owner, PyObject *name, int64_t status, PyObject *given,
                          PyObject *more);
PyObject *tk_direct_first(PyObject *data, Py_ssize_t size); /* of new bytes: or a copy of so many */
PyObject *tk_direct_take(tk_mem *mem, Py_ssize_t size); /* at most so many bytes of a queue */
PyObject *tk_direct_nothing(const tk_direct *d); /* raises SSLWantReadError */
int tk_direct_attribute_is(PyObject *owner, PyObject *name, PyObject *wanted);

/* memory.c, handshake.c, incoming.c, outgoing.c: `given` is the object whose bytes are written */
PyObject *tk_direct_read_memory(tk_direct *d, const tk_request *q);
PyObject *tk_direct_write_memory(const tk_direct *d, PyObject *given, const char *data,
                                 Py_ssize_t size);
PyObject *tk_direct_handshake(tk_direct *d);
PyObject *tk_direct_shutdown(tk_direct *d);
PyObject *tk_direct_read_queue(tk_direct *d, const tk_request *q);
PyObject *tk_direct_write_queue(tk_direct *d, PyObject *given, const char *data,
                                Py_ssize_t size);

/* Between the stdlib's MemoryBIOs; 0: Python has failed. */
int tk_direct_receive(const tk_direct *d);       /* all that came goes to libssl */
int tk_direct_send_the_rest(const tk_direct *d); /* what libssl has made beside */
int tk_direct_end(const tk_direct *d);           /* of TLS; what came after it is the program's */

int tk_direct_acquire(PyObject *lock); /* 0: a signal's handler has raised */
int tk_direct_release(PyObject *lock); /* 0: another thread has it */

PyObject *tk_direct_open(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

PyObject *tk_direct_session_facts(PyObject *module, PyObject *address); /* session.c */

/* answers.c: what Conn answers about its connection */
extern PyMethodDef tk_direct_answers[];

extern PyType_Spec tk_direct_spec, tk_direct_lock_spec, tk_direct_traffic_spec;
extern PyType_Spec tk_direct_queue_spec, tk_direct_conn_spec, tk_direct_blocking_spec;

/* Whether other threads of the interpreter would need longer to begin than this takes: a record's
   data, and with AES in hardware some 4 microseconds. */
static inline int tk_direct_is_quick(const tk_direct *d, Py_ssize_t size)
{
    return size <= TK_DIRECT_QUICK && tk_atomic_load32((int32_t *)&d->settled);
}

/* What has been read or written has come after a handshake. */
static inline void tk_direct_settle(tk_direct *d)
{
    if (!tk_atomic_load32(&d->settled))
        tk_atomic_store32(&d->settled, 1);
}

/* Around work without Python: give the interpreter away, unless the work is quick. */
static inline PyThreadState *tk_python_leave(int quick)
{
    return quick ? NULL : PyEval_SaveThread();
}

static inline void tk_python_return(PyThreadState *left)
{
    if (left != NULL)
        PyEval_RestoreThread(left);
}

/* New references; None where there is nothing. */
static inline PyObject *tk_none(void) { return Py_NewRef(Py_None); }

static inline PyObject *tk_text(const char *found)
{
    return found == NULL ? tk_none() : PyUnicode_FromString(found);
}

/* Of an application protocol; none if it is empty. */
static inline PyObject *tk_text_of_protocol(const uint8_t *name, size_t size)
{
    return size == 0 ? tk_none()
                     : PyUnicode_DecodeASCII((const char *)name, (Py_ssize_t)size,
                                             "backslashreplace");
}

static inline Py_ssize_t tk_least(Py_ssize_t a, Py_ssize_t b) { return a < b ? a : b; }

#endif

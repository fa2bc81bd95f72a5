/* A lock like threading.RLock that C can use without calling Python: one read of an event loop
   takes it three times. Where nobody has it, that is an atomic operation each way. A signal's
   handler that raises ends the wait for it. */
#include "direct.h"

typedef struct {
    PyObject_HEAD
    PyThread_type_lock bell; /* of those who wait: locked, until it rings */
    int64_t owner;           /* a thread's identity */
    int32_t held;            /* 1: somebody has it */
    int32_t waiting;         /* how many threads wait */
    int32_t rung;            /* the bell, and nobody has heard it yet */
    int32_t depth;           /* its owner's alone */
} tk_direct_lock;

static int take(tk_direct_lock *l) { return tk_atomic_swap32(&l->held, 1) == 0; }

/* Another thread may be faster than the one that was woken. */
static int wait_for(tk_direct_lock *l)
{
    int fine = 1;

    tk_atomic_add(&l->waiting, 1);
    while (fine && !take(l)) {
        PyLockStatus status;

        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(l->bell, -1, 1);
        Py_END_ALLOW_THREADS
        if (status == PY_LOCK_ACQUIRED)
            tk_atomic_store32(&l->rung, 0);
        else
            fine = PyErr_CheckSignals() == 0;
    }
    tk_atomic_add(&l->waiting, -1);
    return fine;
}

int tk_direct_acquire(PyObject *self)
{
    tk_direct_lock *l = (tk_direct_lock *)self;
    int64_t me = (int64_t)PyThread_get_thread_ident();

    if (tk_atomic_load(&l->owner) != me) {
        if (!take(l) && !wait_for(l))
            return 0;
        tk_atomic_store(&l->owner, me);
    }
    l->depth++;
    return 1;
}

int tk_direct_release(PyObject *self)
{
    tk_direct_lock *l = (tk_direct_lock *)self;

    if (tk_atomic_load(&l->owner) != (int64_t)PyThread_get_thread_ident())
        return 0;
    if (--l->depth == 0) {
        tk_atomic_store(&l->owner, 0);
        tk_atomic_store32(&l->held, 0);
        if (tk_atomic_load32(&l->waiting) != 0 && tk_atomic_swap32(&l->rung, 1) == 0)
            PyThread_release_lock(l->bell);
    }
    return 1;
}

static PyObject *lock_acquire(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    if (!tk_direct_acquire(self))
        return NULL;
    return Py_NewRef(Py_True);
}

static PyObject *lock_release(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    if (!tk_direct_release(self)) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release a lock that another thread holds");
        return NULL;
    }
    return Py_NewRef(Py_None);
}

static PyObject *lock_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    tk_direct_lock *l;

    if (PyTuple_Size(args) > 0 || (kwargs != NULL && PyDict_Size(kwargs) > 0)) {
        PyErr_SetString(PyExc_TypeError, "Lock() takes no arguments");
        return NULL;
    }
    if ((l = (tk_direct_lock *)PyType_GenericAlloc(type, 0)) == NULL)
        return NULL;
    if ((l->bell = PyThread_allocate_lock()) != NULL) {
        (void)PyThread_acquire_lock(l->bell, NOWAIT_LOCK);
        return (PyObject *)l;
    }
    Py_DECREF(l);
    return PyErr_NoMemory();
}

static void lock_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    tk_direct_lock *l = (tk_direct_lock *)self;

    if (l->bell != NULL) {
        if (!l->rung)
            PyThread_release_lock(l->bell);
        PyThread_free_lock(l->bell);
    }
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef lock_methods[] = {
    { "acquire", lock_acquire, METH_NOARGS, "Wait for it, and take it." },
    { "release", lock_release, METH_NOARGS, "Give it back." },
    { "__enter__", lock_acquire, METH_NOARGS, NULL },
    { "__exit__", lock_release, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL }
};

static PyType_Slot lock_slots[] = {
    { Py_tp_new, lock_new }, { Py_tp_dealloc, lock_dealloc }, { Py_tp_methods, lock_methods },
    { 0, NULL }
};

PyType_Spec tk_direct_lock_spec = { "_tlsbind._direct.Lock", sizeof(tk_direct_lock), 0,
                                    Py_TPFLAGS_DEFAULT, lock_slots };

/* Receive straight into the buffer of a BufferedProtocol, and tell the protocol.

   A buffer that is too small for what has arrived is asked for again, as often as is fair in one
   turn of the loop. */
#include "traffic.h"

enum { CHUNKS = 64 };

static const int64_t AGAIN = (int64_t)TK_STREAM_AGAIN << TK_STREAM_FLAGS_SHIFT;

/* Call the protocol, which may be replaced meanwhile. What it raises goes to the owner: then *ended
   is what the loop gets. */
static PyObject *call(const tk_traffic *t, PyObject *name, PyObject *given, PyObject **ended)
{
    PyObject *protocol = t->protocol != NULL ? t->protocol : Py_None, *result;

    Py_INCREF(protocol);
    result = PyObject_CallMethodObjArgs(protocol, name, given, NULL);
    Py_DECREF(protocol);
    if (result == NULL)
        *ended = tk_traffic_not_delivered(t, name);
    return result;
}

/* 0: this was the last for this turn. */
static int tell_end(const tk_traffic *t, int64_t status, int more, PyObject **ended)
{
    const PyObject *protocol = t->protocol;
    PyObject *number = PyLong_FromLongLong(status & UINT32_MAX), *result;

    if (number == NULL)
        return 0;
    result = call(t, t->names->buffer_updated, number, ended);
    Py_DECREF(number);
    if (result == NULL)
        return 0;
    Py_DECREF(result);
    if (status & AGAIN && more && !t->paused && t->protocol == protocol)
        return 1;
    *ended = status & AGAIN   ? tk_traffic_ask(t, t->names->left_over, NULL, NULL)
             : t->stalled     ? tk_traffic_ask(t, t->names->after_receive, NULL, NULL)
                              : Py_NewRef(Py_None);
    return 0;
}

/* As `tell`. The owner gets a buffer and a status that are not usual. */
static int fill_once(const tk_traffic *t, int more, PyObject **ended)
{
    PyObject *buffer = call(t, t->names->get_buffer, t->names->any_size, ended);
    int64_t status;
    tk_view view;

    if (buffer == NULL)
        return 0;
    if (!tk_view_of(buffer, 1, &view)) {
        *ended = tk_traffic_ask(t, t->names->read_into_protocol, buffer, NULL);
        Py_DECREF(buffer);
        return 0;
    }
    status = view.size > 0 ? tk_traffic_receive(t, view.data, view.size) : TK_NOTHING;
    tk_view_release(&view);
    if (view.size == 0)
        *ended = tk_traffic_ask(t, t->names->read_into_protocol, buffer, NULL);
    Py_DECREF(buffer);
    if (view.size == 0)
        return 0;
    if ((status & UINT32_MAX) > 0 && status > 0 && (status & ~AGAIN) <= UINT32_MAX)
        return tell_end(t, status, more, ended);
    *ended = tk_direct_go_on(t->owner, t->names->filled, status, NULL, NULL);
    return 0;
}

PyObject *tk_traffic_fill(tk_traffic *t)
{
    PyObject *ended = NULL;
    int left = CHUNKS;

    while (fill_once(t, --left > 0, &ended)) {
    }
    return ended;
}

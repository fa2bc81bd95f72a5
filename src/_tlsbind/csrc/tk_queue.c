/* A byte queue that holds no memory while it is empty: an idle connection must cost nothing
   here. */
#include "tk_queue.h"

uint8_t *tk_queue_reserve(tk_queue *q, size_t more)
{
    if (q->start + q->size + more > q->room) {
        if (q->size + more <= q->room) {
            memmove(q->data, q->data + q->start, q->size);
        } else {
            size_t room = q->size + more;
            uint8_t *data;

            if (room < 2 * q->size)
                room = 2 * q->size;
            if ((data = malloc(room)) == NULL)
                return NULL;
            if (q->size > 0)
                memcpy(data, q->data + q->start, q->size);
            free(q->data);
            q->data = data;
            q->room = room;
        }
        q->start = 0;
    }
    return q->data + q->start + q->size;
}

int tk_queue_put(tk_queue *q, const void *data, size_t size)
{
    uint8_t *end = tk_queue_reserve(q, size);

    if (end == NULL)
        return 0;
    memcpy(end, data, size);
    q->size += size;
    return 1;
}

void tk_queue_drop(tk_queue *q, size_t size)
{
    q->start += size;
    q->size -= size;
    if (q->size == 0)
        tk_queue_clear(q);
}

size_t tk_queue_take(tk_queue *q, void *into, size_t room)
{
    size_t n = room < q->size ? room : q->size;

    if (n > 0) {
        memcpy(into, q->data + q->start, n);
        tk_queue_drop(q, n);
    }
    return n;
}

void tk_queue_clear(tk_queue *q)
{
    free(q->data);
    memset(q, 0, sizeof *q);
}

/* The memory transport: a byte queue that two connections may share, each from its own thread. */
#include "tk_mem.h"

tk_mem *tk_mem_new(void)
{
    tk_mem *m = calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    tk_mutex_init(&m->mutex);
    m->references = 1;
    return m;
}

void tk_mem_up_ref(tk_mem *m)
{
    tk_lock(&m->mutex);
    m->references++;
    tk_unlock(&m->mutex);
}

void tk_mem_free(tk_mem *m)
{
    int left;

    if (m == NULL)
        return;
    tk_lock(&m->mutex);
    left = --m->references;
    tk_unlock(&m->mutex);
    if (left > 0)
        return;
    tk_queue_clear(&m->queue);
    tk_mutex_destroy(&m->mutex);
    free(m);
}

int64_t tk_mem_read(tk_mem *m, void *into, size_t room)
{
    size_t n;

    tk_lock(&m->mutex);
    n = tk_queue_take(&m->queue, into, room);
    tk_unlock(&m->mutex);
    return (int64_t)n;
}

int64_t tk_mem_write(tk_mem *m, const void *data, size_t size)
{
    int ok;

    tk_lock(&m->mutex);
    ok = size == 0 || tk_queue_put(&m->queue, data, size);
    tk_unlock(&m->mutex);
    return ok ? (int64_t)size : -1;
}

int64_t tk_mem_pending(tk_mem *m)
{
    int64_t n;

    tk_lock(&m->mutex);
    n = (int64_t)m->queue.size;
    tk_unlock(&m->mutex);
    return n;
}

void tk_mem_write_eof(tk_mem *m)
{
    tk_lock(&m->mutex);
    m->ended = 1;
    tk_unlock(&m->mutex);
}

int tk_mem_ended(tk_mem *m)
{
    int ended;

    tk_lock(&m->mutex);
    ended = m->ended;
    tk_unlock(&m->mutex);
    return ended;
}

int tk_mem_eof(tk_mem *m)
{
    int eof;

    tk_lock(&m->mutex);
    eof = m->ended && m->queue.size == 0;
    tk_unlock(&m->mutex);
    return eof;
}

int tk_mem_holds_record(tk_mem *m)
{
    const uint8_t *p;
    int whole;

    tk_lock(&m->mutex);
    p = tk_queue_front(&m->queue);
    whole = m->queue.size >= 5 && m->queue.size >= 5 + ((size_t)p[3] << 8 | p[4]);
    tk_unlock(&m->mutex);
    return whole;
}

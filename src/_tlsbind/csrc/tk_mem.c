/* The memory transport: a byte queue that two connections may share, each from its own thread. */
#include "tk_mem.h"
#include "tk_fork.h"

/* With the lock held. */
static void tell(tk_mem *m) { tk_atomic_store(&m->state.pending, (int64_t)m->queue.size); }

static int put(tk_mem *m, const void *data, size_t size)
{
    int ok = size == 0 || tk_queue_put(&m->queue, data, size);

    tell(m);
    return ok;
}

static size_t take(tk_mem *m, void *into, size_t room)
{
    size_t n = tk_queue_take(&m->queue, into, room);

    tell(m);
    return n;
}

tk_mem *tk_mem_new(void)
{
    tk_mem *m = calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    tk_queue_settle_heap();
    tk_mutex_init(&m->mutex);
    m->references = 1;
    return m;
}

/* ---- for connections ---- */

void tk_mem_join(tk_mem *m) { tk_atomic_add(&m->references, 1); }

void tk_mem_part(tk_mem *m)
{
    if (m == NULL || tk_atomic_add(&m->references, -1) > 0)
        return;
    tk_queue_clear(&m->queue);
    tk_mutex_destroy(&m->mutex);
    free(m);
}

size_t tk_mem_take(tk_mem *m, void *into, size_t room, int *at_end)
{
    size_t n;

    tk_lock(&m->mutex);
    n = take(m, into, room);
    *at_end = n == 0 && m->state.ended && m->queue.size == 0;
    tk_unlock(&m->mutex);
    return n;
}

int tk_mem_give(tk_mem *m, const void *data, size_t size)
{
    int ok;

    tk_lock(&m->mutex);
    ok = put(m, data, size);
    tk_unlock(&m->mutex);
    return ok;
}

void tk_mem_keep(tk_mem *m, tk_mem_source *s)
{
    if (s->size > 0 && tk_mem_give(m, s->from, s->size))
        s->size = 0;
}

int tk_mem_give_first(tk_mem *m, const void *data, size_t size)
{
    tk_queue whole = { 0 };
    int ok;

    tk_lock(&m->mutex);
    ok = tk_queue_put(&whole, data, size) &&
         (m->queue.size == 0 || tk_queue_put(&whole, tk_queue_front(&m->queue), m->queue.size));
    tk_queue_clear(ok ? &m->queue : &whole);
    if (ok)
        m->queue = whole;
    tell(m);
    tk_unlock(&m->mutex);
    return ok;
}

int tk_mem_is_record(const uint8_t *p, size_t size)
{
    return size >= 5 && size >= 5 + ((size_t)p[3] << 8 | p[4]);
}

int tk_mem_holds_record(tk_mem *m)
{
    int whole;

    tk_lock(&m->mutex);
    whole = tk_mem_is_record(tk_queue_front(&m->queue), m->queue.size);
    tk_unlock(&m->mutex);
    return whole;
}

/* ---- for Python ---- */

static void begin(tk_mem *m)
{
    tk_fork_enter(m);
    tk_lock(&m->mutex);
}

static void end(tk_mem *m)
{
    tk_unlock(&m->mutex);
    tk_fork_leave(m);
}

void tk_mem_free(tk_mem *m)
{
    tk_fork_enter(m);
    tk_mem_part(m);
    tk_fork_leave(m);
}

int64_t tk_mem_read(tk_mem *m, void *into, size_t room)
{
    size_t n;

    begin(m);
    n = take(m, into, room);
    end(m);
    return (int64_t)n;
}

int64_t tk_mem_write(tk_mem *m, const void *data, size_t size)
{
    int ok;

    begin(m);
    ok = put(m, data, size);
    end(m);
    return ok ? (int64_t)size : -1;
}

int64_t tk_mem_pending(tk_mem *m)
{
    int64_t n;

    begin(m);
    n = (int64_t)m->queue.size;
    end(m);
    return n;
}

void tk_mem_write_eof(tk_mem *m)
{
    begin(m);
    tk_atomic_store(&m->state.ended, 1);
    end(m);
}

int tk_mem_eof(tk_mem *m)
{
    int eof;

    begin(m);
    eof = m->state.ended && m->queue.size == 0;
    end(m);
    return eof;
}

const tk_mem_state *tk_mem_look(tk_mem *m) { return &m->state; }

tk_mem *tk_mem_detach(tk_mem *m)
{
    tk_mem *own = tk_mem_new();

    if (own == NULL)
        return NULL;
    begin(m);
    own->queue = m->queue;
    memset(&m->queue, 0, sizeof m->queue);
    tell(m);
    end(m);
    tell(own);
    return own;
}

const void *tk_mem_front(tk_mem *m) { return tk_queue_front(&m->queue); }

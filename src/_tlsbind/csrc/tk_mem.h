/* The memory transport: tk_mem.c. */
#ifndef TK_MEM_H
#define TK_MEM_H

#include "tk_queue.h"

/* Where a caller wants bytes that need not go through a queue then: in its room, or, with `pass`,
   handed over at once where libssl has made them. 0: it does not take them. */
typedef struct {
    uint8_t *into;
    size_t room, size;
    int (*pass)(void *to, const void *data, size_t size);
    void *to;
} tk_mem_sink;

/* Bytes of a caller's, that need not go through a queue either: what is left of them. */
typedef struct {
    const uint8_t *from;
    size_t size;
} tk_mem_source;

struct tk_mem {
    tk_mutex mutex;
    int references;
    tk_mem_state state; /* changes with the lock held */
    tk_queue queue;
};

/* For a connection, in the middle of its own work: tk_fork.h. */
void tk_mem_join(tk_mem *m); /* one reference more */
void tk_mem_part(tk_mem *m); /* one reference less; NULL is nothing */
size_t tk_mem_take(tk_mem *m, void *into, size_t room, int *at_end);
int tk_mem_give(tk_mem *m, const void *data, size_t size); /* 0: no memory */
int tk_mem_give_first(tk_mem *m, const void *data, size_t size); /* in front of all else */
/* What is left of a source goes behind what waits here: from now on, others may come with more. */
void tk_mem_keep(tk_mem *m, tk_mem_source *s);
int tk_mem_is_record(const uint8_t *p, size_t size); /* it begins with a whole TLS record */
int tk_mem_holds_record(tk_mem *m);
static inline int tk_mem_holds(tk_mem *m) { return tk_atomic_load(&m->state.pending) != 0; }
static inline int tk_mem_is_dry(tk_mem *m) /* it is empty, and has no end */
{
    return tk_atomic_load(&m->state.pending) == 0 && tk_atomic_load(&m->state.ended) == 0;
}

#endif

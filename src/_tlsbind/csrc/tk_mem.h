/* The memory transport: tk_mem.c. */
#ifndef TK_MEM_H
#define TK_MEM_H

#include "tk_queue.h"

struct tk_mem {
    tk_mutex mutex;
    int references;
    int ended; /* nothing more will be written */
    tk_queue queue;
};

/* For a connection, in the middle of its own work: tk_fork.h. */
void tk_mem_join(tk_mem *m); /* one reference more */
void tk_mem_part(tk_mem *m); /* one reference less; NULL is nothing */
size_t tk_mem_take(tk_mem *m, void *into, size_t room, int *at_end);
int tk_mem_give(tk_mem *m, const void *data, size_t size); /* 0: no memory */
int tk_mem_holds_record(tk_mem *m);

#endif

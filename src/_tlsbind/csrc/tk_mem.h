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

void tk_mem_up_ref(tk_mem *m);
int tk_mem_holds_record(tk_mem *m);

#endif

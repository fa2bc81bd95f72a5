/* Counting threads, so that a fork can wait for them: tk_fork.c. */
#ifndef TK_FORK_H
#define TK_FORK_H

#include "tk_base.h"

enum { TK_FORK_COUNTERS = 16 };

typedef struct {
    int32_t inside;
    char apart[60]; /* each on a cache line of its own */
} tk_fork_counter;

extern int32_t tk_generation; /* one more in every forked child */
extern int32_t tk_forking;
extern tk_fork_counter tk_fork_counters[TK_FORK_COUNTERS];

int tk_fork_init(void);
void tk_fork_wait(int32_t *inside);

/* Around all work in libssl and libcrypto, and around locks. Never twice in one thread at a time,
   and never around anything that waits for a peer, for Python or for another thread. Which counter
   it is does not matter: `what` spreads them. */
static inline int32_t *tk_fork_counter_of(const void *what)
{
    return &tk_fork_counters[(uintptr_t)what / 64 % TK_FORK_COUNTERS].inside;
}

static inline void tk_fork_enter(const void *what)
{
    int32_t *inside = tk_fork_counter_of(what);

    tk_atomic_add(inside, 1);
    if (tk_atomic_load32(&tk_forking))
        tk_fork_wait(inside);
}

static inline void tk_fork_leave(const void *what) { tk_atomic_add(tk_fork_counter_of(what), -1); }

#endif

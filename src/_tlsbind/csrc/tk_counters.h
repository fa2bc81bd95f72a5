/* The counters of a context: tk_counters.c. */
#ifndef TK_COUNTERS_H
#define TK_COUNTERS_H

#include "tk_cache.h"

void tk_counters_join(tk_cache *k, tk_ctx *x);  /* a new state */
void tk_counters_leave(tk_cache *k, tk_ctx *x); /* its end: its counters stay */

#endif

/* Sessions that were removed from a cache, queued to be reported: tk_removed.c. */
#ifndef TK_REMOVED_H
#define TK_REMOVED_H

#include "tk_cache.h"

/* Both under the lock of the caches. */
void tk_removed_push(tk_cache *k, SSL_SESSION *s);
SSL_SESSION *tk_removed_pop(tk_cache *k); /* the caller's, or NULL */

#endif

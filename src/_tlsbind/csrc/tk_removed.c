/* Sessions that were removed from a cache. libssl removes some while its cache is locked, where
   Python cannot be called: so they are queued here, to be reported later. */
#include "tk_removed.h"

enum { REMOVED_MOST = 65536 /* nobody may have been there to take them */ };

void tk_removed_push(tk_cache *k, SSL_SESSION *s)
{
    tk_event *e = k->tells && k->removed_count < REMOVED_MOST ? calloc(1, sizeof *e) : NULL;

    if (e == NULL)
        return;
    SSL_SESSION_up_ref(e->session = s);
    if (k->removed == NULL)
        k->removed = e;
    else
        k->last_removed->next = e;
    k->last_removed = e;
    k->removed_count++;
}

SSL_SESSION *tk_removed_pop(tk_cache *k)
{
    tk_event *e = k->removed;
    SSL_SESSION *s = NULL;

    if (e != NULL) {
        s = e->session;
        k->removed = e->next;
        k->removed_count--;
        free(e);
    }
    return s;
}

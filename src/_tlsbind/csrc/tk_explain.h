/* Notes that help explain a failure: tk_explain.c. */
#ifndef TK_EXPLAIN_H
#define TK_EXPLAIN_H

#include "tk_conn.h"

void tk_explain_refused(tk_conn *c, X509_STORE_CTX *v); /* verification fails here */
void tk_explain_end(tk_conn *c);                        /* the connection is freed */

/* What the transport has given to libssl. */
static inline void tk_explain_came(tk_conn *c, const void *data, size_t size)
{
    size_t room = c->received < sizeof c->first ? sizeof c->first - (size_t)c->received : 0;

    if (room > 0)
        memcpy(c->first + c->received, data, size < room ? size : room);
}

#endif

/* What a ticket says about where it comes from: tk_mark.c. */
#ifndef TK_MARK_H
#define TK_MARK_H

#include "tk_conn.h"

/* A session that goes into a ticket: mark it, and limit its time. 0: no memory. */
int tk_mark_put(tk_conn *c, SSL_SESSION *s);
size_t tk_mark_size(SSL_SESSION *s); /* 0: no mark; what else a ticket carries is behind it */
/* What speaks against resuming the session of a ticket: TK_TICKET_... */
uint8_t tk_mark_objection(tk_conn *c, SSL_SESSION *s);

#endif

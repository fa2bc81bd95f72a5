/* A ticket's record of its origin: tk_origin.c. */
#ifndef TK_ORIGIN_H
#define TK_ORIGIN_H

#include "tk_conn.h"

/* A session that goes into a ticket: mark it, and limit its time. 0: no memory. */
int tk_origin_put(tk_conn *c, SSL_SESSION *s);
/* One that stays here, in the session cache: as above, but its time is the cache's. */
int tk_origin_here(tk_conn *c, SSL_SESSION *s);
size_t tk_origin_size(SSL_SESSION *s); /* 0: no mark; what else a ticket carries is behind it */
/* Whether a session was made for the name that is asked for now, before a certificate for the same
   names. One without a mark is from elsewhere, and the caller that brought it answers for that. */
int tk_origin_fits(tk_conn *c, SSL_SESSION *s);
/* What speaks against resuming the session of a ticket: TK_TICKET_... */
uint8_t tk_origin_objection(tk_conn *c, SSL_SESSION *s);

#endif

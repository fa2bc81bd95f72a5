/* libssl's callbacks for tickets: tk_ticket.c. */
#ifndef TK_TICKET_H
#define TK_TICKET_H

#include "tk_conn.h"

void tk_conn_take_ring(tk_conn *c, tk_ctx *x);
void tk_tickets_install(tk_ctx *c);
void tk_tickets_remove(tk_ctx *c);
void tk_tickets_count(tk_conn *c); /* the handshake is over: count its ticket's fate */

#endif

/* What a ticket carries beside the session: tk_ticket_data.c. */
#ifndef TK_TICKET_DATA_H
#define TK_TICKET_DATA_H

#include "tk_conn.h"

void tk_ticket_data_put(SSL *ssl); /* a ticket of the session in force is about to be made */
void tk_ticket_data_take(tk_conn *c, SSL_SESSION *s); /* a ticket has been opened */
uint8_t tk_ticket_data_why(tk_conn *c); /* TK_TICKET_...: why it was not resumed all the same */

#endif

/* The application's data in tickets: tk_app_data.c. */
#ifndef TK_APP_DATA_H
#define TK_APP_DATA_H

#include "tk_conn.h"

typedef struct tk_app_data tk_app_data;

int tk_app_data_put(tk_conn *c, SSL_SESSION *s); /* a ticket is being made; 0: give up */
/* how many bytes of the session's room are the mark's and the user's: what follows is ours */
size_t tk_app_data_end(SSL_SESSION *s);
void tk_app_data_free(tk_conn *c);

#endif

/* Sessions that are kept elsewhere: tk_lookup.c. */
#ifndef TK_LOOKUP_H
#define TK_LOOKUP_H

#include "tk_conn.h"

/* in the ClientHello hook: 1 when the handshake has to wait */
int tk_lookup_pause(tk_conn *c, SSL *ssl);
SSL_SESSION *tk_lookup_answer(SSL *ssl, const unsigned char *id, int size, int *copy);
void tk_lookup_end(tk_conn *c); /* the handshake is over */

#endif

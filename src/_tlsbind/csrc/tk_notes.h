/* Taking notes of a handshake: tk_notes.c. */
#ifndef TK_NOTES_H
#define TK_NOTES_H

#include "tk_conn.h"

void tk_notes_watch(tk_conn *c);
void tk_notes_hello(tk_conn *c); /* in a server's ClientHello callback */
void tk_notes_take(tk_conn *c);  /* the handshake is over */
void tk_notes_own(SSL *ssl, tk_info *f); /* the certificate that this side shows, and its chain */

#endif

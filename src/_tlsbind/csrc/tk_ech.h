/* Encrypted ClientHello, for the rest of C: tk_ech.c. */
#ifndef TK_ECH_H
#define TK_ECH_H

#include "tk_conn.h"

/* The server has rejected it: its certificate is for the outer name, and the handshake will
   fail. */
int tk_ech_rejected(tk_conn *c);
void tk_ech_note(tk_conn *c, tk_info *f); /* the outcome, when the handshake is complete */

#endif

/* What a context requires of a complete handshake: tk_want.c. */
#ifndef TK_WANT_H
#define TK_WANT_H

#include "tk_conn.h"

void tk_want_begin(tk_conn *c, const tk_ctx *x); /* a connection gets this context */
void tk_want_judge(tk_conn *c); /* the handshake is complete */

#endif

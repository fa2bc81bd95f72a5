/* The handshake, and early data: tk_handshake.c. */
#ifndef TK_HANDSHAKE_H
#define TK_HANDSHAKE_H

#include "tk_op.h"

tk_outcome tk_handshake_step(tk_conn *c, tk_op *op);
/* whether it has to come before a read or a write */
int tk_handshake_first(const tk_conn *c);
int tk_handshake_write(tk_conn *c, const void *data, size_t size, size_t *n);
void tk_handshake_prepare(tk_conn *c); /* a new connection */

#endif

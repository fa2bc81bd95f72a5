/* What a context requires of a complete handshake: tk_groups.c. */
#ifndef TK_GROUPS_H
#define TK_GROUPS_H

#include "tk_conn.h"

void tk_groups_begin(tk_conn *c, const tk_ctx *x); /* a connection gets this context */
void tk_groups_judge(tk_conn *c); /* the handshake is complete */

#endif

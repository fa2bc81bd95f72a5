/* What a handshake has settled stays true to the end of the connection: tk_settled.c. */
#ifndef TK_SETTLED_H
#define TK_SETTLED_H

#include "tk_conn.h"

void tk_settled_watch(tk_conn *c, int where, int value); /* in the info callback, before all else */
void tk_settled_free(tk_conn *c);
int tk_settled_is_cut(const tk_conn *c); /* the peer has ended without close_notify */
SSL_SESSION *tk_settled_session(const tk_conn *c); /* borrowed */
tk_info *tk_settled_info(const tk_conn *c);
int tk_settled_reused(const tk_conn *c);

#endif

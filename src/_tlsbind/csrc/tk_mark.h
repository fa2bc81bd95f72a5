/* What a ticket says about where it comes from: tk_mark.c. */
#ifndef TK_MARK_H
#define TK_MARK_H

#include "tk_conn.h"

int64_t tk_mark_begun(SSL_SESSION *s); /* when the full handshake was; -1: no mark */
size_t tk_mark_size(SSL_SESSION *s); /* 0: no mark; what else a ticket carries is behind it */
int tk_mark_set(tk_conn *c, SSL_SESSION *s, int64_t begun);
int tk_mark_fits(tk_conn *c, SSL_SESSION *s);

#endif

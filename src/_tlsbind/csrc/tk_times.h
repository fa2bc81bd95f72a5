/* When a handshake reached each step: tk_times.c. */
#ifndef TK_TIMES_H
#define TK_TIMES_H

#include "tk_conn.h"

void tk_times_prepare(tk_conn *c); /* a new connection, if its context asks for it */
void tk_times_watch(tk_conn *c, int where); /* in the info callback */
void tk_times_hello(tk_conn *c);
void tk_times_verified(tk_conn *c);

#endif

/* Reading from a socket, ahead of libssl: tk_read_ahead.c. */
#ifndef TK_READ_AHEAD_H
#define TK_READ_AHEAD_H

#include "tk_conn.h"

enum { TK_STRIDE_LEAST = 16384 + 512 }; /* a whole record */

/* What recv returned: the number of bytes; 0 at the end, -1 with read_errno set, -2 when the socket
   is empty. */
int tk_received(tk_conn *c, int n);
int tk_read_ahead_read(tk_conn *c, char *into, size_t size); /* as tk_received */
/* libssl gets these bytes: note how much of the record that it has begun is missing. */
void tk_read_ahead_follow(tk_conn *c, const void *data, size_t size);
int tk_read_ahead_holds_record(const tk_conn *c);

#endif

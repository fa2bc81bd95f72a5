/* Reading from a socket, ahead of libssl: tk_ahead.c. */
#ifndef TK_AHEAD_H
#define TK_AHEAD_H

#include "tk_conn.h"

enum { TK_STRIDE_LEAST = 16384 + 512 }; /* a whole record */

int tk_ahead_read(tk_conn *c, char *into, size_t size); /* as `received` in tk_ahead.c */
int tk_ahead_holds_record(const tk_conn *c);

#endif

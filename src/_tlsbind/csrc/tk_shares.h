/* Dropping the keys of a key exchange after the handshake: tk_shares.c. */
#ifndef TK_SHARES_H
#define TK_SHARES_H

#include "tk_conn.h"

void tk_shares_watch(tk_conn *c, int where); /* in the info callback */
void tk_shares_drop(tk_conn *c);             /* the handshake is complete */

#endif

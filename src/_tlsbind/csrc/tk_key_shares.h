/* Dropping the keys of a key exchange after the handshake: tk_key_shares.c. */
#ifndef TK_KEY_SHARES_H
#define TK_KEY_SHARES_H

#include "tk_conn.h"

void tk_key_shares_watch(tk_conn *c, int where); /* in the info callback */
void tk_key_shares_drop(tk_conn *c);             /* the handshake is complete */

#endif

/* How often each group and each signature algorithm was negotiated: tk_seen.c. */
#ifndef TK_SEEN_H
#define TK_SEEN_H

#include "tk_conn.h"

int tk_seen_init(void);
void tk_seen_count(tk_conn *c); /* a handshake is complete */

#endif

/* How often each group and each signature algorithm was negotiated: tk_tally.c. */
#ifndef TK_TALLY_H
#define TK_TALLY_H

#include "tk_conn.h"

int tk_tally_init(void);
void tk_tally_count(tk_conn *c); /* a handshake is complete */

#endif

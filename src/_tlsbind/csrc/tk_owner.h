/* From libssl's objects to ours: tk_owner.c. tk_conn.h and tk_ctx.h declare what it finds. */
#ifndef TK_OWNER_H
#define TK_OWNER_H

#include "tk_conn.h"
#include "tk_ctx.h"

int tk_owner_init(void); /* once; 0: out of memory */

#endif

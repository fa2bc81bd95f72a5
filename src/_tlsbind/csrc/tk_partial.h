/* Bytes of writes that ended early: tk_partial.c; tk_write.c has the rules for them. */
#ifndef TK_PARTIAL_H
#define TK_PARTIAL_H

#include "tk_conn.h"

/* These bytes are encrypted, and the caller of this thread does not know; `torn`: more were to
   follow. Without memory for it, the connection sends no more. */
void tk_owe(tk_conn *c, const uint8_t *data, size_t size, int torn);
/* The longest of those that this data begins with. */
tk_partial *tk_partial_by(tk_conn *c, const uint8_t *data, size_t size);

#endif

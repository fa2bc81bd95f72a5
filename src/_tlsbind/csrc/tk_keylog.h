/* A file of secrets for debugging: tk_keylog.c. */
#ifndef TK_KEYLOG_H
#define TK_KEYLOG_H

#include "tk_ctx.h"

tk_keylog *tk_keylog_up_ref(tk_keylog *k);
void tk_keylog_write(const SSL *ssl, const char *line); /* libssl's hook */

#endif

/* Pre-shared keys: tk_psk.c. */
#ifndef TK_PSK_H
#define TK_PSK_H

#include "tk_ctx.h"

/* the part of tk_hooks_install that has to do with pre-shared keys */
void tk_psk_install(tk_ctx *c);

#endif

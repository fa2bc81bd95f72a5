/* The callbacks that libssl calls: tk_hooks.c. */
#ifndef TK_HOOKS_H
#define TK_HOOKS_H

#include "tk_conn.h"

void tk_hooks_install(tk_ctx *c);
void tk_hooks_remove(tk_ctx *c);
void tk_hooks_watch(tk_conn *c);

#endif

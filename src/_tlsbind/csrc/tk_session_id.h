/* The ids of new sessions: tk_session_id.c. */
#ifndef TK_SESSION_ID_H
#define TK_SESSION_ID_H

#include "tk_ctx.h"

void tk_session_id_install(tk_ctx *c); /* the part of tk_hooks_install about them */

#endif

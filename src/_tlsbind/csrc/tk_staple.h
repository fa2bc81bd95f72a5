/* OCSP responses: tk_staple.c. */
#ifndef TK_STAPLE_H
#define TK_STAPLE_H

#include "tk_conn.h"

void tk_staple_install(tk_ctx *c);
int tk_staple_verdict(const tk_conn *c); /* TK_STAPLE_...; 0: not checked */

#endif

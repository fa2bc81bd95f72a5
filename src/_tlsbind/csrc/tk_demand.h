/* What a context demands of its peers beside their chain: tk_demand.c. */
#ifndef TK_DEMAND_H
#define TK_DEMAND_H

#include "tk_conn.h"

/* A callback of X509_verify_cert, for its last question: has the chain a pinned key? */
int tk_demand_met(const tk_ctx *x, STACK_OF(X509) *chain);
int tk_demand_pins(int ok, X509_STORE_CTX *v, const tk_ctx *x);
/* The same, for the last question of all: does Python code refuse the chain? */
int tk_demand_asked(int ok, X509_STORE_CTX *v, tk_conn *c, const tk_ctx *x);

#endif

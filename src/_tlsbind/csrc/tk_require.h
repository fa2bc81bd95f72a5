/* What a context requires of its peers besides their chain: tk_require.c. */
#ifndef TK_REQUIRE_H
#define TK_REQUIRE_H

#include "tk_conn.h"

int tk_require_pins(const tk_ctx *x, STACK_OF(X509) *chain); /* whether it has a pinned key */
/* X509_V_OK if the leaf has one of the names that are wanted, and which (to be freed); or why it
   has not */
int tk_require_names(const tk_ctx *x, SSL *ssl, X509 *leaf, char **matched);
/* The last question of all, when a chain has passed: 1: Python does not refuse it;
   TK_VERIFY_LATER: a client has to wait for the answer. */
int tk_require_asked(X509_STORE_CTX *v, tk_conn *c);
void tk_require_refused(X509_STORE_CTX *v, tk_conn *c); /* it does */

#endif

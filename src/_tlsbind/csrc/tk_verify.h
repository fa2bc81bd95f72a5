/* How a peer is verified: tk_verify.c. */
#ifndef TK_VERIFY_H
#define TK_VERIFY_H

#include "tk_conn.h"

void tk_verify_prepare(tk_conn *c, const tk_ctx *x);  /* a connection begins */
int tk_verify_chain(X509_STORE_CTX *v, void *argument); /* for SSL_CTX_set_cert_verify_callback */
int tk_verify_step(int ok, X509_STORE_CTX *v);        /* for SSL_set_verify */

#endif

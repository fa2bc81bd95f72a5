/* The interface of tk_alpn.c. */
#ifndef TK_ALPN_H
#define TK_ALPN_H

#include "tk_conn.h"

void tk_alpn_install(tk_ctx *c);
int tk_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *offered, unsigned int offered_size, void *argument);
int tk_conn_speaks(tk_conn *c, const void *name, size_t size);

#endif

/* Let Python choose a connection's certificate: tk_choose.c. */
#ifndef TK_CHOOSE_H
#define TK_CHOOSE_H

#include "tk_conn.h"

int tk_choose(SSL *ssl, void *argument); /* for SSL_CTX_set_cert_cb */

#endif

/* Let Python choose a connection's certificate: tk_cert_cb.c. */
#ifndef TK_CERT_CB_H
#define TK_CERT_CB_H

#include "tk_conn.h"

int tk_cert_cb(SSL *ssl, void *argument); /* for SSL_CTX_set_cert_cb */

#endif

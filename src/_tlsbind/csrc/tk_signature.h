/* The algorithm that a side has signed its handshake with: tk_signature.c. */
#ifndef TK_SIGNATURE_H
#define TK_SIGNATURE_H

#include "tk_base.h"

/* IANA's name; NULL: it has not signed, or there is no name. Static, or the context's. */
const char *tk_signature_name(SSL *ssl, int peer);

#endif

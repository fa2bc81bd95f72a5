/* The BIO under every connection: tk_transport.c. */
#ifndef TK_TRANSPORT_H
#define TK_TRANSPORT_H

#include "tk_conn.h"

BIO *tk_transport_new(tk_conn *c);
int tk_transport_flush(tk_conn *c);        /* 1: nothing left; 0: the socket is full; -1: failed */
int tk_transport_holds_record(tk_conn *c); /* a whole TLS record is here already */
int tk_transport_init(void);

#endif

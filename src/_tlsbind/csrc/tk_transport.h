/* The BIO under every connection: tk_transport.c. */
#ifndef TK_TRANSPORT_H
#define TK_TRANSPORT_H

#include "tk_conn.h"

/* a peer that makes us answer, but does not read, stops here */
enum { TK_BEHIND_MOST = 1 << 20 };

BIO *tk_transport_new(tk_conn *c);
/* as a BIO's write: all of it goes, now or later; -1: failed */
int tk_transport_send(tk_conn *c, const void *data, size_t size);
long tk_transport_ctrl(BIO *b, int what, long number, void *pointer);
int tk_transport_flush(tk_conn *c);        /* 1: nothing left; 0: the socket is full; -1: failed */
int tk_transport_holds_record(tk_conn *c); /* a whole TLS record has arrived */
void tk_transport_free_buffers(tk_conn *c); /* libssl's, unless something is in them */
int tk_transport_init(void);

#endif

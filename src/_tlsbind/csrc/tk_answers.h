/* What programs ask of each connection, without the rest of tk_conn_facts: tk_answers.c. */
#ifndef TK_ANSWERS_H
#define TK_ANSWERS_H

#include "tk_conn.h"

typedef struct {
    const char *name, *protocol; /* of OpenSSL's, for good */
    int32_t bits;
} tk_suite;

int tk_conn_suite(tk_conn *c, tk_suite *out); /* 0: there is none yet */
/* At most `room` suites that both sides have, on a server; -1: there has been no ClientHello that
   named any. */
int tk_conn_shared_suites(tk_conn *c, tk_suite *out, int room);
const char *tk_conn_version(tk_conn *c);     /* NULL: the handshake is not complete */
const char *tk_conn_compression(tk_conn *c); /* NULL: none */
int tk_conn_protocol(tk_conn *c, uint8_t into[255]); /* its size; 0: none */
/* The peer's certificate, with a reference; 0: there is none, -1: the handshake is not complete.
   `out` may be NULL. */
int tk_conn_shown(tk_conn *c, X509 **out);
/* The peer's chain as it was sent, or as it was verified, and what comes before it: on a server,
   libssl keeps the peer's own certificate apart. Borrowed, under the lock. */
STACK_OF(X509) *tk_answer_chain(const tk_conn *c, int verified, X509 **leaf);
/* Both in one, for the caller to free; NULL: empty. */
STACK_OF(X509) *tk_conn_shown_chain(tk_conn *c, int verified, int *reused);
int tk_conn_unique(tk_conn *c, uint8_t into[64]);    /* tls-unique (RFC 5929, 3), as ssl has it */

#endif

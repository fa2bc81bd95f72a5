/* Notes that help explain a failure: tk_explain.c. */
#ifndef TK_EXPLAIN_H
#define TK_EXPLAIN_H

#include "tk_conn.h"

void tk_explain_refused(tk_conn *c, X509_STORE_CTX *v); /* verification fails here */
void tk_explain_end(tk_conn *c);                        /* the connection is freed */

#endif

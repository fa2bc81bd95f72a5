/* Chains whose signatures are known to be valid: tk_chains.c. */
#ifndef TK_CHAINS_H
#define TK_CHAINS_H

#include "tk_base.h"

enum { TK_CHAINS_MOST = 8 }; /* of one state of a context */

typedef struct tk_chains tk_chains;

int tk_chains_init(void);
void tk_chains_free(tk_chains *k); /* NULL is nothing */
/* Whether the chain that `v` has built is known, and none of it has expired; with no memory for
   `*k`, which begins as NULL, nothing becomes known. */
int tk_chains_know(tk_chains **k, X509_STORE_CTX *v);
void tk_chains_keep(tk_chains **k, X509_STORE_CTX *v);

#endif

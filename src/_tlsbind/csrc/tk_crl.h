/* Which revocation lists replace which: tk_crl.c. */
#ifndef TK_CRL_H
#define TK_CRL_H

#include "tk_base.h"

int tk_crl_count(const STACK_OF(X509_OBJECT) *objects);
/* Whether this is a CRL, and one of those makes it superfluous. */
int tk_crl_is_replaced(const X509_OBJECT *o, const STACK_OF(X509_OBJECT) *among);

#endif

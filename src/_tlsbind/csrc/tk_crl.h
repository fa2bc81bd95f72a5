/* Which revocation lists replace which: tk_crl.c. */
#ifndef TK_CRL_H
#define TK_CRL_H

#include "tk_base.h"

int tk_crl_count(const STACK_OF(X509_OBJECT) *objects);
/* Whether this is a CRL, and one of those makes it superfluous. */
int tk_crl_is_replaced(const X509_OBJECT *o, const STACK_OF(X509_OBJECT) *among);
/* If its dates do not allow its use now: its dates and its issuer, as tk_trust_stale_crl. */
int tk_crl_stale(const X509_CRL *c, tk_records *out);

#endif

/* Public keys that no chain may contain: tk_distrust.c. */
#ifndef TK_DISTRUST_H
#define TK_DISTRUST_H

#include "tk_base.h"

/* a callback of X509_verify_cert: refuses the keys that no chain may hold */
int tk_distrust(int ok, X509_STORE_CTX *v);

#endif

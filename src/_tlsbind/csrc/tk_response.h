/* An OCSP response's verdict: tk_response.c. */
#ifndef TK_RESPONSE_H
#define TK_RESPONSE_H

#include "tk_base.h"

/* What it says of `leaf`: TK_STAPLE_... With issuer NULL, the signature is not checked.
   `until` is when it ends, in seconds since 1970. */
int tk_response_judge(const uint8_t *der, size_t size, X509 *leaf, X509 *issuer, int64_t *until);

#endif

/* Certificates: tk_x509.c. */
#ifndef TK_X509_H
#define TK_X509_H

#include "tk_base.h"

/* A distinguished name, under these tags: a new RDN, the kind of an attribute, its value. */
void tk_x509_name(tk_records *out, const X509_NAME *name, uint32_t rdn, uint32_t key,
                  uint32_t value);
/* A date in seconds since 1970; -1: it is none, or NULL. */
int64_t tk_x509_seconds(const ASN1_TIME *date);

#endif

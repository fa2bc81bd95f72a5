/* PEM that contains private keys: tk_pem.c. */
#ifndef TK_PEM_H
#define TK_PEM_H

#include "tk_base.h"

/* To read everything from but private keys. NULL: no memory, or too much PEM. */
BIO *tk_pem_without_keys(const void *pem, size_t size);
/* The first private key. NULL: there is none that is not encrypted, or it cannot be read; only
   libcrypto's own reader then says why, and asks for a password. */
EVP_PKEY *tk_pem_plain_key(const void *pem, size_t size);

#endif

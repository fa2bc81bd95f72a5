/* PEM that contains private keys: tk_pem.c. */
#ifndef TK_PEM_H
#define TK_PEM_H

#include "tk_base.h"

typedef struct {
    const char *begin, *end;       /* the whole of it, from line to line */
    const char *body, *body_end;   /* what is between its first line and its last */
    const char *label;
    size_t label_size;
} tk_pem_block;

/* The next block, from `*at` on, which then is after it. 0: there is none; -1: it has no end. */
int tk_pem_next(const char **at, const char *end, tk_pem_block *b);
/* To read everything from but private keys. NULL: no memory, or too much PEM. */
BIO *tk_pem_without_keys(const void *pem, size_t size);
/* The first private key. NULL: there is none that is not encrypted, or it cannot be read; only
   libcrypto's own reader then says why, and asks for a password. */
EVP_PKEY *tk_pem_plain_key(const void *pem, size_t size);

#endif

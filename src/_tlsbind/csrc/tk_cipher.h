/* Facts about a cipher: tk_cipher.c. */
#ifndef TK_CIPHER_H
#define TK_CIPHER_H

#include "tk_base.h"

void tk_cipher_facts(tk_records *out, const SSL_CIPHER *cipher); /* as tk_ctx_ciphers */
void tk_cipher_record(const SSL_CIPHER *cipher, tk_records *out); /* three records; none for NULL */

#endif

/* SHA-256, for the hashes of every handshake: tk_hash.c. */
#ifndef TK_HASH_H
#define TK_HASH_H

#include "tk_base.h"

void tk_hash_init(void);
int tk_sha256(const void *data, size_t size, uint8_t *out); /* 32 bytes; 0: failed */

#endif

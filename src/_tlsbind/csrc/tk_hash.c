/* SHA-256, fetched once and kept. EVP_sha256() and SHA256() look it up in the providers at every
   use, which takes longer than hashing a key or a name. */
#include "tk_hash.h"

static EVP_MD *sha256;

int tk_hash_init(void)
{
    if (sha256 == NULL)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    return sha256 != NULL;
}

int tk_sha256(const void *data, size_t size, uint8_t *out)
{
    return EVP_Digest(data, size, out, NULL, sha256, NULL) == 1;
}

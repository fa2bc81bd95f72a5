/* SHA-256, fetched once and kept. EVP_sha256() and SHA256() look it up in the providers at every
   use, which takes longer than hashing a key or a name. */
#include "tk_hash.h"

static EVP_MD *sha256;

/* A configuration that allows only a provider's algorithms, and cannot load the provider, leaves no
   SHA-256, and no cipher either: then it is each new context that fails, and says why. */
void tk_hash_init(void)
{
    if (sha256 == NULL)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ERR_clear_error();
}

int tk_sha256(const void *data, size_t size, uint8_t *out)
{
    return sha256 != NULL && EVP_Digest(data, size, out, NULL, sha256, NULL) == 1;
}

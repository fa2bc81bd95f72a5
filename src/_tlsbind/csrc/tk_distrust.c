/* Public keys that no chain may contain, no matter who signed them: their private keys are known.

   They are the keys that CPython's own ssl refuses from 3.14.10 on, among them intermediate
   authorities of eMudhra. A list in a program does not replace revocation: it is for the few keys
   that cannot wait for it. Each entry is the SHA-256 digest of the SubjectPublicKeyInfo in DER, so
   a certificate that is reissued for the same key is refused too. The entries are sorted. */
#include "tk_distrust.h"
#include "tk_hash.h"

enum { DIGEST = 32 };

static const uint8_t distrusted[][DIGEST + 1] = {
    "\x43\xbf\xfa\x19\xd6\xef\x65\x14\x51\xf6\x84\x1e\x01\x99\x31\xe9\x6f\x6f\x2e\xae\xff\x28\xab"
    "\x4b\x6f\x1c\xe4\x57\x6d\xe2\x71\x7b",
    "\x49\xdd\x35\x3d\xc2\xb9\x19\xa3\x77\x06\x45\x11\x7d\x0e\x60\xc1\x61\x15\xe7\xd1\xbc\x25\x9e"
    "\xef\xe7\x34\xb0\x0e\xa4\x34\xfe\x5f",
    "\x5c\x06\x60\xa2\xb1\x64\x91\x0d\x8f\xf5\x89\xc1\x8e\x14\x55\x2e\x9e\x0e\xc2\x37\xdc\xef\xe2"
    "\xcb\x73\x6d\x41\xa4\x81\x1f\x81\xa0",
    "\x63\xec\xef\xee\x43\x1d\x49\x52\x3b\xc1\x13\x6c\x4e\x72\xd0\x20\x6a\x47\x70\x86\xca\xf6\x06"
    "\xcd\x5c\xf0\x25\x68\x6c\x10\x9c\xf8",
    "\x92\xc0\x63\xd6\x7e\x8f\x14\xdb\x71\xd2\x88\xe1\x12\x66\xff\xda\xf6\x9c\xbf\x11\x5f\x7b\xab"
    "\x14\xf3\xbc\x2f\x68\xd2\x5e\x0e\x30",
    "\xe0\x25\x4c\x7f\xcd\xc2\x65\xe2\xf0\xf8\xa4\x28\xda\xbb\x75\xab\x4a\xe0\x39\xb4\x87\x2d\x62"
    "\xf5\xee\x57\xf0\x87\x7d\x5a\x8a\x41",
    "\xeb\xed\x64\x75\xc2\xc2\xd8\x0f\xcb\x19\x9f\x3f\xe8\xdd\x6e\x6b\x3c\xe6\x0b\x77\xeb\x15\xd4"
    "\xe4\x2c\x3d\xec\x0c\x6f\x5b\x51\x05",
    "\xec\x4f\xfa\x1a\xd0\xac\x88\x08\x13\x14\xb7\xaa\xff\xef\x6a\x91\xf9\x7c\xd5\x72\x91\xbb\x5b"
    "\xa6\x86\xc5\x41\x5f\x5e\xb4\xf6\xb6",
};

static int has_distrusted_key(X509 *x)
{
    uint8_t digest[DIGEST], *spki = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    int known = size > 0 && tk_sha256(spki, (size_t)size, digest);
    size_t i;

    OPENSSL_free(spki);
    if (!known) /* a key that cannot be parsed cannot be trusted */
        return 1;
    for (i = 0; i < sizeof distrusted / sizeof distrusted[0]; i++)
        if (memcmp(digest, distrusted[i], DIGEST) == 0)
            return 1;
    return 0;
}

int tk_distrust(int ok, X509_STORE_CTX *v)
{
    X509 *x = X509_STORE_CTX_get_current_cert(v);

    if (!ok || x == NULL || !has_distrusted_key(x))
        return ok;
    X509_STORE_CTX_set_error(v, X509_V_ERR_CERT_REJECTED);
    return 0;
}

void tk_distrust_digest(void *into)
{
    if (!tk_sha256(distrusted, sizeof distrusted, into))
        memset(into, 0, DIGEST);
    ERR_clear_error();
}

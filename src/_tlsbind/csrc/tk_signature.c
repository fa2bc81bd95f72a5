/* The algorithm that a side has signed its handshake with, by IANA's name.

   OpenSSL has the name from 3.5 on. Before, it reports the types of the key and of the digest; with
   RSASSA-PSS, the certificate says whether its key is only for that. */
#include "tk_signature.h"

typedef struct {
    int key, digest;
    const char *name, *pss_key; /* pss_key: where the certificate's key is for RSASSA-PSS alone */
} row;

static const row ROWS[] = {
    { NID_rsaEncryption, NID_sha1, "rsa_pkcs1_sha1", NULL },
    { NID_rsaEncryption, NID_sha224, "rsa_pkcs1_sha224", NULL },
    { NID_rsaEncryption, NID_sha256, "rsa_pkcs1_sha256", NULL },
    { NID_rsaEncryption, NID_sha384, "rsa_pkcs1_sha384", NULL },
    { NID_rsaEncryption, NID_sha512, "rsa_pkcs1_sha512", NULL },
    { NID_rsassaPss, NID_sha256, "rsa_pss_rsae_sha256", "rsa_pss_pss_sha256" },
    { NID_rsassaPss, NID_sha384, "rsa_pss_rsae_sha384", "rsa_pss_pss_sha384" },
    { NID_rsassaPss, NID_sha512, "rsa_pss_rsae_sha512", "rsa_pss_pss_sha512" },
    { NID_X9_62_id_ecPublicKey, NID_sha1, "ecdsa_sha1", NULL },
    { NID_X9_62_id_ecPublicKey, NID_sha224, "ecdsa_sha224", NULL },
    { NID_X9_62_id_ecPublicKey, NID_sha256, "ecdsa_secp256r1_sha256", NULL },
    { NID_X9_62_id_ecPublicKey, NID_sha384, "ecdsa_secp384r1_sha384", NULL },
    { NID_X9_62_id_ecPublicKey, NID_sha512, "ecdsa_secp521r1_sha512", NULL },
    { NID_ED25519, NID_undef, "ed25519", NULL },
    { NID_ED448, NID_undef, "ed448", NULL },
};

static const char *name_of(int key, int digest, const X509 *certificate)
{
    const EVP_PKEY *own = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
    size_t i;

    for (i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        if (ROWS[i].key == key && (ROWS[i].digest == digest || ROWS[i].digest == NID_undef))
            return ROWS[i].pss_key != NULL && own != NULL &&
                           EVP_PKEY_get_id(own) == NID_rsassaPss
                       ? ROWS[i].pss_key
                       : ROWS[i].name;
    return NULL;
}

const char *tk_signature_name(SSL *ssl, int peer)
{
    const char *name = NULL;
    int key = NID_undef, digest = NID_undef;

    if (peer ? SSL_get0_peer_signature_name(ssl, &name) : SSL_get0_signature_name(ssl, &name))
        return name;
    if (peer ? !SSL_get_peer_signature_type_nid(ssl, &key)
             : !SSL_get_signature_type_nid(ssl, &key))
        return NULL;
    if (peer ? !SSL_get_peer_signature_nid(ssl, &digest) : !SSL_get_signature_nid(ssl, &digest))
        return NULL;
    return name_of(key, digest, peer ? SSL_get0_peer_certificate(ssl) : SSL_get_certificate(ssl));
}

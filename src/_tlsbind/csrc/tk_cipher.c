/* Facts about a cipher, for contexts, sessions and connections. */
#include "tk_cipher.h"
#include "tk_records.h"

static const char *long_name(int nid) { return nid == NID_undef ? NULL : OBJ_nid2ln(nid); }

void tk_cipher_facts(tk_records *out, const SSL_CIPHER *cipher)
{
    const EVP_MD *digest = SSL_CIPHER_get_handshake_digest(cipher);
    int alg_bits = 0, bits = SSL_CIPHER_get_bits(cipher, &alg_bits);
    uint32_t numbers[4] = { SSL_CIPHER_get_id(cipher), (uint32_t)bits, (uint32_t)alg_bits,
                            (uint32_t)SSL_CIPHER_is_aead(cipher) };
    char description[256];

    tk_records_add(out, 0, numbers, sizeof numbers);
    tk_records_text(out, 1, SSL_CIPHER_get_name(cipher));
    tk_records_text(out, 2, SSL_CIPHER_get_version(cipher));
    tk_records_text(out, 3, SSL_CIPHER_description(cipher, description, sizeof description));
    tk_records_text(out, 4, long_name(SSL_CIPHER_get_cipher_nid(cipher)));
    tk_records_text(out, 5, long_name(SSL_CIPHER_get_digest_nid(cipher)));
    tk_records_text(out, 6, long_name(SSL_CIPHER_get_kx_nid(cipher)));
    tk_records_text(out, 7, long_name(SSL_CIPHER_get_auth_nid(cipher)));
    tk_records_text(out, 8, digest != NULL ? EVP_MD_get0_name(digest) : NULL);
    tk_records_text(out, 9, SSL_CIPHER_standard_name(cipher));
}

void tk_cipher_record(const SSL_CIPHER *cipher, tk_records *out)
{
    uint32_t bits = (uint32_t)SSL_CIPHER_get_bits(cipher, NULL);

    tk_records_add(out, 0, &bits, sizeof bits);
    tk_records_text(out, 1, SSL_CIPHER_get_name(cipher));
    tk_records_text(out, 2, SSL_CIPHER_get_version(cipher));
}

/* A certificate's key and signature, in words. */
#include <openssl/x509v3.h>

#include "tk_records.h"

void tk_x509_summary(X509 *x, tk_records *out)
{
    EVP_PKEY *key;
    char name[64];
    size_t size;
    int32_t bits;

    ERR_set_mark();
    if ((key = X509_get0_pubkey(x)) != NULL) {
        bits = EVP_PKEY_get_bits(key);
        tk_records_text(out, TK_KEY_TYPE, EVP_PKEY_get0_type_name(key));
        tk_records_add(out, TK_KEY_BITS, &bits, sizeof bits);
        if (EVP_PKEY_get_group_name(key, name, sizeof name, &size))
            tk_records_text(out, TK_KEY_GROUP, name);
    }
    tk_records_text(out, TK_KEY_SIGNATURE, OBJ_nid2ln(X509_get_signature_nid(x)));
    if (X509_check_ca(x) == 1)
        tk_records_text(out, TK_KEY_CA, "");
    ERR_pop_to_mark();
}

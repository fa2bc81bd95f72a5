/* An OCSP response's verdict on a certificate, and whether it can be trusted (RFC 6960, 3.2).

   It must be signed by the certificate's issuer, or by a responder whose certificate the issuer has
   signed for that purpose. The issuer is the one in the verified chain, so trust stores are
   irrelevant, and no other authority of the chain may answer. */
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "tk_response.h"
#include "tk_x509.h"

enum {
    SKEW = 300,             /* seconds that two clocks may differ */
    WITHOUT_END = 7 * 86400, /* seconds that a response without an end is good */
    SINGLES_MOST = 64       /* certificates in one response that are looked at */
};

/* Whether an entry is about this certificate: by its number and its issuer's name, which it holds
   itself; and by the issuer's key, where the issuer is known. */
static int is_about(const OCSP_CERTID *id, X509 *leaf, X509 *issuer)
{
    ASN1_OCTET_STRING *hash = NULL;
    ASN1_INTEGER *number = NULL;
    ASN1_OBJECT *digest = NULL;
    const EVP_MD *md;
    OCSP_CERTID *same;
    uint8_t name[EVP_MAX_MD_SIZE];
    unsigned int size;
    int found;

    if (!OCSP_id_get0_info(&hash, &digest, NULL, &number, (OCSP_CERTID *)id) ||
        (md = EVP_get_digestbyobj(digest)) == NULL)
        return 0;
    if (issuer == NULL)
        return ASN1_INTEGER_cmp(number, X509_get0_serialNumber(leaf)) == 0 &&
               X509_NAME_digest(X509_get_issuer_name(leaf), md, name, &size) &&
               (unsigned int)ASN1_STRING_length(hash) == size &&
               memcmp(ASN1_STRING_get0_data(hash), name, size) == 0;
    same = OCSP_cert_to_id(md, leaf, issuer);
    found = same != NULL && OCSP_id_cmp(id, same) == 0;
    OCSP_CERTID_free(same);
    return found;
}

static OCSP_SINGLERESP *find(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer)
{
    int i, n = OCSP_resp_count(basic);

    for (i = 0; i < n && i < SINGLES_MOST; i++) {
        OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
        if (is_about(OCSP_SINGLERESP_get0_id(one), leaf, issuer))
            return one;
    }
    return NULL;
}

/* Whether the issuer lets this one answer in its place (RFC 6960, 4.2.2.2). */
static int is_delegate(X509 *x, X509 *issuer)
{
    return X509_check_issued(issuer, x) == X509_V_OK &&
           X509_verify(x, X509_get0_pubkey(issuer)) == 1 &&
           (X509_get_extension_flags(x) & EXFLAG_XKUSAGE) &&
           (X509_get_extended_key_usage(x) & XKU_OCSP_SIGN) &&
           X509_cmp_current_time(X509_get0_notBefore(x)) < 0 &&
           X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
}

static int is_signed(OCSP_BASICRESP *basic, X509 *issuer)
{
    STACK_OF(X509) *one = sk_X509_new_null();
    X509 *signer = NULL;
    int ok = one != NULL && sk_X509_push(one, issuer) > 0 &&
             OCSP_resp_get0_signer(basic, &signer, one) == 1 && signer != NULL;

    ok = ok && (X509_cmp(signer, issuer) == 0 || is_delegate(signer, issuer)) &&
         OCSP_basic_verify(basic, one, NULL, OCSP_NOVERIFY) == 1;
    sk_X509_free(one);
    return ok;
}

static int judge(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer, int64_t *until)
{
    ASN1_GENERALIZEDTIME *begins = NULL, *ends = NULL;
    OCSP_SINGLERESP *one = find(basic, leaf, issuer);
    int status;

    if (one == NULL)
        return TK_STAPLE_OTHER;
    if (issuer != NULL && !is_signed(basic, issuer))
        return TK_STAPLE_UNTRUSTED;
    status = OCSP_single_get0_status(one, NULL, NULL, &begins, &ends);
    *until = ends != NULL ? tk_x509_seconds(ends) : tk_x509_seconds(begins) + WITHOUT_END;
    if (!OCSP_check_validity(begins, ends, SKEW, ends != NULL ? -1 : WITHOUT_END))
        return TK_STAPLE_STALE;
    return status == V_OCSP_CERTSTATUS_GOOD      ? TK_STAPLE_GOOD
           : status == V_OCSP_CERTSTATUS_REVOKED ? TK_STAPLE_REVOKED
                                                 : TK_STAPLE_UNKNOWN;
}

int tk_response_judge(const uint8_t *der, size_t size, X509 *leaf, X509 *issuer, int64_t *until)
{
    const uint8_t *at = der;
    OCSP_RESPONSE *response;
    OCSP_BASICRESP *basic = NULL;
    int verdict = TK_STAPLE_MALFORMED;

    *until = -1;
    ERR_set_mark();
    response = size <= LONG_MAX ? d2i_OCSP_RESPONSE(NULL, &at, (long)size) : NULL;
    if (response != NULL && at == der + size) {
        if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
            verdict = TK_STAPLE_UNSUCCESSFUL;
        else if ((basic = OCSP_response_get1_basic(response)) != NULL)
            verdict = judge(basic, leaf, issuer, until);
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_pop_to_mark();
    return verdict;
}

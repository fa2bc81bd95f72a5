/* Part of the border (tk_api.h): certificates. */

X509 *tk_x509_from_der(const void *der, size_t size, tk_fault *fault);
X509 *tk_x509_from_pem(const void *pem, size_t size, tk_fault *fault);
void tk_x509_free(X509 *x);
void tk_x509_der(X509 *x, tk_records *out);
void tk_x509_public_key(X509 *x, tk_records *out); /* its SubjectPublicKeyInfo in DER */

enum { /* the tags of tk_x509_fields: the order of the fields within one tag is the certificate's */
    TK_X509_VERSION = 1, TK_X509_SERIAL, TK_X509_NOT_BEFORE, TK_X509_NOT_AFTER,
    TK_X509_SUBJECT_RDN, TK_X509_ISSUER_RDN,           /* a new RDN begins */
    TK_X509_SUBJECT_NAME, TK_X509_SUBJECT_VALUE,       /* of one attribute, in turn */
    TK_X509_ISSUER_NAME, TK_X509_ISSUER_VALUE,
    TK_X509_ALT_BEGIN, /* there are alternative names, if any follow or not */
    TK_X509_ALT_EMAIL, TK_X509_ALT_DNS, TK_X509_ALT_URI, TK_X509_ALT_RID, TK_X509_ALT_IP,
    TK_X509_ALT_DIRNAME,
    TK_X509_ALT_RDN, TK_X509_ALT_NAME, TK_X509_ALT_VALUE, /* inside a DirName */
    TK_X509_ALT_OTHER,
    TK_X509_OCSP, TK_X509_CA_ISSUERS, TK_X509_CRL_POINT
};

int tk_x509_fields(X509 *x, tk_records *out, tk_fault *fault);

enum { TK_KEY_TYPE = 1, TK_KEY_BITS, TK_KEY_GROUP, TK_KEY_SIGNATURE, TK_KEY_CA };

void tk_x509_summary(X509 *x, tk_records *out); /* TK_KEY_CA: it may sign certificates */

/* The PKI of the tests: made in memory, with keys on P-256, anew for every run. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tk_test.h"

identity root, server_identity, client_identity, stranger, full;
char *crl_pem, *encrypted_key_pem;

static char *text_of(BIO *b, size_t *size)
{
    char *data, *copy;
    long n = BIO_get_mem_data(b, &data);

    copy = malloc((size_t)n + 1);
    CHECK(copy != NULL);
    memcpy(copy, data, (size_t)n);
    copy[n] = '\0';
    if (size != NULL)
        *size = (size_t)n;
    BIO_free(b);
    return copy;
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX v;
    X509_EXTENSION *e;

    X509V3_set_ctx(&v, issuer, x, NULL, NULL, 0);
    CHECK((e = X509V3_EXT_conf_nid(NULL, &v, nid, value)) != NULL);
    CHECK(X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

/* Kinds of name that the configuration language has no short word for. */
static void add_names(X509 *x)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    const char *texts[] = { "a@example.org", "full.example", "https://full.example/" };
    const int types[] = { GEN_EMAIL, GEN_DNS, GEN_URI };
    GENERAL_NAME *n;
    int i;

    for (i = 0; i < 3; i++) {
        ASN1_IA5STRING *s = ASN1_IA5STRING_new();
        CHECK(ASN1_STRING_set(s, texts[i], -1));
        n = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(n, types[i], s);
        sk_GENERAL_NAME_push(names, n);
    }
    n = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_IPADD, "::1", 0);
    sk_GENERAL_NAME_push(names, n);
    n = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_RID, "1.2.3.4.5", 0);
    sk_GENERAL_NAME_push(names, n);
    n = GENERAL_NAME_new();
    {
        X509_NAME *directory = X509_NAME_dup(X509_get_subject_name(x));
        GENERAL_NAME_set0_value(n, GEN_DIRNAME, directory);
    }
    sk_GENERAL_NAME_push(names, n);
    n = GENERAL_NAME_new();
    {
        ASN1_TYPE *value = ASN1_TYPE_new();
        ASN1_UTF8STRING *s = ASN1_UTF8STRING_new();
        CHECK(ASN1_STRING_set(s, "other", -1));
        ASN1_TYPE_set(value, V_ASN1_UTF8STRING, s);
        CHECK(GENERAL_NAME_set0_othername(n, OBJ_txt2obj("1.2.3.4.6", 1), value));
    }
    sk_GENERAL_NAME_push(names, n);
    CHECK(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND));
    GENERAL_NAMES_free(names);
}

static void keep_forms(identity *i)
{
    BIO *b = BIO_new(BIO_s_mem());

    CHECK(PEM_write_bio_X509(b, i->x509));
    i->pem = text_of(b, &i->pem_size);
    b = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_PrivateKey(b, i->key, NULL, NULL, 0, NULL, NULL));
    i->key_pem = text_of(b, &i->key_pem_size);
    i->der_size = (size_t)i2d_X509(i->x509, &i->der);
}

static identity issue(const char *name, const char *alternatives, identity *issuer, long serial)
{
    identity i = { 0 };
    X509_NAME *subject = X509_NAME_new();

    i.key = EVP_EC_gen("P-256");
    i.x509 = X509_new();
    CHECK(i.key != NULL && i.x509 != NULL && subject != NULL);
    X509_set_version(i.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(i.x509), serial);
    X509_gmtime_adj(X509_getm_notBefore(i.x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(i.x509), 86400);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"tlskit", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_subject_name(i.x509, subject);
    X509_set_issuer_name(i.x509, issuer != NULL ? X509_get_subject_name(issuer->x509) : subject);
    X509_NAME_free(subject);
    X509_set_pubkey(i.x509, i.key);
    add_extension(i.x509, issuer != NULL ? issuer->x509 : i.x509, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (alternatives != NULL)
        add_extension(i.x509, issuer->x509, NID_subject_alt_name, alternatives);
    if (serial == 5) {
        add_names(i.x509);
        add_extension(i.x509, i.x509, NID_info_access,
                      "OCSP;URI:http://ocsp.example/,caIssuers;URI:http://ca.example/");
        add_extension(i.x509, i.x509, NID_crl_distribution_points, "URI:http://crl.example/");
    }
    CHECK(X509_sign(i.x509, issuer != NULL ? issuer->key : i.key, EVP_sha256()));
    keep_forms(&i);
    return i;
}

static char *make_crl(void)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -3600), *next = X509_gmtime_adj(NULL, 86400);
    BIO *b = BIO_new(BIO_s_mem());

    CHECK(X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
          X509_CRL_set_issuer_name(crl, X509_get_subject_name(root.x509)));
    CHECK(X509_CRL_set1_lastUpdate(crl, now) && X509_CRL_set1_nextUpdate(crl, next));
    CHECK(X509_CRL_sign(crl, root.key, EVP_sha256()) && PEM_write_bio_X509_CRL(b, crl));
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    X509_CRL_free(crl);
    return text_of(b, NULL);
}

void pki_make(void)
{
    BIO *b = BIO_new(BIO_s_mem());

    root = issue("root", NULL, NULL, 1);
    server_identity = issue("server", "DNS:localhost,IP:127.0.0.1", &root, 2);
    client_identity = issue("client", "email:client@example.org", &root, 3);
    stranger = issue("stranger", NULL, NULL, 4);
    full = issue("full", NULL, &root, 5);
    crl_pem = make_crl();
    CHECK(PEM_write_bio_PKCS8PrivateKey(b, server_identity.key, EVP_aes_128_cbc(), "secret", 6,
                                        NULL, NULL));
    encrypted_key_pem = text_of(b, NULL);
}

static void identity_free(identity *i)
{
    X509_free(i->x509);
    EVP_PKEY_free(i->key);
    OPENSSL_free(i->der);
    free(i->pem);
    free(i->key_pem);
}

void pki_free(void)
{
    identity_free(&root);
    identity_free(&server_identity);
    identity_free(&client_identity);
    identity_free(&stranger);
    identity_free(&full);
    free(crl_pem);
    free(encrypted_key_pem);
}

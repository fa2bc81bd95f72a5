/* Certificates: their DER, and the fields that getpeercert() shows. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tk_fault.h"
#include "tk_pem.h"
#include "tk_records.h"
#include "tk_x509.h"

X509 *tk_x509_from_der(const void *der, size_t size, tk_fault *fault)
{
    const unsigned char *p = der;
    X509 *x;

    tk_fault_begin();
    x = size > LONG_MAX ? NULL : d2i_X509(NULL, &p, (long)size);
    if (x == NULL)
        tk_fail(fault);
    return x;
}

X509 *tk_x509_from_pem(const void *pem, size_t size, tk_fault *fault)
{
    BIO *b = tk_pem_without_keys(pem, size);
    X509 *x;

    tk_fault_begin();
    x = b != NULL ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    if (x == NULL)
        tk_fail(fault);
    return x;
}

void tk_x509_free(X509 *x) { X509_free(x); }

void tk_x509_der(X509 *x, tk_records *out)
{
    unsigned char *der = NULL;
    int size = i2d_X509(x, &der);

    if (size < 0) {
        out->failed = 1;
        return;
    }
    tk_records_add(out, 0, der, (size_t)size);
    OPENSSL_free(der);
}

void tk_x509_public_key(X509 *x, tk_records *out)
{
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    if (size < 0) {
        out->failed = 1;
        return;
    }
    tk_records_add(out, 0, der, (size_t)size);
    OPENSSL_free(der);
}

/* ---- fields ---- */

static void add_string(tk_records *out, uint32_t tag, const ASN1_STRING *s)
{
    tk_records_add(out, tag, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* What a BIO printer wrote, without going through a file. */
static void add_printed(tk_records *out, uint32_t tag, BIO *b)
{
    char *text;
    long size = BIO_get_mem_data(b, &text);

    tk_records_add(out, tag, text, size > 0 ? (size_t)size : 0);
    (void)BIO_reset(b);
}

/* A name where OpenSSL has one; else the numbers, however many. */
static void add_object_name(tk_records *out, uint32_t tag, const ASN1_OBJECT *object)
{
    int size = OBJ_obj2txt(NULL, 0, object, 0);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);

    if (text == NULL) {
        out->failed = 1;
        return;
    }
    OBJ_obj2txt(text, size + 1, object, 0);
    tk_records_text(out, tag, text);
    free(text);
}

void tk_x509_name(tk_records *out, const X509_NAME *name, uint32_t rdn, uint32_t key,
                  uint32_t value)
{
    int i, set = -1;

    for (i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
        unsigned char *utf8 = NULL;
        int size;

        if (X509_NAME_ENTRY_set(e) != set) {
            set = X509_NAME_ENTRY_set(e);
            tk_records_add(out, rdn, NULL, 0);
        }
        add_object_name(out, key, X509_NAME_ENTRY_get_object(e));
        size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
        tk_records_add(out, value, utf8, size > 0 ? (size_t)size : 0);
        OPENSSL_free(utf8);
    }
}

static void add_rid(tk_records *out, const ASN1_OBJECT *oid)
{
    char text[2048];
    int size = i2t_ASN1_OBJECT(text, sizeof text, oid);

    if (size <= 0 || size >= (int)sizeof text)
        tk_records_text(out, TK_X509_ALT_RID, "<INVALID>");
    else
        tk_records_add(out, TK_X509_ALT_RID, text, (size_t)size);
}

static void add_alternative(tk_records *out, GENERAL_NAME *name, BIO *b)
{
    switch (name->type) {
    case GEN_EMAIL:
        add_string(out, TK_X509_ALT_EMAIL, name->d.rfc822Name);
        break;
    case GEN_DNS:
        add_string(out, TK_X509_ALT_DNS, name->d.dNSName);
        break;
    case GEN_URI:
        add_string(out, TK_X509_ALT_URI, name->d.uniformResourceIdentifier);
        break;
    case GEN_IPADD:
        add_string(out, TK_X509_ALT_IP, name->d.iPAddress);
        break;
    case GEN_RID:
        add_rid(out, name->d.registeredID);
        break;
    case GEN_DIRNAME:
        tk_records_add(out, TK_X509_ALT_DIRNAME, NULL, 0);
        tk_x509_name(out, name->d.directoryName, TK_X509_ALT_RDN, TK_X509_ALT_NAME,
                     TK_X509_ALT_VALUE);
        break;
    default:
        GENERAL_NAME_print(b, name);
        add_printed(out, TK_X509_ALT_OTHER, b);
    }
}

static void add_alternatives(tk_records *out, X509 *x, BIO *b)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int i;

    if (names != NULL)
        tk_records_add(out, TK_X509_ALT_BEGIN, NULL, 0);
    for (i = 0; i < sk_GENERAL_NAME_num(names); i++)
        add_alternative(out, sk_GENERAL_NAME_value(names, i), b);
    GENERAL_NAMES_free(names);
}

static void add_access(tk_records *out, X509 *x)
{
    AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);
    int i;

    for (i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
        ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(access, i);
        int what = OBJ_obj2nid(d->method);
        if (d->location->type != GEN_URI || (what != NID_ad_OCSP && what != NID_ad_ca_issuers))
            continue;
        add_string(out, what == NID_ad_OCSP ? TK_X509_OCSP : TK_X509_CA_ISSUERS,
                   d->location->d.uniformResourceIdentifier);
    }
    AUTHORITY_INFO_ACCESS_free(access);
}

static void add_crl_points(tk_records *out, X509 *x)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    int i, j;

    for (i = 0; i < sk_DIST_POINT_num(points); i++) {
        DIST_POINT *p = sk_DIST_POINT_value(points, i);
        GENERAL_NAMES *names = p->distpoint != NULL && p->distpoint->type == 0
                                   ? p->distpoint->name.fullname
                                   : NULL;
        for (j = 0; j < sk_GENERAL_NAME_num(names); j++) {
            GENERAL_NAME *name = sk_GENERAL_NAME_value(names, j);
            if (name->type == GEN_URI)
                add_string(out, TK_X509_CRL_POINT, name->d.uniformResourceIdentifier);
        }
    }
    CRL_DIST_POINTS_free(points);
}

int tk_x509_fields(X509 *x, tk_records *out, tk_fault *fault)
{
    BIO *b;
    int32_t version = (int32_t)X509_get_version(x) + 1;

    tk_fault_begin();
    if ((b = BIO_new(BIO_s_mem())) == NULL)
        return tk_fail(fault);
    tk_records_add(out, TK_X509_VERSION, &version, sizeof version);
    tk_x509_name(out, X509_get_subject_name(x), TK_X509_SUBJECT_RDN, TK_X509_SUBJECT_NAME,
             TK_X509_SUBJECT_VALUE);
    tk_x509_name(out, X509_get_issuer_name(x), TK_X509_ISSUER_RDN, TK_X509_ISSUER_NAME,
             TK_X509_ISSUER_VALUE);
    i2a_ASN1_INTEGER(b, X509_get0_serialNumber(x));
    add_printed(out, TK_X509_SERIAL, b);
    ASN1_TIME_print(b, X509_get0_notBefore(x));
    add_printed(out, TK_X509_NOT_BEFORE, b);
    ASN1_TIME_print(b, X509_get0_notAfter(x));
    add_printed(out, TK_X509_NOT_AFTER, b);
    add_alternatives(out, x, b);
    add_access(out, x);
    add_crl_points(out, x);
    BIO_free(b);
    ERR_clear_error(); /* an extension that could not be read is left out */
    return out->failed ? TK_SSL : TK_DONE;
}

int64_t tk_x509_seconds(const ASN1_TIME *date)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0, ok;

    ok = epoch != NULL && date != NULL && ASN1_TIME_diff(&days, &seconds, epoch, date);
    ASN1_TIME_free(epoch);
    return ok ? (int64_t)days * 86400 + seconds : -1;
}

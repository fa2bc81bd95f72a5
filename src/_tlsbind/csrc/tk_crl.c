/* Which revocation lists replace which. A program that loads the newest list every hour must not
   keep them all: an X509_STORE never removes anything, and each verification searches all of it. A
   full list covers every certificate of its issuer, as its predecessors did, so the newest one in
   force is enough (RFC 5280, 5). */
#include <openssl/x509v3.h>

#include "tk_crl.h"
#include "tk_records.h"
#include "tk_x509.h"

static int same_extension(const X509_CRL *a, const X509_CRL *b, int nid)
{
    int i = X509_CRL_get_ext_by_NID(a, nid, -1), j = X509_CRL_get_ext_by_NID(b, nid, -1);

    if (i < 0 || j < 0)
        return i < 0 && j < 0;
    return ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_CRL_get_ext(a, i)),
                                 X509_EXTENSION_get_data(X509_CRL_get_ext(b, j))) == 0;
}

static int is_delta(const X509_CRL *c)
{
    return X509_CRL_get_ext_by_NID(c, NID_delta_crl, -1) >= 0;
}

/* Both say the same things of the same certificates, each at its time. */
static int same_scope(const X509_CRL *a, const X509_CRL *b)
{
    return X509_NAME_cmp(X509_CRL_get_issuer(a), X509_CRL_get_issuer(b)) == 0 && !is_delta(a) &&
           !is_delta(b) && same_extension(a, b, NID_authority_key_identifier) &&
           same_extension(a, b, NID_issuing_distribution_point);
}

/* Without a key identifier, only the signatures tell whether one key has made both: an authority
   may have had another one under the same name. */
static int same_key(X509_CRL *a, X509_CRL *b, const STACK_OF(X509_OBJECT) *among)
{
    int i, same = X509_CRL_get_ext_by_NID(a, NID_authority_key_identifier, -1) >= 0;

    for (i = 0; !same && i < sk_X509_OBJECT_num(among); i++) {
        X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(among, i)); /* NULL for a CRL */
        EVP_PKEY *key;
        if (x == NULL || X509_NAME_cmp(X509_get_subject_name(x), X509_CRL_get_issuer(a)) != 0 ||
            (key = X509_get0_pubkey(x)) == NULL)
            continue;
        ERR_set_mark();
        same = X509_CRL_verify(a, key) == 1 && X509_CRL_verify(b, key) == 1;
        ERR_pop_to_mark();
    }
    return same;
}

/* 1: a is later than b; 0: not later, or no one can tell */
static int later(const ASN1_TIME *a, const ASN1_TIME *b)
{
    return a != NULL && b != NULL && ASN1_TIME_compare(a, b) > 0;
}

static int in_force(const X509_CRL *c)
{
    const ASN1_TIME *end = X509_CRL_get0_nextUpdate(c);

    return X509_cmp_current_time(X509_CRL_get0_lastUpdate(c)) < 0 &&
           (end == NULL || X509_cmp_current_time(end) > 0);
}

static int replaces(X509_CRL *newer, X509_CRL *c, const STACK_OF(X509_OBJECT) *among)
{
    return later(X509_CRL_get0_lastUpdate(newer), X509_CRL_get0_lastUpdate(c)) &&
           same_scope(newer, c) && in_force(newer) && same_key(newer, c, among);
}

int tk_crl_count(const STACK_OF(X509_OBJECT) *objects)
{
    int i, n = 0;

    for (i = 0; i < sk_X509_OBJECT_num(objects); i++)
        n += X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL;
    return n;
}

int tk_crl_is_replaced(const X509_OBJECT *o, const STACK_OF(X509_OBJECT) *among)
{
    int i;

    if (X509_OBJECT_get_type(o) != X509_LU_CRL)
        return 0;
    for (i = 0; i < sk_X509_OBJECT_num(among); i++) {
        X509_OBJECT *other = sk_X509_OBJECT_value(among, i);
        if (X509_OBJECT_get_type(other) == X509_LU_CRL &&
            replaces(X509_OBJECT_get0_X509_CRL((X509_OBJECT *)other),
                     X509_OBJECT_get0_X509_CRL((X509_OBJECT *)o), among))
            return 1;
    }
    return 0;
}

static void add_time(tk_records *out, uint32_t tag, const ASN1_TIME *time)
{
    BIO *b = time != NULL ? BIO_new(BIO_s_mem()) : NULL;
    char *text;
    long size;

    if (b != NULL && ASN1_TIME_print(b, time) == 1 && (size = BIO_get_mem_data(b, &text)) > 0)
        tk_records_add(out, tag, text, (size_t)size);
    BIO_free(b);
}

int tk_crl_stale(const X509_CRL *c, tk_records *out)
{
    if (in_force(c))
        return 0;
    add_time(out, TK_X509_NOT_BEFORE, X509_CRL_get0_lastUpdate(c));
    add_time(out, TK_X509_NOT_AFTER, X509_CRL_get0_nextUpdate(c));
    tk_x509_name(out, X509_CRL_get_issuer(c), TK_X509_ISSUER_RDN, TK_X509_ISSUER_NAME,
                 TK_X509_ISSUER_VALUE);
    return 1;
}

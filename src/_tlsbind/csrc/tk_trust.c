/* Trust stores: X509_STOREs that many contexts share by reference. */
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tk_crl.h"
#include "tk_directory.h"
#include "tk_fault.h"
#include "tk_pem.h"

X509_STORE *tk_trust_new(void) { return X509_STORE_new(); }
void tk_trust_free(X509_STORE *s) { X509_STORE_free(s); }

#if OPENSSL_VERSION_NUMBER >= 0x30300000L
static STACK_OF(X509_OBJECT) *open_objects(X509_STORE *s) { return X509_STORE_get1_objects(s); }
static void close_objects(X509_STORE *s, STACK_OF(X509_OBJECT) *objects)
{
    (void)s;
    sk_X509_OBJECT_pop_free(objects, X509_OBJECT_free);
}

/* X509_STORE_add_cert looks for a duplicate among the neighbours of the first certificate with the
 * same subject, but since 3.3 nothing sorts them: a second root of one name would be added each
 * time. */
static STACK_OF(X509_OBJECT) *sorted_objects(X509_STORE *s)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get1_objects(s);

    sk_X509_OBJECT_sort(objects);
    return objects;
}
static int holds(STACK_OF(X509_OBJECT) *sorted, X509_OBJECT *o)
{
    return X509_OBJECT_retrieve_match(sorted, o) != NULL;
}
#else
static STACK_OF(X509_OBJECT) *open_objects(X509_STORE *s)
{
    X509_STORE_lock(s);
    return X509_STORE_get0_objects(s);
}
static void close_objects(X509_STORE *s, STACK_OF(X509_OBJECT) *objects)
{
    (void)objects;
    X509_STORE_unlock(s);
}

/* Here X509_STORE_add_cert finds duplicates by itself. */
static STACK_OF(X509_OBJECT) *sorted_objects(X509_STORE *s)
{
    (void)s;
    return NULL;
}
static int holds(STACK_OF(X509_OBJECT) *sorted, X509_OBJECT *o)
{
    (void)sorted;
    (void)o;
    return 0;
}
#endif

static int add_object(X509_STORE *to, X509_OBJECT *o)
{
    switch (X509_OBJECT_get_type(o)) {
    case X509_LU_X509:
        return X509_STORE_add_cert(to, X509_OBJECT_get0_X509(o));
    case X509_LU_CRL:
        return X509_STORE_add_crl(to, X509_OBJECT_get0_X509_CRL(o));
    default:
        return 1;
    }
}

int tk_trust_merge(X509_STORE *to, X509_STORE *more, tk_fault *fault)
{
    STACK_OF(X509_OBJECT) *there, *objects;
    int i, ok = 1, replaced = 0;

    tk_fault_begin();
    there = sorted_objects(to);
    objects = open_objects(more);
    for (i = 0; ok && i < sk_X509_OBJECT_num(objects); i++) {
        X509_OBJECT *o = sk_X509_OBJECT_value(objects, i);
        if (!holds(there, o) && !tk_crl_is_replaced(o, objects))
            ok = add_object(to, o);
    }
    sk_X509_OBJECT_pop_free(there, X509_OBJECT_free);
    if (ok && tk_crl_count(objects) > 0) {
        there = open_objects(to);
        for (i = 0; i < sk_X509_OBJECT_num(there); i++)
            replaced += tk_crl_is_replaced(sk_X509_OBJECT_value(there, i), there);
        close_objects(to, there);
    }
    close_objects(more, objects);
    return ok ? replaced : tk_fail(fault);
}

/* Take what was read, or nothing at all. */
static int add_all(X509_STORE *s, STACK_OF(X509_INFO) *read)
{
    int i, count = 0;

    for (i = 0; i < sk_X509_INFO_num(read); i++) {
        X509_INFO *entry = sk_X509_INFO_value(read, i);
        if (entry->x509 != NULL) {
            if (!X509_STORE_add_cert(s, entry->x509))
                return -1;
            count++;
        }
        if (entry->crl != NULL) {
            if (!X509_STORE_add_crl(s, entry->crl))
                return -1;
            count++;
        }
    }
    return count;
}

int tk_trust_add_pem(X509_STORE *s, const void *pem, size_t size, tk_fault *fault)
{
    STACK_OF(X509_INFO) *read = NULL;
    BIO *b = NULL;
    int count = TK_SSL;

    tk_fault_begin();
    if ((b = tk_pem_without_keys(pem, size)) == NULL)
        goto out;
    if ((read = PEM_X509_INFO_read_bio(b, NULL, NULL, NULL)) == NULL) {
        ERR_raise(ERR_LIB_X509, ERR_R_PEM_LIB);
        goto out;
    }
    if ((count = add_all(s, read)) == 0)
        ERR_raise(ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
out:
    if (count <= 0)
        tk_fail(fault);
    sk_X509_INFO_pop_free(read, X509_INFO_free);
    BIO_free(b);
    return count;
}

/* The next certificate or CRL of those that stand end to end. */
static int add_next(X509_STORE *s, const unsigned char **p, long size)
{
    const unsigned char *at = *p;
    X509 *x = d2i_X509(NULL, &at, size);
    X509_CRL *crl = NULL;
    int ok;

    if (x == NULL) {
        at = *p;
        ERR_set_mark();
        if ((crl = d2i_X509_CRL(NULL, &at, size)) != NULL)
            ERR_clear_error();
        else
            ERR_pop_to_mark(); /* what is wrong with it as a certificate says more */
    }
    ok = x != NULL ? X509_STORE_add_cert(s, x) : crl != NULL && X509_STORE_add_crl(s, crl);
    X509_free(x);
    X509_CRL_free(crl);
    *p = at;
    return ok;
}

int tk_trust_add_der(X509_STORE *s, const void *der, size_t size, tk_fault *fault)
{
    const unsigned char *p = der, *end = p + size;
    int count = 0;

    tk_fault_begin();
    for (; p < end; count++)
        if (end - p > LONG_MAX || !add_next(s, &p, (long)(end - p))) {
            tk_fail(fault);
            return count == 0 ? 0 : TK_SSL;
        }
    return count;
}

void tk_trust_count(X509_STORE *s, int32_t *certificates, int32_t *crls, int32_t *authorities)
{
    STACK_OF(X509_OBJECT) *objects;
    int i;

    *certificates = *crls = *authorities = 0;
    objects = open_objects(s);
    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_OBJECT *o = sk_X509_OBJECT_value(objects, i);
        if (X509_OBJECT_get_type(o) == X509_LU_X509) {
            ++*certificates;
            *authorities += X509_check_ca(X509_OBJECT_get0_X509(o)) != 0;
        } else if (X509_OBJECT_get_type(o) == X509_LU_CRL) {
            ++*crls;
        }
    }
    close_objects(s, objects);
}

void tk_trust_stale_crl(X509_STORE *s, tk_records *out)
{
    STACK_OF(X509_OBJECT) *objects = open_objects(s);
    int i, found = 0;

    for (i = 0; !found && i < sk_X509_OBJECT_num(objects); i++) {
        X509_OBJECT *o = sk_X509_OBJECT_value(objects, i);
        if (X509_OBJECT_get_type(o) == X509_LU_CRL)
            found = tk_crl_stale(X509_OBJECT_get0_X509_CRL(o), out);
    }
    close_objects(s, objects);
}

void tk_trust_authorities(X509_STORE *s, tk_records *out)
{
    STACK_OF(X509_OBJECT) *objects;
    int i;

    objects = open_objects(s);
    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_OBJECT *o = sk_X509_OBJECT_value(objects, i);
        if (X509_OBJECT_get_type(o) == X509_LU_X509 && X509_check_ca(X509_OBJECT_get0_X509(o)))
            tk_x509_der(X509_OBJECT_get0_X509(o), out);
    }
    close_objects(s, objects);
}

/* ---- what stands for a store: the same for the same objects, in whatever order ---- */

static int object_digest(X509_OBJECT *o, uint8_t *out)
{
    int crl = X509_OBJECT_get_type(o) == X509_LU_CRL, size, ok;
    uint8_t *der = NULL;

    out[0] = (uint8_t)crl;
    size = crl ? i2d_X509_CRL(X509_OBJECT_get0_X509_CRL(o), &der)
               : i2d_X509_AUX(X509_OBJECT_get0_X509(o), &der); /* with what it is trusted for */
    ok = size > 0 && EVP_Digest(der, (size_t)size, out + 1, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    return ok;
}

static int by_bytes(const void *a, const void *b) { return memcmp(a, b, TK_TRUST_KEY); }

int tk_trust_keys_digest(uint8_t *keys, size_t n, void *into)
{
    size_t i, unique = 0;

    if (n > 0)
        qsort(keys, n, TK_TRUST_KEY, by_bytes);
    for (i = 0; i < n; i++)
        if (unique == 0 || by_bytes(keys + i * TK_TRUST_KEY, keys + (unique - 1) * TK_TRUST_KEY))
            memmove(keys + unique++ * TK_TRUST_KEY, keys + i * TK_TRUST_KEY, TK_TRUST_KEY);
    return EVP_Digest(keys, unique * TK_TRUST_KEY, into, NULL, EVP_sha256(), NULL);
}

int tk_trust_digest(X509_STORE *s, void *into)
{
    STACK_OF(X509_OBJECT) *objects = open_objects(s);
    int i, n = sk_X509_OBJECT_num(objects), ok;
    uint8_t *all = malloc((size_t)(n > 0 ? n : 1) * TK_TRUST_KEY);

    ERR_set_mark();
    ok = all != NULL;
    for (i = 0; ok && i < n; i++)
        ok = object_digest(sk_X509_OBJECT_value(objects, i), all + i * TK_TRUST_KEY);
    close_objects(s, objects);
    ok = ok && tk_trust_keys_digest(all, n > 0 ? (size_t)n : 0, into);
    free(all);
    ERR_pop_to_mark();
    return ok;
}

/* Trust stores: X509_STOREs that many contexts share by reference. */
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tk_fault.h"

X509_STORE *tk_trust_new(void) { return X509_STORE_new(); }
void tk_trust_free(X509_STORE *s) { X509_STORE_free(s); }

#if OPENSSL_VERSION_NUMBER >= 0x30300000L
static STACK_OF(X509_OBJECT) *open_objects(X509_STORE *s) { return X509_STORE_get1_objects(s); }
static void close_objects(X509_STORE *s, STACK_OF(X509_OBJECT) *objects)
{
    (void)s;
    sk_X509_OBJECT_pop_free(objects, X509_OBJECT_free);
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

X509_STORE *tk_trust_copy(X509_STORE *s, tk_fault *fault)
{
    X509_STORE *copy = X509_STORE_new();
    STACK_OF(X509_OBJECT) *objects;
    int i, ok = copy != NULL;

    tk_fault_begin();
    objects = open_objects(s);
    for (i = 0; ok && i < sk_X509_OBJECT_num(objects); i++)
        ok = add_object(copy, sk_X509_OBJECT_value(objects, i));
    close_objects(s, objects);
    if (!ok) {
        tk_fail(fault);
        X509_STORE_free(copy);
        return NULL;
    }
    return copy;
}

/* Take what was read, or nothing at all. */
static int add_all(X509_STORE *s, STACK_OF(X509_INFO) *read, int what)
{
    int i, count = 0;

    for (i = 0; i < sk_X509_INFO_num(read); i++) {
        X509_INFO *entry = sk_X509_INFO_value(read, i);
        if (entry->x509 != NULL && (what & TK_LOAD_CERTIFICATES)) {
            if (!X509_STORE_add_cert(s, entry->x509))
                return -1;
            count++;
        }
        if (entry->crl != NULL && (what & TK_LOAD_CRLS)) {
            if (!X509_STORE_add_crl(s, entry->crl))
                return -1;
            count++;
        }
    }
    return count;
}

int tk_trust_add_pem(X509_STORE *s, const void *pem, size_t size, int what, tk_fault *fault)
{
    STACK_OF(X509_INFO) *read = NULL;
    BIO *b = NULL;
    int count = TK_SSL;

    tk_fault_begin();
    if (size > INT_MAX || (b = BIO_new_mem_buf(pem, (int)size)) == NULL)
        goto out;
    if ((read = PEM_X509_INFO_read_bio(b, NULL, NULL, NULL)) == NULL) {
        ERR_raise(ERR_LIB_X509, ERR_R_PEM_LIB);
        goto out;
    }
    if ((count = add_all(s, read, what)) == 0)
        ERR_raise(ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
out:
    if (count <= 0)
        tk_fail(fault);
    sk_X509_INFO_pop_free(read, X509_INFO_free);
    BIO_free(b);
    return count;
}

int tk_trust_add_der(X509_STORE *s, const void *der, size_t size, tk_fault *fault)
{
    const unsigned char *p = der, *end = p + size;
    int count = 0;

    tk_fault_begin();
    while (p < end) {
        X509 *x = end - p > LONG_MAX ? NULL : d2i_X509(NULL, &p, (long)(end - p));
        int ok = x != NULL && X509_STORE_add_cert(s, x);
        X509_free(x);
        if (!ok) {
            tk_fail(fault);
            return count == 0 ? 0 : TK_SSL;
        }
        count++;
    }
    return count;
}

int tk_trust_add_directory(X509_STORE *s, const char *path, tk_fault *fault)
{
    tk_fault_begin();
    return X509_STORE_load_path(s, path) == 1 ? TK_DONE : tk_fail(fault);
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

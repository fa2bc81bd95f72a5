/* How a handshake finds certificates and CRLs in the directories and bundles that its context
   trusts: by the hash of a name, in the content that tk_directory.c or tk_bundle.c has read. */
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "tk_directory.h"
#include "tk_fault.h"
#include "tk_pem.h"

typedef struct {
    size_t count;
    tk_directory *directory[16];
} shelf; /* a store has one look-up of each kind: this is what it looks in */

static X509_LOOKUP_METHOD *method;

static STACK_OF(X509_INFO) *parse_pem(const tk_content *pem)
{
    BIO *b = tk_pem_without_keys(pem->data, pem->size);
    STACK_OF(X509_INFO) *found = b != NULL ? PEM_X509_INFO_read_bio(b, NULL, NULL, NULL) : NULL;

    BIO_free(b);
    return found;
}

static STACK_OF(X509_INFO) *parse_der(const tk_content *der)
{
    STACK_OF(X509_INFO) *found = sk_X509_INFO_new_null();
    X509_INFO *one = X509_INFO_new();
    const unsigned char *p = der->data;

    if (found != NULL && one != NULL && (one->x509 = d2i_X509(NULL, &p, (long)der->size)) != NULL &&
        sk_X509_INFO_push(found, one) > 0)
        return found;
    X509_INFO_free(one);
    sk_X509_INFO_free(found);
    return NULL;
}

static STACK_OF(X509_INFO) *parsed(tk_directory_entry *e)
{
    STACK_OF(X509_INFO) *found = tk_atomic_pointer(&e->parsed);
    void *before;

    if (found != NULL || e->content.size == 0)
        return found;
    found = e->der ? parse_der(&e->content) : parse_pem(&e->content);
    if (found != NULL && (before = tk_atomic_once(&e->parsed, found)) != NULL) {
        sk_X509_INFO_pop_free(found, X509_INFO_free); /* another thread was faster */
        found = before;
    }
    return found;
}

/* Put what is in a file into the store: whether it was what is looked for. */
static int take(X509_STORE *s, tk_directory_entry *e, const X509_NAME *name, X509_OBJECT *into)
{
    STACK_OF(X509_INFO) *found = parsed(e);
    int i, right = 0;

    for (i = 0; i < sk_X509_INFO_num(found); i++) {
        X509_INFO *one = sk_X509_INFO_value(found, i);
        if (!e->crl && one->x509 != NULL && X509_STORE_add_cert(s, one->x509) && into != NULL &&
            !right && X509_NAME_cmp(X509_get_subject_name(one->x509), name) == 0) {
            /* The caller takes a reference of its own: ours goes, and the entry's stays. */
            if ((right = X509_OBJECT_set1_X509(into, one->x509)))
                X509_free(one->x509);
        }
        if (e->crl && one->crl != NULL && X509_STORE_add_crl(s, one->crl) && into != NULL &&
            !right && X509_NAME_cmp(X509_CRL_get_issuer(one->crl), name) == 0) {
            if ((right = X509_OBJECT_set1_X509_CRL(into, one->crl)))
                X509_CRL_free(one->crl);
        }
    }
    return right;
}

static int look_in(tk_directory *d, X509_STORE *s, int crl, uint32_t hash, const X509_NAME *name,
                   X509_OBJECT *into)
{
    size_t low = 0, high = d->count;
    tk_directory_entry wanted = { .hash = hash, .crl = crl };
    uint32_t suffix = 0;
    int right = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tk_directory_compare(&d->entries[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < d->count && d->entries[low].hash == hash && d->entries[low].crl == crl &&
           d->entries[low].suffix == suffix; low++, suffix++) /* the first gap ends them */
        right |= take(s, &d->entries[low], name, right ? NULL : into);
    return right;
}

static int on_subject(X509_LOOKUP *l, X509_LOOKUP_TYPE type, const X509_NAME *name,
                      X509_OBJECT *into)
{
    shelf *all = X509_LOOKUP_get_method_data(l);
    size_t i;
    int ok = 0, right = 0;
    uint32_t hash = (uint32_t)X509_NAME_hash_ex(name, NULL, NULL, &ok);

    if (!ok || all == NULL || (type != X509_LU_X509 && type != X509_LU_CRL))
        return 0;
    ERR_set_mark();
    for (i = 0; i < all->count && !right; i++)
        right = look_in(all->directory[i], X509_LOOKUP_get_store(l), type == X509_LU_CRL, hash,
                        name, into);
    ERR_pop_to_mark();
    return right;
}

static void on_free(X509_LOOKUP *l)
{
    shelf *all = X509_LOOKUP_get_method_data(l);

    while (all != NULL && all->count > 0)
        tk_directory_free(all->directory[--all->count]);
    free(all);
}

int tk_by_dir_init(void)
{
    return (method = X509_LOOKUP_meth_new("a hashed directory in memory")) != NULL &&
           X509_LOOKUP_meth_set_free(method, on_free) &&
           X509_LOOKUP_meth_set_get_by_subject(method, on_subject);
}

int tk_trust_add_directory(X509_STORE *s, tk_directory *d, tk_fault *fault)
{
    X509_LOOKUP *l;
    shelf *all;

    tk_fault_begin();
    if (!d->whole || d->path[0] == '\0') /* the latter is an error, in libssl's words */
        return X509_STORE_load_path(s, d->path) == 1 ? TK_DONE : tk_fail(fault);
    if ((l = X509_STORE_add_lookup(s, method)) == NULL)
        return tk_fail(fault);
    if ((all = X509_LOOKUP_get_method_data(l)) == NULL) {
        if ((all = calloc(1, sizeof *all)) == NULL || !X509_LOOKUP_set_method_data(l, all)) {
            free(all);
            return tk_fail(fault);
        }
    }
    if (all->count == sizeof all->directory / sizeof *all->directory) {
        ERR_raise_data(ERR_LIB_X509, ERR_R_PASSED_INVALID_ARGUMENT, "more than 16 directories");
        return tk_fail(fault);
    }
    tk_atomic_add(&d->references, 1);
    all->directory[all->count++] = d;
    return TK_DONE;
}

int tk_trust_complete(X509_STORE *s, tk_directory *d, tk_fault *fault)
{
    size_t i;

    tk_fault_begin();
    for (i = 0; i < d->count; i++) {
        STACK_OF(X509_INFO) *found = parsed(&d->entries[i]);
        if (found == NULL || !X509_STORE_add_cert(s, sk_X509_INFO_value(found, 0)->x509))
            return tk_fail(fault);
    }
    return TK_DONE;
}

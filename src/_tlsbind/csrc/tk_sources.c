/* Certificates and keys from other sources than PEM files: DER, PKCS#12, and whatever OSSL_STORE
   opens by its URI (files, and tokens if a provider is loaded). */
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "tk_credential.h"
#include "tk_fault.h"

/* Certificates end to end. */
static int chain_from_der(tk_parts *parts, const void *der, size_t size)
{
    const unsigned char *p = der, *end = p + size;
    X509 *x;

    while (p < end) {
        x = end - p > LONG_MAX ? NULL : d2i_X509(NULL, &p, (long)(end - p));
        if (x == NULL || !tk_parts_add(parts, x))
            return 0;
    }
    return parts->leaf != NULL;
}

static int key_from_der(tk_parts *parts, const void *der, size_t size, tk_question *q)
{
    const unsigned char *p = der;
    BIO *b;

    ERR_set_mark();
    parts->key = size > LONG_MAX ? NULL : d2i_AutoPrivateKey(NULL, &p, (long)size);
    if (parts->key != NULL || (b = tk_bio_over(der, size)) == NULL) {
        ERR_pop_to_mark();
        return parts->key != NULL;
    }
    ERR_pop_to_mark();
    parts->key = d2i_PKCS8PrivateKey_bio(b, NULL, tk_question_answer, q);
    BIO_free(b);
    return parts->key != NULL;
}

static int from_pkcs12(tk_parts *parts, const void *der, size_t size, tk_question *q)
{
    char password[PEM_BUFSIZE + 1] = ""; /* PKCS12_parse wants it to end with NUL */
    STACK_OF(X509) *above = NULL;
    PKCS12 *p12 = NULL;
    X509 *x;
    BIO *b = tk_bio_over(der, size);
    int ok;

    ok = b != NULL && (p12 = d2i_PKCS12_bio(b, NULL)) != NULL;
    if (ok && q->size < 0 && !PKCS12_verify_mac(p12, NULL, 0) && !PKCS12_verify_mac(p12, "", 0)) {
        q->asked = 1; /* nothing else tells that a password is wanted */
        ok = 0;
    }
    if (ok && q->size >= 0)
        ok = tk_question_answer(password, PEM_BUFSIZE, 0, q) >= 0;
    ok = ok && PKCS12_parse(p12, q->size < 0 ? NULL : password, &parts->key, &parts->leaf, &above);
    OPENSSL_cleanse(password, sizeof password);
    while (ok && (x = sk_X509_shift(above)) != NULL)
        ok = tk_parts_add(parts, x);
    ok = ok && tk_parts_order(parts);
    sk_X509_pop_free(above, X509_free);
    PKCS12_free(p12);
    BIO_free(b);
    return ok;
}

/* What a URI leads to: the first private key, its certificate, and that certificate's chain. */
static int from_uri(tk_parts *parts, const char *uri, tk_question *q)
{
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(tk_question_answer, 0);
    OSSL_STORE_CTX *store = ui != NULL ? OSSL_STORE_open(uri, ui, q, NULL, NULL) : NULL;
    int ok = store != NULL;

    while (ok && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *found = OSSL_STORE_load(store);
        if (found == NULL) {
            ok = OSSL_STORE_eof(store) || !OSSL_STORE_error(store); /* the end is an error too */
            continue;
        }
        if (OSSL_STORE_INFO_get_type(found) == OSSL_STORE_INFO_CERT)
            ok = tk_parts_add(parts, OSSL_STORE_INFO_get1_CERT(found));
        else if (OSSL_STORE_INFO_get_type(found) == OSSL_STORE_INFO_PKEY && parts->key == NULL)
            ok = (parts->key = OSSL_STORE_INFO_get1_PKEY(found)) != NULL;
        OSSL_STORE_INFO_free(found);
    }
    ok = ok && tk_parts_order(parts);
    OSSL_STORE_close(store);
    UI_destroy_method(ui);
    return ok;
}

static int read_chain(tk_parts *parts, int form, const void *data, size_t size, tk_question *q)
{
    switch (form) {
    case TK_FORM_DER:
        return chain_from_der(parts, data, size);
    case TK_FORM_PKCS12:
        return from_pkcs12(parts, data, size, q);
    case TK_FORM_URI:
        return from_uri(parts, data, q);
    default:
        return tk_parts_chain(parts, data, size, q);
    }
}

static int read_key(tk_parts *parts, int form, const void *data, size_t size, tk_question *q)
{
    tk_parts other = { 0 };
    int ok;

    if (form == TK_FORM_DER)
        return key_from_der(parts, data, size, q);
    if (form != TK_FORM_URI)
        return tk_parts_key(parts, data, size, q);
    ok = from_uri(&other, data, q) && other.key != NULL;
    parts->key = other.key;
    other.key = NULL;
    tk_parts_clear(&other);
    return ok;
}

int tk_credential_from(const tk_source *chain, const tk_source *key, const void *password,
                       int64_t password_size, tk_credential **out, tk_fault *fault)
{
    tk_question q = { .password = password, .size = password_size };
    tk_parts parts = { 0 };
    int ok;

    tk_fault_begin();
    ok = read_chain(&parts, chain->form, chain->data, chain->size, &q);
    if (ok && key->data != NULL) {
        EVP_PKEY_free(parts.key); /* what stood beside the chain is not what was asked for */
        parts.key = NULL;
        ok = read_key(&parts, key->form, key->data, key->size, &q);
    }
    return tk_credential_make(&parts, ok, &q, out, fault);
}

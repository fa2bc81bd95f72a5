/* The parts of a credential, as they are read: a leaf, a key, and other certificates. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tk_credential.h"
#include "tk_pem.h"

int tk_question_answer(char *into, int room, int writing, void *argument)
{
    tk_question *q = argument;

    (void)writing;
    q->asked = 1;
    if (q->size < 0)
        return -1;
    if (q->size > room) {
        q->too_long = 1;
        return -1;
    }
    memcpy(into, q->password, (size_t)q->size);
    return (int)q->size;
}

static X509 *read_chain(const void *pem, size_t size, tk_question *q, STACK_OF(X509) *chain)
{
    BIO *b = tk_pem_without_keys(pem, size);
    X509 *leaf = b != NULL ? PEM_read_bio_X509_AUX(b, NULL, tk_question_answer, q) : NULL, *x;
    unsigned long last;

    while (leaf != NULL && (x = PEM_read_bio_X509(b, NULL, tk_question_answer, q)) != NULL)
        if (!sk_X509_push(chain, x)) {
            X509_free(x);
            break;
        }
    BIO_free(b);
    last = ERR_peek_last_error();
    if (leaf != NULL && last != 0 && ERR_GET_LIB(last) == ERR_LIB_PEM &&
        ERR_GET_REASON(last) == PEM_R_NO_START_LINE) {
        ERR_clear_error(); /* the end of the file, and not more than that */
    } else if (leaf == NULL) {
        ERR_raise(ERR_LIB_SSL, ERR_R_PEM_LIB);
    } else if (last != 0) {
        X509_free(leaf);
        leaf = NULL;
    }
    return leaf;
}

static EVP_PKEY *read_key(const void *pem, size_t size, tk_question *q)
{
    EVP_PKEY *key = tk_pem_plain_key(pem, size);
    BIO *b;

    if (key != NULL)
        return key;
    b = tk_bio_over(pem, size);
    key = b != NULL ? PEM_read_bio_PrivateKey(b, NULL, tk_question_answer, q) : NULL;
    if (key == NULL && !q->too_long && !(q->asked && q->size < 0))
        ERR_raise(ERR_LIB_SSL, ERR_R_PEM_LIB);
    BIO_free(b);
    return key;
}

int tk_parts_add(tk_parts *parts, X509 *x)
{
    if (x != NULL && parts->leaf == NULL) {
        parts->leaf = x;
        return 1;
    }
    if (x != NULL && (parts->chain != NULL || (parts->chain = sk_X509_new_null()) != NULL) &&
        sk_X509_push(parts->chain, x) > 0)
        return 1;
    X509_free(x);
    return 0;
}

int tk_parts_chain(tk_parts *parts, const void *pem, size_t size, tk_question *q)
{
    if (parts->chain == NULL && (parts->chain = sk_X509_new_null()) == NULL)
        return 0;
    parts->leaf = read_chain(pem, size, q, parts->chain);
    return parts->leaf != NULL;
}

int tk_parts_key(tk_parts *parts, const void *pem, size_t size, tk_question *q)
{
    parts->key = read_key(pem, size, q);
    return parts->key != NULL;
}

/* Make this one the leaf, and what was the leaf one of the others. */
static void put_first(tk_parts *parts, int i)
{
    X509 *x = sk_X509_value(parts->chain, i);

    sk_X509_set(parts->chain, i, parts->leaf);
    parts->leaf = x;
}

static void find_leaf(tk_parts *parts)
{
    int i;

    ERR_set_mark();
    if (parts->key != NULL && X509_check_private_key(parts->leaf, parts->key) != 1)
        for (i = 0; i < sk_X509_num(parts->chain); i++)
            if (X509_check_private_key(sk_X509_value(parts->chain, i), parts->key) == 1) {
                put_first(parts, i);
                break;
            }
    ERR_pop_to_mark();
}

/* Take the issuer of this certificate out of the others; NULL if it is not there. */
static X509 *take_issuer(STACK_OF(X509) *others, X509 *x)
{
    int i;

    if (X509_check_issued(x, x) == X509_V_OK)
        return NULL;
    for (i = 0; i < sk_X509_num(others); i++)
        if (X509_check_issued(sk_X509_value(others, i), x) == X509_V_OK)
            return sk_X509_delete(others, i);
    return NULL;
}

int tk_parts_order(tk_parts *parts)
{
    STACK_OF(X509) *others = parts->chain;
    X509 *x;
    int ok = 1;

    if (parts->leaf == NULL || others == NULL)
        return 1;
    find_leaf(parts);
    parts->chain = NULL;
    for (x = parts->leaf; ok && (x = take_issuer(others, x)) != NULL;)
        ok = tk_parts_add(parts, x);
    sk_X509_pop_free(others, X509_free);
    return ok;
}

void tk_parts_clear(tk_parts *parts)
{
    sk_X509_pop_free(parts->chain, X509_free);
    X509_free(parts->leaf);
    EVP_PKEY_free(parts->key);
    memset(parts, 0, sizeof *parts);
}

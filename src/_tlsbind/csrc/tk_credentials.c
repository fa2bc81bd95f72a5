/* A context's own certificate, chain and private key: read whole, checked against each other, and
   then put in at once. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tk_fault.h"
#include "tk_mark.h"

typedef struct {
    const char *password;
    int64_t size; /* -1: none was given */
    int asked, too_long;
} question;

static int on_password(char *into, int room, int writing, void *argument)
{
    question *q = argument;

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

static BIO *over(const void *data, size_t size)
{
    return size > INT_MAX ? NULL : BIO_new_mem_buf(data, (int)size);
}

static X509 *read_chain(const void *pem, size_t size, question *q, STACK_OF(X509) *chain)
{
    BIO *b = over(pem, size);
    X509 *leaf = b != NULL ? PEM_read_bio_X509_AUX(b, NULL, on_password, q) : NULL, *x;
    unsigned long last;

    while (leaf != NULL && (x = PEM_read_bio_X509(b, NULL, on_password, q)) != NULL)
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

static EVP_PKEY *read_key(const void *pem, size_t size, question *q)
{
    BIO *b = over(pem, size);
    EVP_PKEY *key = b != NULL ? PEM_read_bio_PrivateKey(b, NULL, on_password, q) : NULL;

    if (key == NULL && !q->too_long && !(q->asked && q->size < 0))
        ERR_raise(ERR_LIB_SSL, ERR_R_PEM_LIB);
    BIO_free(b);
    return key;
}

int tk_ctx_use_chain(tk_ctx *c, const void *pem, size_t pem_size, const void *key_pem,
                     size_t key_size, const void *password, int64_t password_size, tk_fault *fault)
{
    question q = { .password = password, .size = password_size };
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *leaf = NULL;
    EVP_PKEY *key = NULL;
    int status = TK_SSL;

    tk_fault_begin();
    if (chain == NULL || (leaf = read_chain(pem, pem_size, &q, chain)) == NULL ||
        (key = read_key(key_pem, key_size, &q)) == NULL)
        goto out;
    if (X509_check_purpose(leaf, -1, 0) != 1) { /* an extension that cannot be read */
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_EXTENSION);
        goto out;
    }
    /* Without a chain of its own, libssl completes it from the authorities that the context
       trusts. */
    if (X509_check_private_key(leaf, key) == 1 &&
        SSL_CTX_use_cert_and_key(c->ctx, leaf, key, sk_X509_num(chain) > 0 ? chain : NULL, 1) == 1)
        status = TK_DONE;
    if (status == TK_DONE)
        tk_ctx_identify(c, leaf);
out:
    if (status != TK_DONE && q.too_long)
        status = TK_PASSWORD_LONG;
    else if (status != TK_DONE && q.asked && q.size < 0)
        status = TK_PASSWORD;
    if (status == TK_SSL)
        tk_fail(fault);
    ERR_clear_error();
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return status;
}

void tk_ctx_certificate(tk_ctx *c, tk_records *out)
{
    X509 *x = SSL_CTX_get0_certificate(c->ctx);

    if (x != NULL)
        tk_x509_der(x, out);
}

int tk_ctx_set_dh(tk_ctx *c, const void *pem, size_t size, tk_fault *fault)
{
    BIO *b;
    EVP_PKEY *parameters;
    int ok;

    tk_fault_begin();
    b = over(pem, size);
    parameters = b != NULL ? PEM_read_bio_Parameters(b, NULL) : NULL;
    BIO_free(b);
    if (parameters == NULL) /* the decoders' own words are of no help */
        ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    ok = parameters != NULL && SSL_CTX_set0_tmp_dh_pkey(c->ctx, parameters);
    if (!ok) {
        tk_fail(fault);
        EVP_PKEY_free(parameters);
    }
    return ok ? TK_DONE : TK_SSL;
}

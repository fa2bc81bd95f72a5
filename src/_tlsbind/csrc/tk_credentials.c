/* A certificate, its chain and its private key: read whole and checked against each other, once;
   then put into a context, and into its next states, at once. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tk_fault.h"
#include "tk_ctx.h"

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

struct tk_credential {
    int32_t references;
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) *chain;
    tk_credential_facts facts;
};

/* Stands for the names in a certificate: a new one for the same names is the same identity. */
static int digest_names(X509 *x, uint8_t *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    uint8_t *der = NULL;
    int size = names != NULL ? i2d_GENERAL_NAMES(names, &der) : 0;
    int ok;

    if (size > 0)
        ok = EVP_Digest(der, (size_t)size, out, NULL, EVP_sha256(), NULL);
    else
        ok = X509_NAME_digest(X509_get_subject_name(x), EVP_sha256(), out, NULL);
    OPENSSL_free(der);
    GENERAL_NAMES_free(names);
    return ok;
}

static int note_facts(tk_credential *k)
{
    uint8_t parts[3][32];
    const char *kind = EVP_PKEY_get0_type_name(k->key);

    if (!digest_names(k->leaf, k->facts.names) &&
        !X509_digest(k->leaf, EVP_sha256(), k->facts.names, NULL))
        return 0;
    ERR_clear_error();
    memcpy(parts[0], k->facts.names, sizeof parts[0]);
    if (!X509_NAME_digest(X509_get_subject_name(k->leaf), EVP_sha256(), parts[1], NULL) ||
        !X509_NAME_digest(X509_get_issuer_name(k->leaf), EVP_sha256(), parts[2], NULL) ||
        !EVP_Digest(parts, sizeof parts, k->facts.subject, NULL, EVP_sha256(), NULL))
        return 0;
    if (kind != NULL)
        strncpy(k->facts.kind, kind, sizeof k->facts.kind - 1);
    return 1;
}

void tk_credential_free(tk_credential *k)
{
    if (k == NULL || tk_atomic_add(&k->references, -1) > 0)
        return;
    sk_X509_pop_free(k->chain, X509_free);
    X509_free(k->leaf);
    EVP_PKEY_free(k->key);
    free(k);
}

int tk_credential_new(const void *pem, size_t pem_size, const void *key_pem, size_t key_size,
                      const void *password, int64_t password_size, tk_credential **out,
                      tk_fault *fault)
{
    question q = { .password = password, .size = password_size };
    tk_credential *k = calloc(1, sizeof *k);
    int status = TK_SSL;

    tk_fault_begin();
    if (k == NULL || (k->chain = sk_X509_new_null()) == NULL ||
        (k->leaf = read_chain(pem, pem_size, &q, k->chain)) == NULL ||
        (k->key = read_key(key_pem, key_size, &q)) == NULL)
        goto out;
    if (X509_check_purpose(k->leaf, -1, 0) != 1) { /* an extension that cannot be read */
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_EXTENSION);
        goto out;
    }
    if (X509_check_private_key(k->leaf, k->key) == 1 && note_facts(k))
        status = TK_DONE;
out:
    if (status != TK_DONE && q.too_long)
        status = TK_PASSWORD_LONG;
    else if (status != TK_DONE && q.asked && q.size < 0)
        status = TK_PASSWORD;
    if (status == TK_SSL)
        tk_fail(fault);
    ERR_clear_error();
    if (k != NULL)
        k->references = 1;
    if (status != TK_DONE) {
        tk_credential_free(k);
        k = NULL;
    }
    *out = k;
    return status;
}

void tk_credential_facts_of(tk_credential *k, tk_credential_facts *out) { *out = k->facts; }

void tk_credential_chain(tk_credential *k, tk_records *out)
{
    int i;

    tk_x509_der(k->leaf, out);
    for (i = 0; i < sk_X509_num(k->chain); i++)
        tk_x509_der(sk_X509_value(k->chain, i), out);
}

/* The level that a context had when it took this, while it takes it again. */
static int begin_accepted(tk_ctx *c, int accepted)
{
    int level = SSL_CTX_get_security_level(c->ctx);

    if (accepted)
        SSL_CTX_set_security_level(c->ctx, 0);
    return level;
}

int tk_ctx_use(tk_ctx *c, tk_credential *k, int accepted, tk_fault *fault)
{
    /* Without a chain of its own, libssl completes it from the authorities that the context
       trusts. */
    STACK_OF(X509) *chain = sk_X509_num(k->chain) > 0 ? k->chain : NULL;
    int level, ok;

    tk_fault_begin();
    level = begin_accepted(c, accepted);
    ok = SSL_CTX_use_cert_and_key(c->ctx, k->leaf, k->key, chain, 1) == 1;
    SSL_CTX_set_security_level(c->ctx, level);
    if (!ok)
        return tk_fail(fault);
    memcpy(c->names, k->facts.names, sizeof c->names);
    return TK_DONE;
}

void tk_ctx_certificate(tk_ctx *c, tk_records *out)
{
    X509 *x = SSL_CTX_get0_certificate(c->ctx);

    if (x != NULL)
        tk_x509_der(x, out);
}

int tk_ctx_set_dh(tk_ctx *c, const void *pem, size_t size, int accepted, tk_fault *fault)
{
    BIO *b;
    EVP_PKEY *parameters;
    int ok, level;

    tk_fault_begin();
    b = over(pem, size);
    parameters = b != NULL ? PEM_read_bio_Parameters(b, NULL) : NULL;
    BIO_free(b);
    if (parameters == NULL) /* the decoders' own words are of no help */
        ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    level = begin_accepted(c, accepted);
    ok = parameters != NULL && SSL_CTX_set0_tmp_dh_pkey(c->ctx, parameters);
    SSL_CTX_set_security_level(c->ctx, level);
    if (!ok) {
        tk_fail(fault);
        EVP_PKEY_free(parameters);
    }
    return ok ? TK_DONE : TK_SSL;
}

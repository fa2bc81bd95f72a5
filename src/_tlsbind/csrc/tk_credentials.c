/* A certificate, its chain and its private key: parsed as a whole and checked against each other
   once, and then quickly added to a context, and to its next states. */
#include <openssl/x509v3.h>

#include "tk_credential.h"
#include "tk_ctx.h"
#include "tk_fault.h"

struct tk_credential {
    int32_t references;
    tk_parts parts;
    tk_credential_facts facts;
};

/* Shorter encodings first: any order will do that depends on nothing but the names. */
static int compare_names(const GENERAL_NAME *const *a, const GENERAL_NAME *const *b)
{
    unsigned char *one = NULL, *other = NULL;
    int size = i2d_GENERAL_NAME((GENERAL_NAME *)*a, &one), difference;

    difference = size - i2d_GENERAL_NAME((GENERAL_NAME *)*b, &other);
    if (difference == 0 && size > 0)
        difference = memcmp(one, other, (size_t)size);
    OPENSSL_free(one);
    OPENSSL_free(other);
    return difference;
}

/* Stands for the names in a certificate: a new one for the same names is the same identity, in
   whatever order an authority has put them. */
static int digest_names(X509 *x, uint8_t *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    uint8_t *der = NULL;
    int size, ok;

    if (names != NULL) {
        sk_GENERAL_NAME_set_cmp_func(names, compare_names);
        sk_GENERAL_NAME_sort(names);
    }
    size = names != NULL ? i2d_GENERAL_NAMES(names, &der) : 0;

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
    const char *kind = EVP_PKEY_get0_type_name(k->parts.key);

    if (!digest_names(k->parts.leaf, k->facts.names) &&
        !X509_digest(k->parts.leaf, EVP_sha256(), k->facts.names, NULL))
        return 0;
    ERR_clear_error();
    memcpy(parts[0], k->facts.names, sizeof parts[0]);
    if (!X509_NAME_digest(X509_get_subject_name(k->parts.leaf), EVP_sha256(), parts[1], NULL) ||
        !X509_NAME_digest(X509_get_issuer_name(k->parts.leaf), EVP_sha256(), parts[2], NULL) ||
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
    tk_parts_clear(&k->parts);
    free(k);
}

static int belong_together(const tk_parts *parts)
{
    if (parts->leaf == NULL || parts->key == NULL) {
        ERR_raise(ERR_LIB_SSL, parts->leaf == NULL ? SSL_R_NO_CERTIFICATE_ASSIGNED
                                                   : SSL_R_NO_PRIVATE_KEY_ASSIGNED);
        return 0;
    }
    if (X509_check_purpose(parts->leaf, -1, 0) != 1) { /* an extension that cannot be read */
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_EXTENSION);
        return 0;
    }
    return X509_check_private_key(parts->leaf, parts->key) == 1;
}

int tk_credential_make(tk_parts *parts, int ok, tk_question *q, tk_credential **out,
                       tk_fault *fault)
{
    tk_credential *k = ok && belong_together(parts) ? calloc(1, sizeof *k) : NULL;
    int status = TK_SSL, unread = !ok && parts->key == NULL;

    if (k != NULL) {
        k->references = 1;
        k->parts = *parts;
        memset(parts, 0, sizeof *parts);
        status = note_facts(k) ? TK_DONE : TK_SSL;
    }
    if (status != TK_DONE && q->too_long)
        status = TK_PASSWORD_LONG;
    else if (status != TK_DONE && q->asked && q->size < 0)
        status = TK_PASSWORD;
    if (status == TK_SSL) {
        tk_fail(fault);
        status = q->asked && unread ? TK_PASSWORD_WRONG : TK_SSL;
    }
    ERR_clear_error();
    if (status != TK_DONE) {
        tk_credential_free(k);
        k = NULL;
    }
    tk_parts_clear(parts);
    *out = k;
    return status;
}

void tk_credential_facts_of(tk_credential *k, tk_credential_facts *out) { *out = k->facts; }

void tk_credential_chain(tk_credential *k, tk_records *out)
{
    int i;

    tk_x509_der(k->parts.leaf, out);
    for (i = 0; i < sk_X509_num(k->parts.chain); i++)
        tk_x509_der(sk_X509_value(k->parts.chain, i), out);
}

int32_t tk_credential_unsigned(tk_credential *k)
{
    int32_t i, found = -1;

    ERR_set_mark();
    for (i = 0; found < 0 && i < sk_X509_num(k->parts.chain); i++) {
        X509 *x = i == 0 ? k->parts.leaf : sk_X509_value(k->parts.chain, i - 1);
        EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(k->parts.chain, i));
        if (key == NULL || X509_verify(x, key) != 1)
            found = i;
    }
    ERR_pop_to_mark();
    return found;
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
    STACK_OF(X509) *chain = sk_X509_num(k->parts.chain) > 0 ? k->parts.chain : NULL;
    int level, ok;

    tk_fault_begin();
    level = begin_accepted(c, accepted);
    ok = SSL_CTX_use_cert_and_key(c->ctx, k->parts.leaf, k->parts.key, chain, 1) == 1;
    SSL_CTX_set_security_level(c->ctx, level);
    if (!ok)
        return tk_fail(fault);
    memcpy(c->names, k->facts.names, sizeof c->names);
    return TK_DONE;
}

int tk_credential_show(tk_credential *k, SSL *ssl)
{
    STACK_OF(X509) *chain = sk_X509_num(k->parts.chain) > 0 ? k->parts.chain : NULL;

    return SSL_use_cert_and_key(ssl, k->parts.leaf, k->parts.key, chain, 1) == 1;
}

void tk_ctx_certificate(tk_ctx *c, tk_records *out)
{
    X509 *x = SSL_CTX_get0_certificate(c->ctx);

    if (x != NULL)
        tk_x509_der(x, out);
}

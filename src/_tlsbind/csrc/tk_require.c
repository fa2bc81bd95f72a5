/* Pins, names, Python's verdict on a chain, and the names of authorities. All are checked once the
   chain has passed, because it is complete then. */
#include <openssl/x509v3.h>

#include "tk_require.h"
#include "tk_door.h"
#include "tk_fault.h"
#include "tk_hash.h"
#include "tk_explain.h"

enum { DIGEST = 32 };

static int replace(uint8_t **list, size_t *list_size, const void *with, size_t size)
{
    uint8_t *copy = size > 0 ? malloc(size) : NULL;

    if (size > 0 && copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, with, size);
    free(*list);
    *list = copy;
    *list_size = size;
    return 1;
}

int tk_ctx_set_pins(tk_ctx *c, const void *digests, size_t size)
{
    return replace(&c->pins, &c->pins_size, digests, size);
}

int tk_ctx_set_ca_names(tk_ctx *c, const void *der, size_t size, tk_fault *fault)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    const unsigned char *p = der, *end = p + size;
    X509 *x;
    int ok = names != NULL;

    tk_fault_begin();
    while (ok && p < end) {
        X509_NAME *name = NULL;
        x = end - p > LONG_MAX ? NULL : d2i_X509(NULL, &p, (long)(end - p));
        ok = x != NULL && (name = X509_NAME_dup(X509_get_subject_name(x))) != NULL &&
             sk_X509_NAME_push(names, name) > 0;
        if (!ok)
            X509_NAME_free(name);
        X509_free(x);
    }
    if (!ok) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tk_fail(fault);
    }
    SSL_CTX_set_client_CA_list(c->ctx, names);
    return TK_DONE;
}

static int is_pinned(const tk_ctx *x, const uint8_t *digest)
{
    size_t i;

    for (i = 0; i < x->pins_size; i += DIGEST)
        if (memcmp(x->pins + i, digest, DIGEST) == 0)
            return 1;
    return 0;
}

static int has_pinned(const tk_ctx *x, X509 *one)
{
    uint8_t digest[DIGEST], *spki = NULL;
    int size, found;

    if (X509_digest(one, EVP_sha256(), digest, NULL) && is_pinned(x, digest))
        return 1;
    size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(one), &spki);
    found = size > 0 && tk_sha256(spki, (size_t)size, digest) && is_pinned(x, digest);
    OPENSSL_free(spki);
    return found;
}

int tk_require_pins(const tk_ctx *x, STACK_OF(X509) *chain)
{
    int i;

    if (x == NULL || x->pins_size == 0)
        return 1;
    for (i = 0; i < sk_X509_num(chain); i++)
        if (has_pinned(x, sk_X509_value(chain, i)))
            return 1;
    return 0;
}

/* ---- names ---- */

int tk_ctx_set_verify_names(tk_ctx *c, const void *names, size_t size)
{
    return replace(&c->names_wanted, &c->names_wanted_size, names, size);
}

int tk_require_names(const tk_ctx *x, SSL *ssl, X509 *leaf, char **matched)
{
    unsigned int flags = X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ssl));
    int code = X509_V_ERR_HOSTNAME_MISMATCH;
    size_t at, size;

    if (x == NULL || x->names_wanted_size == 0)
        return X509_V_OK;
    if (leaf == NULL)
        return code;
    for (at = 0; at + 2 <= x->names_wanted_size; at += 2 + size) {
        const uint8_t *name = x->names_wanted + at + 2;
        size = x->names_wanted[at + 1];
        if (x->names_wanted[at] == TK_VERIFY_HOST
                ? X509_check_host(leaf, (const char *)name, size, flags, matched) == 1
                : X509_check_ip(leaf, name, size, 0) == 1)
            return X509_V_OK;
    }
    return code;
}

/* ---- what Python says ---- */

/* A chain in DER, end to end; NULL: no memory. */
static uint8_t *joined(STACK_OF(X509) *chain, size_t *size)
{
    uint8_t *all, *end;
    size_t total = 0;
    int i, one;

    for (i = 0; i < sk_X509_num(chain); i++) {
        if ((one = i2d_X509(sk_X509_value(chain, i), NULL)) <= 0)
            return NULL;
        total += (size_t)one;
    }
    if ((all = end = malloc(total + 1)) == NULL)
        return NULL;
    for (i = 0; i < sk_X509_num(chain); i++)
        (void)i2d_X509(sk_X509_value(chain, i), &end);
    *size = total;
    return all;
}

int tk_require_asked(X509_STORE_CTX *v, tk_conn *c)
{
    uint8_t *chain;
    size_t size = 0;
    int answer = 0, error;

    chain = joined(X509_STORE_CTX_get0_chain(v), &size);
    if (chain != NULL && c->handle != NULL) {
        error = tk_door_open(c, TK_DOOR_VERIFY);
        answer = tk_py_verify(c->handle, chain, size);
        tk_door_close(c, error);
    }
    free(chain);
    if (answer != 1 && (answer != TK_VERIFY_LATER || SSL_is_server(c->ssl))) {
        tk_require_refused(v, c);
        answer = 0;
    }
    return answer;
}

void tk_require_refused(X509_STORE_CTX *v, tk_conn *c)
{
    X509_STORE_CTX_set_error(v, X509_V_ERR_APPLICATION_VERIFICATION);
    X509_STORE_CTX_set_error_depth(v, 0);
    X509_STORE_CTX_set_current_cert(v, X509_STORE_CTX_get0_cert(v));
    tk_explain_refused(c, v);
}

/* Channel bindings and exported keys, which bind other protocols to TLS. */
#include "tk_lock.h"
#include "tk_fault.h"
#include "tk_result.h"

int tk_conn_export(tk_conn *c, const char *label, size_t label_size, const void *context,
                   size_t context_size, void *into, size_t size, tk_fault *fault)
{
    int ok;

    tk_conn_lock(c);
    if (tk_result_earlier(c) != NULL) { /* libssl would mix the keys of two handshakes */
        tk_conn_unlock(c);
        return TK_WANT_READ;
    }
    tk_fault_begin();
    ok = SSL_export_keying_material(c->ssl, into, size, label, label_size, context, context_size,
                                    context != NULL);
    if (ok != 1)
        tk_fail(fault);
    tk_conn_unlock(c);
    return ok == 1 ? TK_DONE : TK_SSL;
}

int tk_conn_random(tk_conn *c, int server, void *into)
{
    size_t n;

    tk_conn_lock(c);
    n = server ? SSL_get_server_random(c->ssl, into, SSL3_RANDOM_SIZE)
               : SSL_get_client_random(c->ssl, into, SSL3_RANDOM_SIZE);
    tk_conn_unlock(c);
    return (int)n;
}

/* The digest in the signature's algorithm, which for RSA-PSS stands in its parameters. */
static const EVP_MD *end_point_digest(X509 *x)
{
    int digest = NID_undef;

    if (!X509_get_signature_info(x, &digest, NULL, NULL, NULL) || digest == NID_undef)
        return NULL;
    if (digest == NID_md5 || digest == NID_sha1)
        return EVP_sha256();
    return EVP_get_digestbynid(digest);
}

int tk_x509_end_point(X509 *x, void *into)
{
    const EVP_MD *digest;
    unsigned int size = 0;

    ERR_set_mark();
    digest = end_point_digest(x);
    if (digest == NULL || EVP_MD_get_size(digest) > 64 || !X509_digest(x, digest, into, &size))
        size = 0;
    ERR_pop_to_mark();
    return (int)size;
}

void tk_conn_own(tk_conn *c, tk_records *out)
{
    X509 *x;

    tk_conn_lock(c);
    if ((x = SSL_get_certificate(c->ssl)) != NULL)
        tk_x509_der(x, out);
    tk_conn_unlock(c);
}

/* Parameters for finite-field Diffie-Hellman. */
#include <openssl/pem.h>

#include "tk_ctx.h"
#include "tk_fault.h"

int tk_ctx_set_dh(tk_ctx *c, const void *pem, size_t size, int accepted, tk_fault *fault)
{
    int ok, level = SSL_CTX_get_security_level(c->ctx);
    EVP_PKEY *parameters;
    BIO *b;

    tk_fault_begin();
    b = tk_bio_over(pem, size);
    parameters = b != NULL ? PEM_read_bio_Parameters(b, NULL) : NULL;
    BIO_free(b);
    if (parameters == NULL) /* the decoders' own words are of no help */
        ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    if (accepted) /* by the level that the context had when it took them */
        SSL_CTX_set_security_level(c->ctx, 0);
    ok = parameters != NULL && SSL_CTX_set0_tmp_dh_pkey(c->ctx, parameters);
    SSL_CTX_set_security_level(c->ctx, level);
    if (!ok) {
        tk_fail(fault);
        EVP_PKEY_free(parameters);
    }
    return ok ? TK_DONE : TK_SSL;
}

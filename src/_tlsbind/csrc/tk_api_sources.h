/* Certificates and keys from other sources than PEM files. */

enum { TK_FORM_PEM = 0, TK_FORM_DER = 1, TK_FORM_PKCS12 = 2, TK_FORM_URI = 3 };

typedef struct {
    int32_t form;
    const void *data; /* of a URI: text that ends with NUL; NULL: it comes with the other source */
    size_t size;
} tk_source;

/* A password_size of -1: none is given. TK_DONE, or TK_PASSWORD, TK_PASSWORD_LONG,
   TK_PASSWORD_WRONG, TK_SSL. */
int tk_credential_from(const tk_source *chain, const tk_source *key, const void *password,
                       int64_t password_size, tk_credential **out, tk_fault *fault);

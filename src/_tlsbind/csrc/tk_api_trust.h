/* The border, as tk_api.h: whom to trust, an X509_STORE. */

enum { TK_LOAD_CERTIFICATES = 1, TK_LOAD_CRLS = 2 };

X509_STORE *tk_trust_new(void);
void tk_trust_free(X509_STORE *s);
X509_STORE *tk_trust_copy(X509_STORE *s, tk_fault *fault); /* the objects, not the look-ups */
/* how many there were; 0 is a failure too */
int tk_trust_add_pem(X509_STORE *s, const void *pem, size_t size, int what, tk_fault *fault);
/* certificates, end to end */
int tk_trust_add_der(X509_STORE *s, const void *der, size_t size, tk_fault *fault);
int tk_trust_add_directory(X509_STORE *s, const char *path, tk_fault *fault);
void tk_trust_count(X509_STORE *s, int32_t *certificates, int32_t *crls, int32_t *authorities);
void tk_trust_authorities(X509_STORE *s, tk_records *out); /* DER of each CA certificate */

/* Part of the border (tk_api.h): trusted certificates, an X509_STORE. */

typedef struct tk_directory tk_directory; /* a hashed directory, as it was when it was read */

X509_STORE *tk_trust_new(void);
void tk_trust_free(X509_STORE *s);
/* Put the certificates and CRLs of one store into another, by reference; CRLs that a newer one of
   the same issuer replaces stay behind. How many such CRLs `to` holds now, or TK_SSL. */
int tk_trust_merge(X509_STORE *to, X509_STORE *more, tk_fault *fault);
/* certificates and CRLs; returns their number; 0 is also a failure */
int tk_trust_add_pem(X509_STORE *s, const void *pem, size_t size, tk_fault *fault);
/* the same, in concatenated DER */
int tk_trust_add_der(X509_STORE *s, const void *der, size_t size, tk_fault *fault);
int tk_trust_add_directory(X509_STORE *s, tk_directory *d, tk_fault *fault);
/* and all the certificates in it, not only those that are searched for */
int tk_trust_complete(X509_STORE *s, tk_directory *d, tk_fault *fault);
void tk_trust_count(X509_STORE *s, int32_t *certificates, int32_t *crls, int32_t *authorities);
/* the first CRL in it that is not in force: its dates, as in tk_x509_fields, and its issuer */
void tk_trust_stale_crl(X509_STORE *s, tk_records *out);
void tk_trust_authorities(X509_STORE *s, tk_records *out); /* each CA certificate in DER */
int tk_trust_digest(X509_STORE *s, void *into); /* 32 bytes for its content, in any order */
void tk_distrust_digest(void *into);            /* 32 bytes for the distrusted keys */

tk_directory *tk_directory_read(const char *path, tk_fault *fault); /* NULL: no memory */
/* The many certificates of a file in PEM, which are parsed when they are searched for. NULL: it has
   few, or anything else in it, or a mistake: add it as a whole. */
tk_directory *tk_bundle_read(const void *pem, size_t size);
void tk_directory_free(tk_directory *d); /* drops one reference */
void tk_directory_digest(tk_directory *d, void *into); /* 32 bytes for what it holds */
int tk_directory_doubtful(tk_directory *d); /* it may have changed: read it again */

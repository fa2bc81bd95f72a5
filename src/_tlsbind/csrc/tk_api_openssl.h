/* The data for a bug report: tk_openssl.c, tk_configuration.c. */

/* pairs of a name (tag 0) and a value (tag 1): OpenSSL's version, its files, how it was built */
void tk_openssl_library(tk_records *out);
/* triples for each loaded provider: name, version, build (tags 0, 1, 2) */
void tk_openssl_providers(tk_records *out);
/* triples for each provider that the configuration file activates: name, module or "", and "loaded"
   or "" (tags 0, 1, 2) */
void tk_openssl_wanted(tk_records *out);

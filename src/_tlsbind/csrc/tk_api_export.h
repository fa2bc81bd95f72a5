/* Keying material, channel bindings, and the data that they are computed from. */

/* RFC 5705; RFC 8446, 7.5. `context` NULL: none, which up to TLS 1.2 is not the same as an empty
   one. */
int tk_conn_export(tk_conn *c, const char *label, size_t label_size, const void *context,
                   size_t context_size, void *into, size_t size, tk_fault *fault);
/* 32 bytes of the client's or the server's hello: how many there are yet. */
int tk_conn_random(tk_conn *c, int server, void *into);
/* tls-server-end-point (RFC 5929, 4.1): the size of the digest, at most 64;
   0: the RFC does not define it for a certificate that was signed like this. */
int tk_x509_end_point(X509 *x, void *into);
/* DER of this side's own certificate: a server's that was chosen in the handshake. */
void tk_conn_own(tk_conn *c, tk_records *out);

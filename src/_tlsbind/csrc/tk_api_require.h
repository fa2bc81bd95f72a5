/* What a context requires of its peers besides a chain, and the authorities it names to clients. */

/* SHA-256 digests of public keys (SubjectPublicKeyInfo) or of whole certificates, 32 bytes each;
   the chain must contain one of them; size 0: none is required. Returns 0 without memory. */
int tk_ctx_set_pins(tk_ctx *c, const void *digests, size_t size);
/* The subjects of these certificates (concatenated DER), which a server names as accepted. */
int tk_ctx_set_ca_names(tk_ctx *c, const void *der, size_t size, tk_fault *fault);
/* the groups that a key exchange may be made in: names with a colon behind each; not demanded: any;
   0: no memory */
int tk_ctx_require_groups(tk_ctx *c, int demanded, const void *names, size_t size);

/* The border, as tk_api.h: contexts. */

enum { TK_ROLE_ANY = 0, TK_ROLE_CLIENT = 1, TK_ROLE_SERVER = 2 };
/* tk_py_servername's answers beside an alert */
enum { TK_ACKNOWLEDGED = -1, TK_NOT_ACKNOWLEDGED = -2 };
enum { /* hooks, as bits: which notifications and questions reach Python */
    TK_HOOK_SESSION = 1,    /* queue every new session on its connection */
    TK_HOOK_SERVERNAME = 2, /* ask about the server name */
    TK_HOOK_PSK_CLIENT = 4, /* ask a client for its identity and its pre-shared key */
    TK_HOOK_PSK_SERVER = 8, /* ask a server for the key of an identity */
    TK_HOOK_LOOKUP = 16,    /* servers: sessions come from elsewhere too */
    TK_HOOK_REMOVED = 32,   /* queue what libssl removes from its cache */
    TK_HOOK_MESSAGE = 64    /* show every protocol message */
};

typedef struct {
    int64_t number, connect, connect_good, connect_renegotiate, accept, accept_good,
        accept_renegotiate;
    int64_t hits, misses, timeouts, cache_full, cb_hits;
} tk_session_stats;

tk_ctx *tk_ctx_new(int role, tk_fault *fault);
void tk_ctx_free(tk_ctx *c);
uint64_t tk_ctx_options(tk_ctx *c);
void tk_ctx_set_options(tk_ctx *c, uint64_t options);
int tk_ctx_verify_mode(tk_ctx *c);
void tk_ctx_set_verify_mode(tk_ctx *c, int mode);
int tk_ctx_verify_depth(tk_ctx *c);
void tk_ctx_set_verify_depth(tk_ctx *c, int depth);
unsigned long tk_ctx_verify_flags(tk_ctx *c);
int tk_ctx_set_verify_flags(tk_ctx *c, unsigned long flags, tk_fault *fault);
void tk_ctx_set_host_flags(tk_ctx *c, unsigned int flags);
int tk_ctx_min_version(tk_ctx *c);
int tk_ctx_max_version(tk_ctx *c);
int tk_ctx_set_versions(tk_ctx *c, int minimum, int maximum, tk_fault *fault); /* both or neither */
int tk_ctx_security_level(tk_ctx *c);
void tk_ctx_set_security_level(tk_ctx *c, int level);
int tk_ctx_set_ciphers(tk_ctx *c, const char *list, tk_fault *fault);
int tk_ctx_set_ciphersuites(tk_ctx *c, const char *list, tk_fault *fault);
int tk_ctx_set_groups(tk_ctx *c, const char *list, tk_fault *fault);
/* of each: id, bits, alg_bits, aead, then up to nine strings */
void tk_ctx_ciphers(tk_ctx *c, tk_records *out);
/* parameters for finite-field Diffie-Hellman */
int tk_ctx_set_dh(tk_ctx *c, const void *pem, size_t size, tk_fault *fault);
int tk_ctx_set_alpn(tk_ctx *c, const void *list, size_t size);
/* A password_size of -1: none is given. */
int tk_ctx_use_chain(tk_ctx *c, const void *chain, size_t chain_size, const void *key,
                     size_t key_size, const void *password, int64_t password_size, tk_fault *fault);
void tk_ctx_names(tk_ctx *c, void *into); /* 32 bytes that stand for the names in that leaf */
void tk_ctx_certificate(tk_ctx *c, tk_records *out); /* DER of the leaf in use, if any */
void tk_ctx_set_trust(tk_ctx *c, X509_STORE *s);
int tk_ctx_set_keylog(tk_ctx *c, const char *path, tk_fault *fault); /* NULL: off */
int tk_ctx_set_hooks(tk_ctx *c, int hooks);
size_t tk_ctx_num_tickets(tk_ctx *c);
int tk_ctx_set_num_tickets(tk_ctx *c, size_t count);
int tk_ctx_post_handshake_auth(tk_ctx *c);
void tk_ctx_set_post_handshake_auth(tk_ctx *c, int on);

typedef struct { /* what verification by this context depends on, beside its trust store */
    int32_t verify_mode, verify_depth, min_version, max_version, security_level;
    uint64_t verify_flags, options;
    uint32_t host_flags;
} tk_policy;

uint32_t tk_ctx_max_early_data(tk_ctx *c);
void tk_ctx_set_max_early_data(tk_ctx *c, uint32_t size);
void tk_ctx_policy(tk_ctx *c, tk_policy *out);
void tk_conn_policy(tk_conn *c, tk_policy *out); /* what it has copied of that */

int64_t tk_ctx_cache_mode(tk_ctx *c);
void tk_ctx_set_cache_mode(tk_ctx *c, int64_t mode);
int64_t tk_ctx_cache_size(tk_ctx *c);
void tk_ctx_set_cache_size(tk_ctx *c, int64_t size);
int64_t tk_ctx_session_timeout(tk_ctx *c);
void tk_ctx_set_session_timeout(tk_ctx *c, int64_t seconds);
int tk_ctx_set_id_context(tk_ctx *c, const void *id, size_t size);
void tk_ctx_session_stats(tk_ctx *c, tk_session_stats *out);
void tk_ctx_flush_sessions(tk_ctx *c, int64_t at);
int tk_ctx_add_session(tk_ctx *c, SSL_SESSION *s);
int tk_ctx_remove_session(tk_ctx *c, SSL_SESSION *s);
/* the oldest in the queue, now the caller's, or NULL */
SSL_SESSION *tk_ctx_next_removed(tk_ctx *c);

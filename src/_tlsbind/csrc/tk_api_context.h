/* Part of the border (tk_api.h): contexts. */

enum { TK_ROLE_ANY = 0, TK_ROLE_CLIENT = 1, TK_ROLE_SERVER = 2 };
/* tk_py_servername's answers beside an alert */
enum { TK_ACKNOWLEDGED = -1, TK_NOT_ACKNOWLEDGED = -2 };
enum { /* hooks, as bits: which notifications and queries reach Python */
    TK_HOOK_SESSION = 1,    /* queue every new session on its connection */
    TK_HOOK_SERVERNAME = 2, /* ask about the server name */
    TK_HOOK_PSK_CLIENT = 4, /* ask a client for its identity and its pre-shared key */
    TK_HOOK_PSK_SERVER = 8, /* ask a server for the key of an identity */
    TK_HOOK_VERIFY = 32,    /* ask about a chain that has passed verification */
    TK_HOOK_MESSAGE = 64,   /* show every protocol message */
    TK_HOOK_HELLO = 128,    /* pause at the ClientHello */
    TK_HOOK_NAME_AHEAD = 256, /* ... to ask about the server name there */
    TK_HOOK_ALPN = 512,     /* ask about the application protocol */
    TK_HOOK_VERIFY_EACH = 1024, /* show each certificate, and each error, of a verification */
    TK_HOOK_VERIFY_LATER = 2048, /* pause a client for what TK_HOOK_VERIFY asks */
    TK_HOOK_CERTIFICATE = 4096, /* pause to ask which certificate to send */
    TK_HOOK_KEYLOG = 8192,  /* show the lines of the key log */
    TK_HOOK_STATE = 16384,  /* report the steps of a handshake, */
    TK_HOOK_ALERT = 32768,  /* and of every alert */
    TK_HOOK_TIMES = 65536,  /* record the time of each step */
    TK_HOOK_TICKET = 131072, /* ask for the application's ticket data */
    TK_HOOK_SESSION_ID = 262144 /* ask a server for the id of a new session */
};

typedef struct {
    int64_t number, connect, connect_good, connect_renegotiate, accept, accept_good,
        accept_renegotiate;
    int64_t hits, misses, timeouts, cache_full, cb_hits;
} tk_session_stats;

tk_ctx *tk_ctx_new(int role, tk_fault *fault);
/* the next state of the same context, with its sessions and ticket keys, and no other setting */
tk_ctx *tk_ctx_next(tk_ctx *before, tk_fault *fault);
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
int tk_ctx_set_dh(tk_ctx *c, const void *pem, size_t size, int accepted, tk_fault *fault);
int tk_ctx_set_alpn(tk_ctx *c, const void *list, size_t size);

enum { TK_PSK_SHA256 = 1, TK_PSK_SHA384 = 2 };

typedef struct { /* between C and Python's answer about a pre-shared key */
    int32_t identity; /* the bytes of it that there are, or that there is room for */
    int32_t key;      /* the bytes that there is room for */
    int32_t hash;     /* TK_PSK_...: of the key; before, of the suite that a server has chosen */
    int32_t modern;   /* TLS 1.3; otherwise the identity ends with a NUL, for which there is room */
} tk_psk_room;

typedef struct tk_credential tk_credential; /* a certificate, its chain and its key: immutable */
typedef struct { /* each is the SHA-256 of it */
    uint8_t names[32];   /* the names in the certificate */
    uint8_t subject[32]; /* its subject, its issuer and its names */
    char kind[32];       /* of the key: a context has one of each kind */
} tk_credential_facts;

void tk_credential_free(tk_credential *k); /* drops one reference */
void tk_credential_facts_of(tk_credential *k, tk_credential_facts *out);
void tk_credential_chain(tk_credential *k, tk_records *out); /* in DER, the leaf first */
/* the first certificate, from the leaf, that the next one's key has not signed; -1: none */
int32_t tk_credential_unsigned(tk_credential *k);
/* accepted: it has passed the security level before, when it was another one */
int tk_ctx_use(tk_ctx *c, tk_credential *k, int accepted, tk_fault *fault);
void tk_ctx_set_trust(tk_ctx *c, X509_STORE *s, int empty);

typedef struct tk_keylog tk_keylog; /* a file of secrets, for any number of contexts */
tk_keylog *tk_keylog_new(const char *path, tk_fault *fault);
void tk_keylog_free(tk_keylog *k);
void tk_ctx_set_keylog(tk_ctx *c, tk_keylog *k); /* NULL: off */
int tk_ctx_set_hooks(tk_ctx *c, int hooks);
size_t tk_ctx_num_tickets(tk_ctx *c);
int tk_ctx_set_num_tickets(tk_ctx *c, size_t count);
int tk_ctx_post_handshake_auth(tk_ctx *c);
void tk_ctx_set_post_handshake_auth(tk_ctx *c, int on);

typedef struct { /* what verification by this context depends on, besides its trust store */
    int32_t verify_mode, verify_depth, min_version, max_version, security_level;
    uint64_t verify_flags, options;
    uint32_t host_flags;
} tk_policy;

uint32_t tk_ctx_max_early_data(tk_ctx *c);
void tk_ctx_set_max_early_data(tk_ctx *c, uint32_t size);
void tk_ctx_policy(tk_ctx *c, tk_policy *out);

int64_t tk_ctx_cache_mode(tk_ctx *c);
void tk_ctx_set_cache_mode(tk_ctx *c, int64_t mode);
int64_t tk_ctx_cache_size(tk_ctx *c);
void tk_ctx_set_cache_size(tk_ctx *c, int64_t size);
int64_t tk_ctx_session_timeout(tk_ctx *c);
void tk_ctx_set_session_timeout(tk_ctx *c, int64_t seconds);
int tk_ctx_set_id_context(tk_ctx *c, const void *id, size_t size, int stands_for_policy);
/* the context's: of all its states */
void tk_ctx_session_stats(tk_ctx *c, tk_session_stats *out);
void tk_ctx_flush_sessions(tk_ctx *c, int64_t at);
int tk_ctx_add_session(tk_ctx *c, SSL_SESSION *s);
int tk_ctx_remove_session(tk_ctx *c, SSL_SESSION *s);
void tk_ctx_tell_removed(tk_ctx *c, int on); /* queue sessions that are removed from the cache */
/* the oldest in the queue, now the caller's, or NULL */
SSL_SESSION *tk_ctx_next_removed(tk_ctx *c);

/* The border between C and Python: every struct, status and function that the two share. cffi reads
   this same text, so it holds no preprocessor line. What belongs to one thing alone stands in
   tk_api_*.h beside it, which are read after it. */

typedef struct ssl_session_st SSL_SESSION;
typedef struct x509_st X509;
typedef struct x509_store_st X509_STORE;
typedef struct tk_ctx tk_ctx;   /* an SSL_CTX and what its hooks need */
typedef struct tk_conn tk_conn; /* an SSL, its lock and its transport */
typedef struct tk_mem tk_mem;   /* a byte queue in memory, shared by reference */

/* ---- statuses: what an operation returns when it is not a count of bytes ---- */

enum {
    TK_DONE = 1,         /* success, where there is nothing to count */
    TK_EOF = 0,          /* the peer has closed its side cleanly */
    TK_WANT_READ = -1,   /* call again when the transport has something to read */
    TK_WANT_WRITE = -2,  /* call again when the transport takes bytes */
    TK_INTERRUPTED = -3, /* a signal came: let its handlers run, then call again */
    TK_TIMED_OUT = -4,   /* the time that the caller gave has passed */
    TK_CLOSED = -5,      /* tk_conn_close was called, perhaps by another thread */
    TK_ZERO_RETURN = -6, /* both sides are closed already */
    TK_PAUSED = -11,     /* look once more at what may be resumed, call tk_conn_go_on, then again */
    TK_SYSCALL = -7,     /* the transport failed: the fault has the errno */
    TK_SSL = -8,         /* libssl failed: the fault has its error queue */
    TK_PASSWORD = -9,    /* the private key is encrypted, and no password was given */
    TK_REENTERED = -12,  /* called from behind a door of the operation that the connection is in */
    TK_PASSWORD_LONG = -10 /* the password is longer than OpenSSL takes */
};

/* ---- the fault record: filled in the call that failed, and only then ---- */

typedef struct {
    uint64_t code;        /* OpenSSL's packed error code */
    int32_t library;
    int32_t reason;
    const char *library_name; /* "SSL", "X509" ...: NULL when unknown */
    const char *reason_name;  /* "WRONG_VERSION_NUMBER" ...: NULL when unknown */
    const char *text;         /* OpenSSL's own words: NULL when it has none */
    char data[160];           /* what the raiser added, cut to fit, NUL-terminated */
} tk_error;

typedef struct {
    int32_t ssl_error;      /* what SSL_get_error said */
    int32_t sys_errno;      /* errno of the direction that failed; 0: none */
    int32_t verify_code;    /* X509_V_...; 0 is X509_V_OK */
    int32_t verify_depth;   /* of the certificate that failed; -1: none did */
    int32_t alert_sent;     /* description of a fatal alert; -1: none */
    int32_t alert_received;
    int32_t count;          /* entries in error[], the oldest first */
    int32_t dropped;        /* how many more there were */
    tk_error error[8];
} tk_fault;

/* ---- flat lists: (tag, length, bytes) one after another, native 32-bit integers ---- */

typedef struct {
    uint8_t *data;
    size_t size;
    size_t room;
    int32_t failed; /* memory ran out: the list is not whole */
} tk_records;

void tk_records_free(tk_records *r);

/* ---- the library ---- */

int tk_init(void); /* once, before all else: 1 on success */
unsigned long tk_version_number(void); /* of the libssl that runs */
const char *tk_version_text(void);
/* every OpenSSL constant that was there when this was compiled */
void tk_constants(tk_records *out);
/* of each row of decl/features.py: name, whether it is there, who has it */
void tk_features(tk_records *out);
const char *tk_verify_text(int32_t code);

/* ---- memory transport ---- */

tk_mem *tk_mem_new(void);
void tk_mem_free(tk_mem *m); /* gives up one reference */
int64_t tk_mem_read(tk_mem *m, void *into, size_t room);
int64_t tk_mem_write(tk_mem *m, const void *data, size_t size); /* -1: no memory */
int64_t tk_mem_pending(tk_mem *m);
void tk_mem_write_eof(tk_mem *m);
int tk_mem_ended(tk_mem *m); /* tk_mem_write_eof was called */
int tk_mem_eof(tk_mem *m); /* written to its end and read to its end */

/* ---- trust: an X509_STORE ---- */

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

/* ---- certificates ---- */

X509 *tk_x509_from_der(const void *der, size_t size, tk_fault *fault);
X509 *tk_x509_from_pem(const void *pem, size_t size, tk_fault *fault);
void tk_x509_free(X509 *x);
void tk_x509_der(X509 *x, tk_records *out);
void tk_x509_public_key(X509 *x, tk_records *out); /* DER of its SubjectPublicKeyInfo */

enum { /* the tags of tk_x509_fields: the order of the fields within one tag is the certificate's */
    TK_X509_VERSION = 1, TK_X509_SERIAL, TK_X509_NOT_BEFORE, TK_X509_NOT_AFTER,
    TK_X509_SUBJECT_RDN, TK_X509_ISSUER_RDN,           /* a new RDN begins */
    TK_X509_SUBJECT_NAME, TK_X509_SUBJECT_VALUE,       /* of one attribute, in turn */
    TK_X509_ISSUER_NAME, TK_X509_ISSUER_VALUE,
    TK_X509_ALT_BEGIN, /* there are alternative names, if any follow or not */
    TK_X509_ALT_EMAIL, TK_X509_ALT_DNS, TK_X509_ALT_URI, TK_X509_ALT_RID, TK_X509_ALT_IP,
    TK_X509_ALT_DIRNAME,
    TK_X509_ALT_RDN, TK_X509_ALT_NAME, TK_X509_ALT_VALUE, /* inside a DirName */
    TK_X509_ALT_OTHER,
    TK_X509_OCSP, TK_X509_CA_ISSUERS, TK_X509_CRL_POINT
};

int tk_x509_fields(X509 *x, tk_records *out, tk_fault *fault);

/* ---- contexts ---- */

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

/* ---- connections ---- */

tk_conn *tk_conn_new(tk_ctx *c, int server, int64_t fd, tk_mem *incoming, tk_mem *outgoing,
                     void *handle, tk_fault *fault);
void tk_conn_free(tk_conn *c);
void tk_conn_close(tk_conn *c); /* wakes and waits out every thread that is inside */
/* each may be NULL */
int tk_conn_set_hostname(tk_conn *c, const char *sni, const char *host, const void *ip,
                         size_t ip_size, tk_fault *fault);
int tk_conn_set_context(tk_conn *c, tk_ctx *to);
int tk_conn_set_session(tk_conn *c, SSL_SESSION *s, tk_fault *fault); /* NULL: none */
/* whether this connection offers the session's cipher */
int tk_conn_has_cipher_of(tk_conn *c, SSL_SESSION *s);
void tk_conn_pause(tk_conn *c); /* before the handshake, answer TK_PAUSED once */
void tk_conn_go_on(tk_conn *c);
int tk_conn_paused(tk_conn *c); /* whether it waits for that */
/* a server: pause at the ClientHello of whoever offers a session */
void tk_conn_use_external(tk_conn *c);
/* in that pause: the id of the session that is wanted, up to 32 bytes; 0: in another pause */
int tk_conn_wanted(tk_conn *c, void *into);
void tk_conn_found(tk_conn *c, SSL_SESSION *s, int taken); /* ... and its answer */
/* 32 bytes that stand for a server's policy */
int tk_conn_set_id_context(tk_conn *c, const void *id);
/* a client: to be sent with the ClientHello, or after it */
int tk_conn_set_early(tk_conn *c, const void *data, size_t size);
int tk_conn_reused(tk_conn *c); /* whether the handshake resumed a session */
int tk_conn_begun(tk_conn *c); /* whether the handshake has begun */
/* Would this certificate pass this connection's verification now, with the help of others (DER, end
   to end)? If so, the chain. */
int tk_conn_vouch(tk_conn *c, X509 *peer, const void *others, size_t size, tk_records *chain);
SSL_SESSION *tk_conn_session(tk_conn *c); /* a reference of the caller's own, or NULL */
int tk_conn_events(tk_conn *c); /* how many sessions are in the queue */
/* the oldest in the queue, now the caller's, or NULL */
SSL_SESSION *tk_conn_next_session(tk_conn *c);

/* Operations. The timeout is in milliseconds: 0 never waits, -1 waits for ever. On TK_SYSCALL and
   TK_SSL the fault has been taken already; tk_conn_fault hands out the last one of that
   operation. */
enum { TK_HANDSHAKE = 0, TK_READ = 1, TK_WRITE = 2, TK_SHUTDOWN = 3 };

int64_t tk_conn_handshake(tk_conn *c, int64_t timeout);
/* a server: before the handshake is complete, or after */
int64_t tk_conn_read_early(tk_conn *c, void *into, size_t room, int64_t timeout);
int64_t tk_conn_read(tk_conn *c, void *into, size_t room, int64_t timeout);
/* when it ends early, repeat it with the same bytes */
int64_t tk_conn_write(tk_conn *c, const void *data, size_t size, int64_t timeout);

typedef struct {
    uint64_t number;
    size_t taken;
} tk_progress; /* of a write that is made in several calls; begins with zeros */

/* begin, or go on */
int64_t tk_conn_write_on(tk_conn *c, const void *data, size_t size, tk_progress *p,
                         int64_t timeout);
/* do not go on: it has ended early */
void tk_conn_write_leave(tk_conn *c, const void *data, size_t size, tk_progress *p);
int64_t tk_conn_shutdown(tk_conn *c, int64_t timeout);
void tk_conn_fault(tk_conn *c, int operation, tk_fault *out);

int64_t tk_conn_pending(tk_conn *c);
/* bytes that were read from the socket before; 0: no memory */
int tk_conn_feed(tk_conn *c, const void *data, size_t size);
/* bytes read ahead that are not TLS: after a shutdown */
int64_t tk_conn_leftover(tk_conn *c, void *into, size_t room);
int tk_conn_handshake_done(tk_conn *c);
/* TLS 1.3 post-handshake authentication */
int tk_conn_request_certificate(tk_conn *c, tk_fault *fault);

enum {
    TK_OFFERED_UNKNOWN = 0, TK_OFFERED_NOTHING = 1, TK_OFFERED_ID = 2, TK_OFFERED_TICKET = 3,
    TK_OFFERED_PSK = 4
};

typedef struct {
    int32_t offered; /* by a server's client, to resume from */
    int32_t early; /* SSL_EARLY_DATA_... */
    int32_t refused_ticket; /* of such a one, by the context's ring: TK_TICKET_... */
    int32_t done, server, reused, version, cipher_id, cipher_bits, group_id, extended_master_secret;
    int32_t alert_sent, alert_received, verify_code, shutdown;
    uint64_t bytes_read, bytes_written; /* on the wire */
    int64_t session_time;
    /* static */
    const char *version_name, *cipher_name, *cipher_standard_name, *cipher_protocol, *group_name;
    const char *compression; /* static; NULL: none */
    uint32_t alpn_size;
    uint8_t alpn[256];
    char server_name[256]; /* what the client asked for; "" when nothing */
} tk_conn_facts;

void tk_conn_facts_of(tk_conn *c, tk_conn_facts *out);
X509 *tk_conn_peer(tk_conn *c); /* a reference of the caller's own, or NULL */
/* the certificate that verification failed at: as tk_conn_peer */
X509 *tk_conn_rejected(tk_conn *c);
/* DER of each certificate, the peer's own first */
void tk_conn_chain(tk_conn *c, int verified, tk_records *out);
void tk_conn_shared_ciphers(tk_conn *c, tk_records *out);
/* the session's, then TK_INFO_LIVE and the connection's own */
void tk_conn_info(tk_conn *c, tk_records *out);
/* the Finished message: its length, 0 when there is none */
int tk_conn_finished(tk_conn *c, int peer, void *into, size_t room);

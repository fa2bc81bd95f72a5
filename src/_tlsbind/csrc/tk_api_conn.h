/* Part of the border (tk_api.h): connections. */

typedef struct { /* a server's name, in a client's forms; each may be NULL */
    const char *sni;  /* for the ClientHello */
    const char *host; /* for the certificate */
    const void *ip;   /* ... or an address, packed */
    size_t ip_size;
} tk_server_name;

/* a name of NULL: none */
tk_conn *tk_conn_open(tk_ctx *c, int server, int64_t fd, tk_mem *incoming, tk_mem *outgoing,
                      void *handle, const tk_server_name *name, tk_fault *fault);
void tk_conn_free(tk_conn *c);
void tk_conn_close(tk_conn *c); /* wakes every thread inside, and waits for it to leave */
int tk_conn_set_context(tk_conn *c, tk_ctx *to, void *handle);
/* NULL: none; early: whether early data may go with it */
int tk_conn_set_session(tk_conn *c, SSL_SESSION *s, int early, tk_fault *fault);
/* whether this connection offers the session's cipher */
int tk_conn_has_cipher_of(tk_conn *c, SSL_SESSION *s);
int tk_conn_suites(tk_conn *c, uint16_t *into, int room); /* IANA's numbers, preferred first */
/* a server: pause at the ClientHello of a client that offers a session */
void tk_conn_use_external(tk_conn *c);
/* in that pause, the id of the offered session, up to 32 bytes; 0 in another pause */
int tk_conn_offered_id(tk_conn *c, void *into);
void tk_conn_resume_from(tk_conn *c, SSL_SESSION *s, int taken); /* ... and its answer */
/* a client: to be sent with the ClientHello, or after it */
int tk_conn_set_early(tk_conn *c, const void *data, size_t size);
int tk_conn_reused(tk_conn *c); /* whether the handshake resumed a session */
int tk_conn_begun(tk_conn *c); /* whether the handshake has begun */
/* Would this certificate pass this connection's verification now, with the help of others (DER, end
   to end)? If so, the chain. */
int tk_conn_reverify(tk_conn *c, X509 *peer, const void *others, size_t size, tk_records *chain);
SSL_SESSION *tk_conn_session(tk_conn *c); /* a new reference, or NULL */
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
/* if it ends early, repeat it with the same bytes */
int64_t tk_conn_write(tk_conn *c, const void *data, size_t size, int64_t timeout);

typedef struct {
    uint64_t number;
    size_t taken, done;
} tk_progress; /* of a write that is made in several calls; begins with zeros */

/* begin, or continue */
int64_t tk_conn_write_on(tk_conn *c, const void *data, size_t size, tk_progress *p,
                         int64_t timeout);
/* do not continue: it has ended early */
void tk_conn_write_leave(tk_conn *c, const void *data, size_t size, tk_progress *p);
int64_t tk_conn_shutdown(tk_conn *c, int64_t timeout);
/* In memory: put new bytes into the incoming queue, and read up to 64 KiB. With the bit TK_DRY
   set: that was all, a second read would find nothing, and nothing is to be sent. */
enum { TK_DRY = 1073741824 };

int64_t tk_conn_read_given(tk_conn *c, const void *given, size_t given_size, void *into,
                           size_t room);
/* In memory: write all of it, and take up to `room` bytes out of the outgoing queue: how many.
   TK_INTERRUPTED: a callback is running, and nothing has happened. */
int64_t tk_conn_write_taken(tk_conn *c, const void *data, size_t size, void *into, size_t room);

/* Flags for the shortcuts in _tlsbind/direct/, which leave such connections to Python: new sessions
   are handed out; TLS between a program's queues is over. */
void tk_conn_report_sessions(tk_conn *c);
void tk_conn_set_over(tk_conn *c);
int tk_conn_is_over(tk_conn *c);

void tk_conn_fault(tk_conn *c, int operation, tk_fault *out);

int64_t tk_conn_pending(tk_conn *c);
/* Whether a read would find data, the peer's end or a failure at once. */
int tk_conn_holds_more(tk_conn *c);
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
    int32_t refused_ticket; /* of such a one: TK_TICKET_... */
    int32_t reused_last; /* as `reused`, but of the last handshake, not of the first */
    int32_t done, server, reused, version, cipher_id, cipher_bits, group_id, extended_master_secret;
    int32_t alert_sent, alert_received, verify_code, shutdown;
    int32_t verify_depth; /* of the certificate with that error; -1: none, or not known */
    uint64_t bytes_read, bytes_written; /* on the wire */
    int64_t session_time, completed; /* seconds since 1970: the session, the first handshake */
    /* static */
    const char *version_name, *cipher_name, *cipher_standard_name, *cipher_protocol, *group_name;
    const char *compression; /* static; NULL: none */
    uint32_t alpn_size;
    uint8_t alpn[256];
    char server_name[256]; /* requested by the client; "" if none */
} tk_conn_facts;

void tk_conn_facts_of(tk_conn *c, tk_conn_facts *out);
X509 *tk_conn_peer(tk_conn *c); /* a reference of the caller's own, or NULL */
/* the certificate that verification failed at: as tk_conn_peer */
X509 *tk_conn_rejected(tk_conn *c);
/* each certificate in DER, the peer's own first */
void tk_conn_chain(tk_conn *c, int verified, tk_records *out);
void tk_conn_shared_ciphers(tk_conn *c, tk_records *out);
/* the session's, then TK_INFO_LIVE and the connection's own */
void tk_conn_info(tk_conn *c, tk_records *out);
/* the Finished message: its length, 0 when there is none */
int tk_conn_finished(tk_conn *c, int peer, void *into, size_t room);

/* Part of the border (tk_api.h): sessions, and the notes of the handshakes that made them. */

typedef struct {
    int64_t time, timeout, lifetime_hint;
    uint32_t max_early_data;
    /* when the peer's certificate expires, in seconds since 1970; -1: the session has none */
    int64_t peer_not_after;
    int32_t version, has_ticket;
    uint32_t id_size, id_context_size, ticket_size, alpn_size;
    uint8_t id[32], id_context[32];
    const uint8_t *ticket;    /* borrowed from the session */
    const uint8_t *alpn;      /* borrowed from the session */
    /* borrowed from the session; NULL: the server did not acknowledge one */
    const char *hostname;
    const char *cipher;       /* static; NULL: unknown */
} tk_session_facts;

SSL_SESSION *tk_session_from_der(const void *der, size_t size, tk_fault *fault);
int tk_session_der(SSL_SESSION *s, tk_records *out);
/* returns a copy; -1 keeps a time */
SSL_SESSION *tk_session_with_times(SSL_SESSION *s, int64_t time, int64_t timeout, tk_fault *fault);
void tk_session_free(SSL_SESSION *s);
int tk_session_is_resumable(SSL_SESSION *s); /* as it is now: a session can be withdrawn */
void tk_session_facts_of(SSL_SESSION *s, tk_session_facts *out);
size_t tk_session_size(SSL_SESSION *s); /* roughly how many bytes of memory it takes */
X509 *tk_session_peer(SSL_SESSION *s); /* a reference of the caller's own, or NULL */
/* the master secret; with TLS 1.3, the resumption secret */
int tk_session_secret(SSL_SESSION *s, void *into, size_t room);
int tk_session_digest(SSL_SESSION *s, void *into); /* SHA-256 of that; 0: there is none */

/* What was noted of a handshake: the tags of tk_session_info and tk_conn_info. Numbers have 64
   bits. */
enum {
    TK_INFO_BLOB = 1, /* all notes, as Python wrote them */
    /* What follows is about this connection's handshake, not the one that made the session. */
    TK_INFO_LIVE,
    /* numbers */
    TK_INFO_MADE, TK_INFO_USED, TK_INFO_SERVER, TK_INFO_EMS, TK_INFO_ETM, TK_INFO_FRAGMENT,
    TK_INFO_COMPRESSION, TK_INFO_VERIFIED, TK_INFO_VERIFY_CODE, TK_INFO_ACKNOWLEDGED,
    TK_INFO_KEY_BITS, TK_INFO_STAPLE_VERDICT, TK_INFO_STAPLE_UNTIL, TK_INFO_ECH,
    /* texts */
    TK_INFO_GROUP, TK_INFO_ALPN, TK_INFO_SERVER_NAME, TK_INFO_MATCHED, TK_INFO_KEY_TYPE,
    TK_INFO_SIGNED, TK_INFO_PEER_SIGNED, TK_INFO_ECH_OUTER,
    /* as on the wire */
    TK_INFO_GROUPS, TK_INFO_SIGALGS, TK_INFO_CIPHERS, TK_INFO_SHARED, TK_INFO_FORMATS,
    TK_INFO_STAPLE, /* DER */
    TK_INFO_EXTENSIONS, /* native 16-bit numbers */
    TK_INFO_OWN, TK_INFO_PEERS, TK_INFO_CHAIN /* DER, one certificate each */
};

/* as tk_ctx_ciphers; nothing when it has none */
void tk_session_cipher(SSL_SESSION *s, tk_records *out);
void tk_session_info(SSL_SESSION *s, tk_records *out);
/* only while nobody else has the session */
int tk_session_set_info(SSL_SESSION *s, const void *blob, size_t size);

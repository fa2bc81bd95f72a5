/* The border between C and Python: every struct, status and function that the two share. cffi reads
   this same text, so it contains no preprocessor lines. Declarations for one subject are in
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
    TK_INTERRUPTED = -3, /* a signal arrived: let its handlers run, then call again */
    TK_TIMED_OUT = -4,   /* the caller's timeout has expired */
    TK_CLOSED = -5,      /* tk_conn_close was called, perhaps by another thread */
    TK_ZERO_RETURN = -6, /* both sides are closed already */
    TK_PAUSED = -11,     /* Python has to make a decision: tk_api_pause.h */
    TK_SYSCALL = -7,     /* the transport failed: the fault has the errno */
    TK_SSL = -8,         /* libssl failed: the fault has its error queue */
    TK_PASSWORD = -9,    /* the private key is encrypted, and no password was given */
    TK_UNWANTED = -14,   /* the complete handshake does not meet the context's requirements */
    TK_MEMORY = -13,     /* no memory for the given bytes: nothing was done */
    TK_REENTERED = -12,  /* called from behind a door of the connection's running operation */
    TK_PASSWORD_LONG = -10, /* the password is longer than OpenSSL takes */
    TK_PASSWORD_WRONG = -15 /* the private key does not open with the password: see the fault */
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
    int32_t repeated;       /* an earlier operation has reported it already */
    tk_error error[8];
} tk_fault;

/* ---- flat lists: (tag, length, bytes) one after another, native 32-bit integers ---- */

typedef struct {
    uint8_t *data;
    size_t size;
    size_t room;
    int32_t failed; /* memory ran out: the list is incomplete */
} tk_records;

void tk_records_free(tk_records *r);

/* ---- the library ---- */

int tk_init(void); /* call it once, first: 1 on success */
unsigned long tk_version_number(void); /* of the running libssl */
const char *tk_version_text(void);
/* every OpenSSL constant that existed when this was compiled */
void tk_constants(tk_records *out);
/* for each row of decl/features.py: name, whether it exists, and since when */
void tk_features(tk_records *out);
const char *tk_verify_text(int32_t code);

/* What the C files share among themselves. Python sees only tk_api.h. */
#ifndef TK_H
#define TK_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tk_features.h"
#include "tk_os.h"
#include "tk_api.h"
#include "tk_api_algorithms.h"
#include "tk_api_seal.h"
#include "tk_api_sessions.h"
#include "tk_api_tickets.h"
#include "tk_doors.h"

/* ---- what later OpenSSL versions call otherwise ---- */

#if OPENSSL_VERSION_NUMBER < 0x30400000L
#define SSL_CTX_flush_sessions_ex(c, t) SSL_CTX_flush_sessions(c, (long)(t))
#define SSL_SESSION_get_time_ex(s) SSL_SESSION_get_time(s)
#define SSL_SESSION_set_time_ex(s, t) SSL_SESSION_set_time(s, (long)(t))
#endif

/* ---- names of libraries and reasons: tables made from OpenSSL's headers when this is built
   ---- */

typedef struct { int library, reason; const char *name; } tk_name;
extern const tk_name tk_library_names[], tk_reason_names[]; /* each ends with a NULL name */
typedef struct { const char *name; long long value; } tk_constant;
extern const tk_constant tk_constant_table[];
typedef struct { const char *name; int there; const char *since; } tk_feature;
extern const tk_feature tk_feature_table[]; /* made from decl/features.py, as tk_features.h is */

/* ---- a byte queue ---- */

typedef struct {
    uint8_t *data;
    size_t start, size, room;
} tk_queue;

uint8_t *tk_queue_reserve(tk_queue *q, size_t more); /* where the next bytes go; NULL: no memory */
int tk_queue_put(tk_queue *q, const void *data, size_t size);
size_t tk_queue_take(tk_queue *q, void *into, size_t room);
void tk_queue_drop(tk_queue *q, size_t size); /* gives the memory back when nothing is left */
void tk_queue_clear(tk_queue *q);
static inline const uint8_t *tk_queue_front(const tk_queue *q) { return q->data + q->start; }

/* ---- memory transport ---- */

struct tk_mem {
    tk_mutex mutex;
    int references;
    int ended; /* nothing more will be written */
    tk_queue queue;
};

void tk_mem_up_ref(tk_mem *m);
int tk_mem_holds_record(tk_mem *m);

/* ---- a connection ---- */

enum { TK_SCOPE = 32 }; /* bytes that stand for what a ticket is for: tk_mark.c */

typedef struct tk_info tk_info;

typedef struct tk_event {
    struct tk_event *next;
    SSL_SESSION *session;
} tk_event;

/* A write that ended early: so many bytes of it are encrypted, and its caller does not know. */
typedef struct {
    size_t size;
    uint8_t print[32]; /* SHA-256 of those bytes */
    uint64_t thread;   /* that made it */
    int32_t torn;      /* more bytes were to follow */
} tk_owed;

typedef struct {
    /* of the write; 0: nobody has the turn; UINT64_MAX: a write that ended early in its middle */
    uint64_t number;
    uint64_t thread;
    int32_t generation;
} tk_turn;

/* What a reader that waited has seen in the socket: it is there still. */
typedef struct {
    int error; /* of recv; 0: none */
    size_t size;
    uint8_t bytes[2048];
} tk_look;

struct tk_conn {
    SSL *ssl;
    tk_mutex mutex;
    tk_condition left;      /* a thread has stopped waiting */
    int64_t fd;             /* -1: memory transport */
    tk_mem *incoming, *outgoing;
    void *handle;           /* the road to Python; NULL: none */

    int32_t closed;
    int32_t waiting;        /* how many threads are in poll ... */
    int32_t reader;         /* whether one of them waits to read, for all that would */
    int32_t born;           /* tk_generation of the process that made it */
    /* ... in the process that had this number: a forked child has none of them */
    int32_t generation;

    tk_queue ahead;         /* read from the socket, not yet asked for by libssl */
    tk_look *look;          /* at what the socket holds, for the step that comes now; NULL: none */
    uint64_t taken;         /* how often something was taken from the socket */
    uint8_t header[5];      /* of the record that libssl has begun: the first header_size bytes */
    uint8_t header_size;
    size_t missing;         /* of its body, what libssl has not been given yet */
    size_t stride;          /* how much one recv asks for */
    /* how many bytes the reader in charge can still take; 0: read no further than libssl asks */
    size_t reader_room;
    tk_queue behind;        /* written by libssl, not yet taken by the socket */
    uint8_t corked;         /* more records follow at once: gather them for one send */
    uint8_t dry;            /* the last read had to wait: the next one begins with that */
    uint64_t queued, sent;  /* bytes that libssl wrote, and that the transport took */
    uint64_t received;
    int32_t read_errno, write_errno, at_end;
    int32_t send_failed;    /* the errno of a send that failed: nothing can be sent any more */

    tk_owed *owed;          /* writes that ended early, see tk_write.c */
    int32_t owed_count;
    uint64_t writes;        /* how many numbers of writes have been given out */
    tk_turn turn;           /* of the write whose bytes go out now */
    tk_condition turns;     /* it has changed */
    tk_fault *fault[4];     /* the last one of each kind of operation; NULL: none yet */
    /* the status of a read that failed for good, for the reads to come; 0: none */
    int64_t parked;

    tk_event *first_event, *last_event;
    int32_t events;
    int16_t alert_sent, alert_received;
    int16_t verify_depth;
    tk_info *info;          /* what this handshake shows; NULL: nothing is noted */
    X509 *rejected;         /* the certificate that verification failed at */
    /* a server that verifies: its session id context stands for its policy */
    uint8_t has_id_base;
    /* before the handshake begins, Python has to look once more at what it may resume */
    uint8_t unanswered;
    uint8_t external;       /* a server: sessions are kept elsewhere (tk_lookup.c) */
    uint8_t looked;         /* the ClientHello has been looked at */
    uint8_t offered;        /* what was in it: TK_OFFERED_... */
    uint8_t wanted_size;
    uint8_t wanted[32];     /* the id of the session that the client wants */
    SSL_SESSION *found;     /* it, from elsewhere */
    uint8_t found_once;     /* nobody else will find it */
    uint8_t early_state;    /* tk_handshake.c */
    /* early data: a client's to send; a server's that has come and was not read */
    tk_queue early;
    uint8_t shutdown_sent;
    uint8_t inside;         /* Python is behind a door: libssl must not be entered again */
    uint8_t interrupted;    /* a door's other side has something to raise: do not wait */
    uint8_t has_read;       /* some application data was read */
    uint8_t ticket;         /* what became of the last ticket that the client showed: tk_ticket.c */
    uint8_t refused_ticket; /* why: TK_TICKET_... */
    uint8_t tickets_counted; /* ... and what has been counted of this handshake */
    /* a server's keys for tickets, as they were when the connection was made; NULL: libssl's own */
    tk_ring *ring;
    uint8_t names[TK_SCOPE]; /* ... and what its tickets are for */
};

BIO *tk_transport_new(tk_conn *c);
int tk_transport_flush(tk_conn *c);        /* 1: nothing left; 0: the socket is full; -1: failed */
int tk_transport_holds_record(tk_conn *c); /* a whole TLS record is here already */
int tk_transport_init(void);

/* ---- operations: tk_conn.c has the loop ---- */

enum { TK_TURN = -100 }; /* a status of a step: another write has to end first */

typedef struct tk_op {
    int64_t (*step)(tk_conn *c, struct tk_op *op);
    uint8_t *into;       /* read */
    const uint8_t *data; /* write */
    size_t size;
    size_t taken;        /* write: encrypted so far */
    size_t done;         /* read or on the wire so far */
    uint64_t number;     /* write: among those that have had the turn; 0: it has not */
    int may_wait, limited, waited; /* limited: not for ever */
    int kind;            /* TK_HANDSHAKE ... */
    int zeros;           /* shutdown: answers of 0 so far */
    int ssl_error;
} tk_op;

int64_t tk_op_run(tk_conn *c, tk_op *op, int64_t timeout); /* with the lock held */
int64_t tk_op_do(tk_conn *c, tk_op *op, int64_t timeout);  /* takes the lock */
int64_t tk_op_classify(tk_conn *c, tk_op *op, int result);
/* lets go of the lock meanwhile: TK_DONE or a status */
int tk_op_wait(tk_conn *c, const tk_op *op, int64_t status, int64_t left, tk_look *look);
int tk_op_leaves_reading(const tk_conn *c, const tk_op *op);
int64_t tk_handshake_step(tk_conn *c, tk_op *op);
/* whether it has to come before this operation */
int tk_handshake_first(const tk_conn *c, const tk_op *op);
int tk_handshake_write(tk_conn *c, const void *data, size_t size, size_t *n);
void tk_handshake_prepare(tk_conn *c); /* a new connection */
/* send on what libssl has written meanwhile */
int64_t tk_op_flush(tk_conn *c, tk_op *op, int64_t status);
static inline int tk_is_failure(int64_t status) { return status == TK_SYSCALL || status == TK_SSL; }

/* ---- faults ---- */

void tk_fault_begin(void); /* clear this thread's error queue and errno */
void tk_fault_capture(tk_fault *fault, tk_conn *c, int ssl_error, int sys_errno);
int tk_fail(tk_fault *fault); /* capture the queue alone: returns TK_SSL */

/* ---- records ---- */

void tk_records_add(tk_records *r, uint32_t tag, const void *data, size_t size);
void tk_records_text(tk_records *r, uint32_t tag, const char *text); /* NULL adds nothing */

/* ---- what a handshake showed: tk_info.c has the theory ---- */

enum { TK_EXTENSIONS_MOST = 64 }; /* how many of the peer's extensions are noted */

struct tk_info {
    int32_t references;
    uint8_t complete;
    int64_t used;        /* when a handshake of this session was made last; changes */
    tk_records notes;    /* numbers, texts and raw lists, under TK_INFO_ tags */
    uint16_t *extensions; /* while the handshake runs: room for TK_EXTENSIONS_MOST */
    size_t extension_count;
    STACK_OF(X509) *own, *peers, *verified;
};

void tk_info_begin(tk_conn *c); /* a handshake begins */
void tk_info_end(tk_conn *c);
tk_info *tk_info_of(const SSL_SESSION *s);
int tk_info_attach(SSL_SESSION *s, tk_info *f);
void tk_info_shared(tk_conn *c, tk_records *out);
int tk_info_init(void);
void tk_notes_watch(tk_conn *c);
void tk_notes_hello(tk_conn *c); /* in a server's ClientHello callback */
void tk_notes_take(tk_conn *c);  /* the handshake is over */
void tk_cipher_facts(tk_records *out, const SSL_CIPHER *cipher); /* as tk_ctx_ciphers */
void tk_cipher_record(const SSL_CIPHER *cipher, tk_records *out); /* three records; none for NULL */

/* ---- certificates ---- */

/* a callback of X509_verify_cert: refuses the keys that no chain may hold */
int tk_distrust(int ok, X509_STORE_CTX *v);

/* ---- contexts, hooks ---- */

/* Around a door to Python: what is done behind it must not show in front. */
static inline int tk_door_open(tk_conn *c)
{
    int error = errno;

    c->inside++;
    ERR_set_mark();
    return error;
}

static inline void tk_door_close(tk_conn *c, int error)
{
    c->inside--;
    ERR_pop_to_mark();
    errno = error;
}

struct tk_ctx {
    SSL_CTX *ctx;
    BIO *keylog;
    tk_mutex keylog_mutex;
    tk_mutex alpn_mutex;    /* tk_alpn.c */
    uint8_t *alpn;
    size_t alpn_size;
    int32_t hooks, post_handshake_auth;
    tk_ring *ring;          /* NULL: libssl's own ticket keys */
    uint8_t names[TK_SCOPE]; /* stands for the names in its certificate */
    tk_mutex removed_mutex;
    tk_event *removed, **removed_end; /* what libssl has removed from its cache, the oldest first */
    int32_t removed_count;
};

extern int tk_ctx_index, tk_conn_index;
extern int32_t tk_generation; /* one more in every forked child */
tk_conn *tk_conn_of(const SSL *ssl);
tk_ctx *tk_ctx_of(const SSL_CTX *ctx);
void tk_hooks_install(tk_ctx *c);
void tk_hooks_remove(tk_ctx *c);
void tk_hooks_watch(tk_conn *c);
/* the part of tk_hooks_install that has to do with pre-shared keys */
void tk_psk_install(tk_ctx *c);
void tk_events_push(tk_conn *c, SSL_SESSION *session);
void tk_events_clear(tk_conn *c);

/* ---- tickets ---- */

void tk_conn_take_ring(tk_conn *c, tk_ctx *x);
void tk_ctx_identify(tk_ctx *c, X509 *leaf); /* this is its certificate now */
void tk_tickets_settle(tk_conn *c); /* the handshake is over: count what became of its ticket */

/* ---- sessions that are kept elsewhere ---- */

/* in the ClientHello hook: 1 when the handshake has to wait */
int tk_lookup_pause(tk_conn *c, SSL *ssl);
SSL_SESSION *tk_lookup_answer(SSL *ssl, const unsigned char *id, int size, int *copy);
void tk_lookup_end(tk_conn *c); /* the handshake is over */
void tk_lookup_removed(SSL_CTX *ctx, SSL_SESSION *session);

#endif

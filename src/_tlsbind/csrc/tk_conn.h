/* A connection: one SSL, one lock, and its state. */
#ifndef TK_CONN_H
#define TK_CONN_H

#include "tk_ctx.h"
#include "tk_info.h"
#include "tk_mem.h"

typedef struct tk_earlier tk_earlier; /* tk_result.h */
struct tk_op;

/* A write that ended early: `size` bytes of it are encrypted, which its caller does not know. */
typedef struct {
    size_t size;
    uint8_t print[32]; /* a digest of those bytes */
    uint64_t thread;   /* that made it */
    int32_t torn;      /* more bytes were to follow */
} tk_partial;

typedef struct {
    /* of the write; 0: nobody has the turn; UINT64_MAX: a write that ended early in its middle */
    uint64_t number;
    uint64_t thread;
    int32_t generation;
} tk_turn;

/* What a waiting reader has seen in the socket, where it still is. */
typedef struct {
    int fresh; /* nothing was read from the socket since */
    int error; /* of recv; 0: none */
    size_t size;
    uint8_t bytes[2048];
} tk_look;

/* tk_conn.door */
enum { TK_DOOR_NONE, TK_DOOR_SERVERNAME, TK_DOOR_PSK, TK_DOOR_MESSAGE, TK_DOOR_VERIFY,
       TK_DOOR_ALPN, TK_DOOR_KEYLOG, TK_DOOR_STATE, TK_DOOR_TICKET,
       TK_DOOR_SESSION_ID, TK_DOOR_PASS };

struct tk_conn {
    SSL *ssl;
    tk_mutex mutex;         /* tk_lock.c */
    int64_t queueing_since; /* when the next of the threads that wait for it began to wait, */
    int32_t queueing;       /* and how many those are */
    int32_t orphaned;       /* a forked child: what was begun will never end */
    tk_condition left;      /* a thread has stopped waiting */
    int64_t fd;             /* -1: memory transport */
    tk_mem *incoming, *outgoing;
    void *handle;           /* for calls to Python; NULL: none */

    int32_t closed;
    int32_t waiting;        /* how many threads are in poll ... */
    int32_t reader;         /* whether one of them waits to read, for all that would */
    tk_condition handover;  /* that one has left: the next may wait for the socket */
    int32_t born;           /* tk_generation of the process that made it */
    int32_t generation;     /* ... of the process that these threads are of */

    tk_queue ahead;         /* read from the socket, not yet asked for by libssl */
    tk_look *look;          /* a peek at the socket, for the next step; NULL: none */
    uint64_t taken;         /* how often something was taken from the socket */
    uint8_t header[5];      /* of the record that libssl has begun: the first header_size bytes */
    uint8_t header_size;
    uint8_t astray;         /* ... or of what was no record: where one begins is unknown */
    size_t missing;         /* of its body, what libssl has not been given yet */
    size_t stride;          /* how much one recv asks for */
    /* how many bytes the reader in charge can still take; 0: read no further than libssl asks */
    size_t reader_room;
    tk_queue behind;        /* written by libssl, not yet taken by the socket */
    uint8_t corked;         /* more records follow at once: gather them for one send */
    uint8_t starved;        /* libssl has asked for more than there is */
    uint8_t dry;            /* the last read had to wait: the next one begins with that */
    size_t budget;          /* how many bytes it may be given before others have their turn */
    uint64_t queued, sent;  /* bytes that libssl wrote, and that the transport took */
    uint64_t received;
    tk_stage *stage;        /* of an event loop's connection, and ... */
    tk_stage *on_stage;     /* while an operation of tk_stream.c runs there: it; else NULL */
    int32_t receives;       /* how often that operation may call recv */
    uint8_t streams;        /* the last recv has returned more than a record */
    uint8_t end_hidden;     /* libssl does not learn of the transport's end: tk_stream.c */
    int32_t read_errno, write_errno, at_end;
    int32_t send_failed;    /* the errno of a failed send: nothing more can be sent */

    tk_partial *owed;       /* writes that ended early, see tk_write.c */
    int32_t owed_count;
    int64_t completed;      /* when the first handshake was, in seconds since 1970 */
    uint64_t writes;        /* how many numbers of writes have been given out */
    tk_turn turn;           /* of the write whose bytes go out now */
    tk_condition turns;     /* it has changed */
    tk_fault *fault[4];     /* the last one of each kind of operation; NULL: none yet */
    uint8_t failed;         /* 1 + the kind of operation in which the first handshake failed */
    int32_t parked;         /* the outcome of a read that failed for good, for later reads */
    uint8_t told;           /* a reader was given that, or the peer's end */
    int32_t reports_sessions; /* new ones are handed out to Python */
    int32_t over;           /* between a program's queues: no more incoming bytes belong to TLS */
    tk_mem_source *source;  /* what a read takes, once `incoming` is empty; NULL: nothing */
    tk_mem_sink *sink;      /* where a write puts what fits, before `outgoing`; NULL: nowhere */

    tk_event *first_event, *last_event;
    int32_t events;
    int16_t alert_sent, alert_received;
    int16_t verify_depth, verdict_depth;
    int32_t verdict;        /* the first error that did not end the handshake: tk_verify.c */
    int (*signatures)(X509_STORE_CTX *); /* libcrypto's check of them, while a chain is verified */
    STACK_OF(X509) *judged; /* a chain that waits for Python's answer */
    char *matched;          /* the name in the certificate, of those that are wanted; NULL: none */
    uint8_t chosen;         /* a server: its certificate was requested (tk_cert_cb.c) */
    uint8_t reports;        /* such errors are reported, ... */
    uint8_t reported;       /* and one has been */
    uint8_t done;           /* a handshake was complete, whatever has come since: tk_result.c */
    uint8_t reused;         /* ... and it resumed a session */
    uint32_t renegotiations; /* handshakes that were complete after it, */
    uint8_t finished;       /* and whether the peer's Finished of the next has come */
    uint8_t hears_cuts;     /* an end without close_notify is an error to this connection's user */
    uint8_t close_notify;   /* one has come */
    uint8_t parted;         /* the peer has sent close_notify */
    tk_info *info;          /* notes of this handshake; NULL: none */
    X509 *rejected;         /* the certificate that verification failed at (tk_explain.c) */
    STACK_OF(X509) *refused, *built; /* its chain as it was sent, and as far as it was built */
    uint8_t first[16];      /* the first bytes that arrived */
    EVP_PKEY *share;        /* a client's first key share, until then: tk_key_shares.c */
    tk_earlier *earlier;    /* of the handshake before this one; NULL: there was none */
    /* a server that verifies: its session id context stands for its policy */
    uint8_t has_id_base;
    uint8_t unanswered;     /* what Python has to decide before anything goes on: TK_PAUSE_..., */
    uint8_t answered;       /* what it has decided, and libssl has not asked again yet, */
    int16_t refusal;        /* and the alert to refuse with; -1: go on (tk_pause.c) */
    tk_queue hello;         /* a server's ClientHello, until Python has seen it: tk_hello.c */
    uint8_t greeted;        /* ... which it has */
    uint8_t external;       /* a server: sessions are kept elsewhere (tk_lookup.c) */
    uint8_t looked;         /* the ClientHello has been looked at */
    uint8_t offered;        /* what was in it: TK_OFFERED_... */
    uint8_t wanted_size;
    uint8_t wanted[32];     /* the id of the session that the client wants */
    SSL_SESSION *found;     /* it, from elsewhere */
    /* early data: a client's to send; a server's that has come and was not read */
    tk_queue early;
    unsigned char *psk_identity; /* a client: room for one, and for libssl to read it: tk_psk.c */
    struct tk_app_data *app_data; /* of the ticket that was resumed: tk_app_data.c */
    /* of an operation, where the context has demands: tk_handshake.c, which needs tk_op.c */
    int (*demanding_step)(tk_conn *c, struct tk_op *op);
    uint64_t inside_thread; /* Python is behind a door, called by this thread: libssl must not be */
    uint8_t inside;         /* entered again, and the call that it is in goes on afterwards; */
    uint8_t door;           /* which door */
    tk_times *times;        /* when each step was reached; NULL: not requested (tk_times.c) */
    uint8_t shutdown_sent;
    uint8_t found_once;     /* nobody else will find it */
    uint8_t early_state;    /* tk_handshake.c */
    uint8_t early_withheld; /* a client: early data must not go with the session that is offered */
    uint8_t demanding, unwanted; /* tk_groups.c */
    uint8_t ech;            /* a client: its ClientHello is encrypted (tk_ech.c) */
    uint8_t interrupted;    /* Python, behind a door, has raised: do not wait */
    uint8_t has_read;       /* some application data was read */
    uint8_t ticket;         /* the fate of the last ticket that the client offered: tk_ticket.c */
    uint8_t refused_ticket; /* why: TK_TICKET_... */
    /* the id context of the session in it: tk_ticket_data.c; the size is one more, 0: none */
    uint8_t shown_context[SSL_MAX_SID_CTX_LENGTH], shown_context_size;
    uint8_t tickets_counted; /* what was counted for this handshake */
    int64_t shown_end;      /* when the session in the last ticket expires */
    /* a server's keys for tickets, as they were when the connection was made; NULL: libssl's own */
    tk_ring *ring;
    uint8_t names[TK_SCOPE]; /* ... and what its tickets are for */
    /* of the state that it began with, whatever a callback for the server name switches to */
    SSL_CTX *session_ctx;
    tk_cache *cache;
    int64_t cache_mode;
    int32_t hooks;
};

extern int tk_conn_index;
tk_conn *tk_conn_of(const SSL *ssl);

/* Whether libssl searches what `x` trusts for the rest of this side's chain: tk_conn_facts.c. */
void tk_conn_seek_chain(tk_conn *c, const tk_ctx *x);

/* In memory: a read would find nothing, and nothing is to be sent. */
int tk_conn_is_dry(tk_conn *c);

/* In memory: write all of it, and pass on what libssl makes of it, and of anything else meanwhile,
   unless something waits in `outgoing`. As behind every door, other threads may come in then. */
int64_t tk_conn_write_passing(tk_conn *c, const void *data, size_t size,
                              int (*pass)(void *to, const void *data, size_t size), void *to);

#endif

/* Part of the border (tk_api.h): connections of event loops, whose bytes go through a stage. */

typedef struct tk_stage tk_stage; /* buffers that all connections of a loop share */

/* bytes of the buffer for what one call decrypts */
enum { TK_STAGE_ROOM = 262144 };

/* What tk_stream_receive returns besides the statuses of an operation. */
enum {
    TK_NOTHING = 0,  /* nothing has arrived; call again when the socket is readable */
    TK_ENDED = -13   /* the transport has ended between two records, without close_notify */
};

/* What an operation returns unless it fails: a count in the low 32 bits, how many bytes of
   ciphertext wait to be sent in the next 24, and these. */
enum {
    TK_STREAM_EVENTS = 1, /* sessions are in the queue */
    TK_STREAM_AGAIN = 2,  /* receive: call again without waiting; send: receive first */
    TK_STREAM_UNSENT_SHIFT = 32, TK_STREAM_FLAGS_SHIFT = 56
};

/* receives: how often one operation may receive. 1 where the loop tells of what is left; 2 where it
   does not always: the second time finds the error behind the data. */
tk_stage *tk_stage_new(int32_t receives);
void tk_stage_free(tk_stage *s);
void *tk_stage_plain(tk_stage *s); /* TK_STAGE_ROOM bytes, to decrypt into */

int tk_stream_open(tk_conn *c, tk_stage *s); /* once, before the handshake */
int64_t tk_stream_handshake(tk_conn *c, int64_t timeout); /* as tk_conn_handshake */
int64_t tk_stream_receive(tk_conn *c); /* to tk_stage_plain */
int64_t tk_stream_receive_into(tk_conn *c, void *into, size_t room);
/* these bytes, or a first part of them; none: send on what waits */
int64_t tk_stream_send(tk_conn *c, const void *data, size_t size);
int64_t tk_stream_finish(tk_conn *c); /* send close_notify */
/* whether tk_stream_receive can return something without the socket */
int tk_stream_waiting(tk_conn *c);
size_t tk_stream_unsent(tk_conn *c);  /* how many bytes of ciphertext wait to be sent */
/* for a connection without a socket: take the bytes to send, which the caller carries */
size_t tk_stream_take(tk_conn *c, void *into, size_t room);

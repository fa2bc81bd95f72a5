/* Further queries about a peer, and close_notify without waiting for the peer's. */

enum { TK_NAME_BEGIN = 1, TK_NAME_RDN, TK_NAME_KEY, TK_NAME_VALUE };

void tk_x509_rfc4514(X509 *x, tk_records *out); /* the subject, as RFC 4514 writes it */
/* A client: the names of the authorities that the server would accept (TK_NAME_...). */
void tk_conn_ca_names(tk_conn *c, tk_records *out);
int tk_conn_parted(tk_conn *c); /* the peer has sent close_notify: not just ended the transport */
int64_t tk_conn_round_trip(tk_conn *c); /* of the handshake, in microseconds; -1: not known */
typedef struct { /* nanoseconds of the clock that `now` is of; 0: it has not come to that */
    int64_t now, started, hello, first_flight, verified, finished;
} tk_times;
int tk_conn_times(tk_conn *c, tk_times *out); /* 0: nothing was noted */
/* events of a handshake, and alerts */
enum {
    TK_STATE_START = 1, TK_STATE_STEP, TK_STATE_DONE, TK_STATE_READ_ALERT, TK_STATE_WRITE_ALERT
};
const char *tk_conn_state(tk_conn *c); /* libssl's words for where a handshake is */
/* Send close_notify, and do not wait for the peer's. What it still sends can be read. */
int64_t tk_conn_close_notify(tk_conn *c, int64_t timeout);

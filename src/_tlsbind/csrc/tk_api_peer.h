/* Further queries about a peer, and close_notify without waiting for the peer's. */

enum { TK_NAME_BEGIN = 1, TK_NAME_RDN, TK_NAME_KEY, TK_NAME_VALUE };

void tk_x509_rfc4514(X509 *x, tk_records *out); /* the subject, in the notation of RFC 4514 */
/* On a client, the names of the authorities that the server accepts (TK_NAME_...). */
void tk_conn_ca_names(tk_conn *c, tk_records *out);
int tk_conn_parted(tk_conn *c); /* the peer has sent close_notify: not just ended the transport */
int64_t tk_conn_round_trip(tk_conn *c); /* of the handshake, in microseconds; -1 if unknown */
typedef struct { /* nanoseconds by the clock of `now`; 0: not reached */
    int64_t now, started, hello, first_flight, verified, finished;
} tk_times;
int tk_conn_times(tk_conn *c, tk_times *out); /* 0: nothing was recorded */
/* events of a handshake, and alerts */
enum {
    TK_STATE_START = 1, TK_STATE_STEP, TK_STATE_DONE, TK_STATE_READ_ALERT, TK_STATE_WRITE_ALERT
};
const char *tk_conn_state(tk_conn *c); /* libssl's text for the state of a handshake */
/* Send close_notify, and do not wait for the peer's. Its remaining data can still be read. */
int64_t tk_conn_close_notify(tk_conn *c, int64_t timeout);

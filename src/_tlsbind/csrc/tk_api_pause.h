/* Part of the border (tk_api.h): pauses. An operation that returns TK_PAUSED waits for Python: ask
   tk_conn_paused why, call tk_conn_go_on or tk_conn_refuse, then repeat the operation. */

enum {
    TK_PAUSE_NONE = 0,
    TK_PAUSE_BEFORE = 1,     /* the handshake has not begun: decide what to resume */
    TK_PAUSE_HELLO = 2,      /* a server has received its ClientHello: tk_conn_hello */
    TK_PAUSE_LOOKUP = 3,     /* ... which offers a session: tk_conn_offered_id */
    TK_PAUSE_CERTIFICATE = 4, /* decide which certificate to send */
    TK_PAUSE_VERIFY = 5      /* on a client, decide whether the chain is good */
};

void tk_conn_pause(tk_conn *c); /* before the handshake, return TK_PAUSED once */
int tk_conn_paused(tk_conn *c); /* TK_PAUSE_...: why the connection waits */
void tk_conn_go_on(tk_conn *c);
void tk_conn_refuse(tk_conn *c, int alert); /* continue, and fail with this alert */
/* the received ClientHello, in that pause: one body with the tag 1 */
void tk_conn_hello(tk_conn *c, tk_records *out);

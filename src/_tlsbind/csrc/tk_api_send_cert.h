/* The certificate that a connection sends if Python decides, and what the peer has requested. */

enum { TK_REQUEST_ASKED = 10, TK_REQUEST_SIGALGS, TK_REQUEST_TYPES };

/* In the pause TK_PAUSE_CERTIFICATE: send these instead of the context's, one for each type of
   key. */
int tk_conn_show(tk_conn *c, tk_credential **list, int count, tk_fault *fault);
/* What a server asks its client for, or a client says that it can verify: TK_REQUEST_ASKED first if
   it does, signature algorithms and certificate types as they came, and the names of authorities
   (TK_NAME_...). */
void tk_conn_request(tk_conn *c, tk_records *out);

/* How a context verifies its peers, besides libssl's own settings: purpose, time, names, and how an
   error is handled. */

enum { TK_VERIFY_HOST = 1, TK_VERIFY_IP = 2 };

/* the return values of tk_py_verify_each */
enum { TK_VERIFY_REFUSED = 0, TK_VERIFY_AS_IT_IS = 1, TK_VERIFY_ACCEPTED = 2 };
enum { TK_VERIFY_LATER = 2 }; /* tk_py_verify's */

int tk_purpose(const char *name); /* by OpenSSL's short name ("sslserver"); -1 if unknown */
void tk_ctx_set_verify_purpose(tk_ctx *c, int purpose); /* 0: the role's */
/* seconds since 1970 instead of the clock's; with `set` 0, the clock's */
void tk_ctx_set_verify_time(tk_ctx *c, int64_t time, int set);
/* Names, one of which the peer's certificate must match: for each its kind, its size (a byte each),
   and its bytes. Returns 0 without memory. */
int tk_ctx_set_verify_names(tk_ctx *c, const void *names, size_t size);
/* In the pause TK_PAUSE_VERIFY: the chain that has passed, each in DER, the leaf first. */
void tk_conn_judged(tk_conn *c, tk_records *out);
void tk_ctx_set_verify_report(tk_ctx *c, int on); /* an error is reported, and does not abort */

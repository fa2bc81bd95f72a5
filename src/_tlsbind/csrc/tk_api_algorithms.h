/* Part of the border (tk_api.h): groups, signature algorithms, pre-shared keys. */

void tk_signature_algorithms(tk_records *out); /* all names that libssl knows */
/* the names of those that could be used */
void tk_ctx_groups(tk_ctx *c, int aliases, tk_records *out);
int tk_ctx_set_sigalgs(tk_ctx *c, int of_clients, const char *list, tk_fault *fault);
/* the algorithm that a side signed with, and the context's; NULL if there is none */
const char *tk_conn_signature(tk_conn *c, int peer);
int tk_ctx_set_psk_hint(tk_ctx *c, const char *hint); /* NULL: none */
/* up to TLS 1.2: of the key that was used, on either side; how long it is, 0: none was */
int tk_conn_psk_identity(tk_conn *c, char *into, size_t room);

/* What was negotiated so far, in all states of a context: a name under its kind, then its count of
   64 bits. */
enum { TK_SEEN_GROUP = 1, TK_SEEN_SIGNATURE = 2, TK_SEEN_OTHER = 3, TK_SEEN_COUNT = 4 };

void tk_ctx_seen(tk_ctx *c, tk_records *out);

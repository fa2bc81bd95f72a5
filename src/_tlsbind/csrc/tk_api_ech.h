/* Part of the border (tk_api.h): Encrypted ClientHello (ECH, RFC 9849) on clients. */

enum { TK_ECH_NONE = 0, TK_ECH_GREASE = 1, TK_ECH_ACCEPTED = 2, TK_ECH_REJECTED = 3 };

typedef struct {
    int32_t status; /* TK_ECH_...; without an answer yet, TK_ECH_REJECTED */
    char outer[256]; /* the name in the outer ClientHello; "" if none */
} tk_ech;

/* how many configurations of this ECHConfigList libssl can use */
int tk_ech_usable(const void *list, size_t size);
/* Before the handshake. An outer name of NULL: that of the configuration. 0: libssl refuses it; -1:
   the connection cannot use TLS 1.3. */
int tk_conn_encrypt_hello(tk_conn *c, const void *list, size_t size, const char *outer);
/* look like a client that encrypts it (RFC 9849, 6.2) */
void tk_conn_grease_hello(tk_conn *c);
int tk_conn_encrypts_hello(tk_conn *c);
void tk_conn_ech(tk_conn *c, tk_ech *out);
/* After a rejection: 1 if the server has proved that it is the outer name's, with its new
   configurations, if it sent any; 0: neither may be relied on. */
int tk_conn_ech_retry(tk_conn *c, tk_records *out);

/* Facts about a connection after a failed operation, besides the fault. */

typedef struct {
    int32_t server, done;
    int32_t asked;           /* a client: the server has requested a certificate */
    int32_t own_certificate; /* this side has one */
    int32_t staple;          /* a client: TK_STAPLE_...; 0: not checked */
    int32_t min_version, max_version, security_level;
    uint32_t came_size;
    uint64_t received;       /* bytes, from the peer */
    uint8_t came[64];        /* the first ones; little more than libssl has read */
    char server_name[256];   /* in the ClientHello; "" if there was none */
} tk_explain;

/* A client whose write met a closed connection, before it has read anything: look for the alert
   that the server may have sent before, as one that refuses a certificate in TLS 1.3 does. A reader
   will be told too. */
int64_t tk_conn_glance(tk_conn *c);
void tk_conn_explain(tk_conn *c, tk_explain *out);
/* The chain that failed verification, in DER, leaf first: as the peer sent it, or (`built`) as far
   as it could be built. */
void tk_conn_refused(tk_conn *c, int built, tk_records *out);

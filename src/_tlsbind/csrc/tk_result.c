/* The result of a handshake remains valid to the end of the connection.

   libssl forgets it. After any fatal error SSL_is_init_finished is false. Many peers end without
   close_notify, which libssl (from 3.0 on) treats as such an error: it sends an alert, withdraws
   the session and removes it from a server's cache. So this file remembers that the handshake is
   complete. From then on libssl treats an end without close_notify as an end
   (SSL_OP_IGNORE_UNEXPECTED_EOF), and whether a close_notify arrived is checked here: callers see
   the same as before, and the session stays good (RFC 5246, 7.2.1; RFC 8446, 6.1).

   During a renegotiation, and after one that failed, the previous handshake counts: a server that
   asks for the client's certificate in between must not get the answer that there is none. The
   application protocol outlasts renegotiations, in which libssl neither offers nor accepts one. */
#include "tk_result.h"
#include "tk_facts.h"
#include "tk_lock.h"
#include "tk_records.h"
#include "tk_tally.h"
#include "tk_key_shares.h"
#include "tk_groups.h"

static void begin_again(tk_conn *c)
{
    const char *identity = SSL_get_psk_identity(c->ssl);
    tk_earlier *e = c->earlier;
    tk_conn_facts facts;
    int64_t ems;

    if (e == NULL && (e = c->earlier = calloc(1, sizeof *e)) == NULL)
        return; /* no memory: the questions get what libssl says */
    if (e->counts)
        return;
    memset(&facts, 0, sizeof facts);
    tk_facts_negotiated(c, &facts);
    if (c->info != NULL && tk_info_number(c->info, TK_INFO_EMS, &ems))
        facts.extended_master_secret = (int32_t)ems; /* libssl does not say any more */
    e->facts = facts;
    e->session = SSL_get1_session(c->ssl);
    e->psk_identity = identity != NULL ? strdup(identity) : NULL;
    e->finished_size[0] = SSL_get_finished(c->ssl, e->finished[0], sizeof e->finished[0]);
    e->finished_size[1] = SSL_get_peer_finished(c->ssl, e->finished[1], sizeof e->finished[1]);
    e->info = c->info;
    c->info = NULL; /* tk_info_begin makes another */
    e->counts = 1;
}

static void forget(tk_conn *c)
{
    tk_earlier *e = c->earlier;

    if (e == NULL)
        return;
    SSL_SESSION_free(e->session);
    tk_info_free(e->info);
    free(e->psk_identity);
    e->session = NULL;
    e->info = NULL;
    e->psk_identity = NULL;
    e->counts = 0;
}

static void complete(tk_conn *c)
{
    forget(c);
    tk_groups_judge(c); /* it looks at the shares */
    if (c->finished || !c->done)
        tk_key_shares_drop(c);
    if (c->done) {
        c->renegotiations += c->finished; /* a request for one is a handshake for libssl, too */
        c->finished = 0;
        return;
    }
    c->done = 1;
    c->completed = (int64_t)time(NULL);
    tk_tally_count(c);
    c->reused = (uint8_t)SSL_session_reused(c->ssl);
    c->hears_cuts = (SSL_get_options(c->ssl) & SSL_OP_IGNORE_UNEXPECTED_EOF) == 0;
    SSL_set_options(c->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

/* Whether the peer's Finished has come, in a handshake after the first. */
static int has_finished_again(const tk_conn *c, int where)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(c->ssl);

    return c->done && (where & SSL_CB_LOOP) && SSL_version(c->ssl) < TLS1_3_VERSION &&
           (state == TLS_ST_SR_FINISHED || state == TLS_ST_CR_FINISHED);
}

void tk_result_watch(tk_conn *c, int where, int value)
{
    tk_key_shares_watch(c, where);
    if (has_finished_again(c, where))
        c->finished = 1;
    if (where == SSL_CB_HANDSHAKE_START && c->done)
        begin_again(c);
    /* libssl also says so when it stops for early data; a TLS 1.3 server has its tickets to send */
    else if (where == SSL_CB_HANDSHAKE_DONE && SSL_get_state(c->ssl) != TLS_ST_EARLY_DATA)
        complete(c);
    else if (where == SSL_CB_READ_ALERT && (value & 0xff) == SSL_AD_CLOSE_NOTIFY)
        c->close_notify = 1;
}

int tk_result_is_cut(const tk_conn *c)
{
    return c->hears_cuts && !c->close_notify && (SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN);
}

void tk_result_free(tk_conn *c)
{
    forget(c);
    free(c->earlier);
}

const tk_earlier *tk_result_earlier(const tk_conn *c)
{
    return c->earlier != NULL && c->earlier->counts ? c->earlier : NULL;
}

SSL_SESSION *tk_result_session(const tk_conn *c)
{
    const tk_earlier *e = tk_result_earlier(c);

    return e != NULL ? e->session : SSL_get_session(c->ssl);
}

tk_info *tk_result_info(const tk_conn *c)
{
    const tk_earlier *e = tk_result_earlier(c);

    return e != NULL ? e->info : c->info;
}

X509 *tk_result_peer(const tk_conn *c)
{
    const tk_earlier *e = tk_result_earlier(c);

    return e != NULL ? SSL_SESSION_get0_peer(e->session) : SSL_get0_peer_certificate(c->ssl);
}

int tk_result_reused(const tk_conn *c)
{
    return c->done ? c->reused : SSL_session_reused(c->ssl);
}

/* ---- what a connection tells of it ---- */

void tk_conn_info(tk_conn *c, tk_records *out)
{
    SSL_SESSION *s;
    tk_info *f, *live;

    tk_conn_lock(c);
    s = tk_result_session(c);
    live = tk_result_info(c);
    if ((f = tk_info_of(s)) != NULL)
        tk_info_write(out, f);
    if (live != NULL && live != f && live->complete) {
        tk_records_add(out, TK_INFO_LIVE, NULL, 0);
        tk_info_write(out, live);
    }
    tk_conn_unlock(c);
}

/* libssl withdraws the session of a connection that has failed. By then it was good. Only DER
   leaves that mark out; the notes go along. */
static SSL_SESSION *mended(SSL_SESSION *s)
{
    unsigned char *der = NULL;
    const unsigned char *p;
    int size = i2d_SSL_SESSION(s, &der);
    SSL_SESSION *copy;

    if (size <= 0)
        return NULL;
    p = der;
    copy = d2i_SSL_SESSION(NULL, &p, size);
    OPENSSL_clear_free(der, (size_t)size);
    if (copy != NULL && tk_info_of(s) != NULL)
        (void)tk_info_attach(copy, tk_info_of(s));
    return copy;
}

/* Whether anything can be resumed by it: without, libssl's own is as good as a copy. */
static int has_name(const SSL_SESSION *s)
{
    unsigned int size;

    (void)SSL_SESSION_get_id(s, &size);
    return size > 0 || SSL_SESSION_has_ticket(s);
}

/* A copy: what happens to the connection later does not happen to it. Before the handshake is
   complete libssl still writes to its own. */
SSL_SESSION *tk_conn_session(tk_conn *c)
{
    SSL_SESSION *s, *copy = NULL;

    tk_conn_lock(c);
    s = tk_result_session(c);
    if (s != NULL && c->done && !has_name(s))
        SSL_SESSION_up_ref(copy = s);
    else if (s != NULL && c->done && !SSL_is_server(c->ssl) && !SSL_SESSION_is_resumable(s))
        copy = mended(s);
    if (s != NULL && copy == NULL)
        copy = SSL_SESSION_dup(s);
    tk_conn_unlock(c);
    return copy;
}

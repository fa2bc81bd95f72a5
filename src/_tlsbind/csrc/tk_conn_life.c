/* How a connection begins and ends, and the small queries that need no operation. */
#include "tk_app_data.h"
#include "tk_cache.h"
#include "tk_fault.h"
#include "tk_handshake.h"
#include "tk_hello.h"
#include "tk_hooks.h"
#include "tk_lock.h"
#include "tk_notes.h"
#include "tk_result.h"
#include "tk_ticket.h"
#include "tk_times.h"
#include "tk_transport.h"
#include "tk_explain.h"
#include "tk_verify.h"
#include "tk_groups.h"

/* ---- life ---- */

static int set_transport(tk_conn *c, tk_mem *incoming, tk_mem *outgoing)
{
    BIO *b;

    if (c->fd < 0) {
        tk_mem_join(c->incoming = incoming);
        tk_mem_join(c->outgoing = outgoing);
    } else if (!tk_fd_prepare((tk_fd)c->fd)) {
        return 0;
    }
    if ((b = tk_transport_new(c)) == NULL)
        return 0;
    SSL_set_bio(c->ssl, b, b);
    return 1;
}

static void offer_post_handshake_auth(SSL *ssl, int server)
{
    int mode = SSL_get_verify_mode(ssl);

    if (!server)
        SSL_set_post_handshake_auth(ssl, 1);
    else if (mode & SSL_VERIFY_PEER)
        SSL_set_verify(ssl, mode | SSL_VERIFY_POST_HANDSHAKE, SSL_get_verify_callback(ssl));
}

static void destroy(tk_conn *c)
{
    int kind;

    if (c->ssl != NULL && !c->orphaned) {
        c->handle = NULL;
        /* A connection that ends without close_notify leaves its session resumable (RFC 5246 7.2.1,
           RFC 8446 6.1); without this, SSL_free would mark it bad. After a fatal alert libssl has
           marked it already. */
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(c->ssl);
    }
    tk_events_clear(c);
    tk_queue_clear(&c->ahead);
    tk_queue_clear(&c->behind);
    tk_info_end(c);
    free(c->owed);
    EVP_PKEY_free(c->share);
    OPENSSL_free(c->matched);
    sk_X509_pop_free(c->judged, X509_free);
    SSL_SESSION_free(c->found);
    tk_queue_clear(&c->early);
    tk_hello_end(c);
    free(c->times);
    tk_explain_end(c);
    tk_result_free(c);
    tk_app_data_free(c);
    free(c->psk_identity);
    tk_ring_free(c->ring);
    tk_cache_free(c->cache);
    tk_mem_part(c->incoming);
    tk_mem_part(c->outgoing);
    for (kind = TK_HANDSHAKE; kind <= TK_SHUTDOWN; kind++)
        free(c->fault[kind]);
    if (c->generation == tk_generation) { /* else threads of the parent may seem to use them */
        tk_condition_destroy(&c->handover);
        tk_condition_destroy(&c->turns);
        tk_condition_destroy(&c->left);
        tk_mutex_destroy(&c->mutex);
    }
    free(c);
}

static tk_conn *create(tk_ctx *x, int server, int64_t fd, tk_mem *incoming, tk_mem *outgoing,
                       void *handle, tk_fault *fault)
{
    tk_conn *c = calloc(1, sizeof *c);

    tk_fault_begin();
    if (c == NULL) {
        tk_fail(fault);
        return NULL;
    }
    tk_mutex_init(&c->mutex);
    tk_condition_init(&c->left);
    tk_condition_init(&c->turns);
    tk_condition_init(&c->handover);
    c->early.in_clear = 1;
    c->fd = fd;
    c->handle = handle;
    c->born = c->generation = tk_generation;
    c->alert_sent = c->alert_received = c->verify_depth = -1;
    c->session_ctx = x->ctx;
    c->cache = tk_cache_up_ref(x->cache);
    c->cache_mode = x->cache_mode;
    c->hooks = x->hooks;
    c->ssl = SSL_new(x->ctx);
    if (c->ssl == NULL || !set_transport(c, incoming, outgoing) ||
        !SSL_set_ex_data(c->ssl, tk_conn_index, c)) {
        tk_fail(fault);
        destroy(c);
        return NULL;
    }
    SSL_set_mode(c->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_clear_mode(c->ssl, SSL_MODE_AUTO_RETRY); /* it would keep reading until there is data */
    tk_conn_seek_chain(c, x);
    tk_hooks_watch(c);
    tk_verify_prepare(c, x);
    /* an id context is the server's; a client that has one refuses sessions from elsewhere, after
       the fact */
    if (!server)
        SSL_set_session_id_context(c->ssl, (const unsigned char *)"", 0);
    if (x->post_handshake_auth)
        offer_post_handshake_auth(c->ssl, server);
    if (server) {
        c->has_id_base = (uint8_t)x->has_id_base;
        tk_conn_take_ring(c, x);
        SSL_set_accept_state(c->ssl);
    } else
        SSL_set_connect_state(c->ssl);
    tk_groups_begin(c, x);
    tk_handshake_prepare(c);
    tk_times_prepare(c);
    tk_notes_watch(c);
    return c;
}

static int set_name(SSL *ssl, const tk_server_name *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    return (name->sni == NULL || SSL_set_tlsext_host_name(ssl, name->sni)) &&
           (name->host == NULL || X509_VERIFY_PARAM_set1_host(param, name->host, 0)) &&
           (name->ip == NULL || X509_VERIFY_PARAM_set1_ip(param, name->ip, name->ip_size));
}

tk_conn *tk_conn_open(tk_ctx *x, int server, int64_t fd, tk_mem *incoming, tk_mem *outgoing,
                      void *handle, const tk_server_name *name, tk_fault *fault)
{
    tk_conn *c;

    tk_fork_enter(x);
    c = create(x, server, fd, incoming, outgoing, handle, fault);
    if (c != NULL && name != NULL && !set_name(c->ssl, name)) {
        tk_fail(fault);
        destroy(c);
        c = NULL;
    }
    tk_fork_leave(x);
    return c;
}

void tk_conn_free(tk_conn *c)
{
    if (c == NULL)
        return;
    tk_fork_enter(c);
    destroy(c);
    tk_fork_leave(c);
}

enum { TICKETS_MOST = 16 };

/* A TLS 1.3 client that has read nothing may have its tickets still in the socket. Take them in:
   they are worth having, and a socket that is closed over unread bytes resets the connection, which
   the server would see as an error. */
static void take_tickets(tk_conn *c)
{
    char byte;
    size_t n;
    int messages = 0, result;

    if (c->fd < 0 || c->has_read || c->closed || c->orphaned || c->inside ||
        SSL_is_server(c->ssl) || c->born != tk_generation)
        return;
    if (SSL_version(c->ssl) != TLS1_3_VERSION || !SSL_is_init_finished(c->ssl) ||
        SSL_get_shutdown(c->ssl) != 0)
        return;
    tk_op_refill(c);
    do {
        result = SSL_peek_ex(c->ssl, &byte, 1, &n);
    } while (result != 1 && SSL_get_error(c->ssl, result) == SSL_ERROR_WANT_READ && !c->starved &&
             ++messages < TICKETS_MOST);
    ERR_clear_error();
}

/* For the same reason: a peer would not see a fatal alert if the reset of the connection came
   with it. */
static void drop_the_rest(tk_conn *c)
{
    uint8_t unwanted[4096];
    int i;

    if (c->fd < 0 || c->alert_sent < 0 || c->closed || c->orphaned || c->inside ||
        c->born != tk_generation)
        return;
    for (i = 0; i < 16 && tk_fd_recv((tk_fd)c->fd, unwanted, sizeof unwanted) > 0; i++)
        ;
}

void tk_conn_close(tk_conn *c)
{
    tk_conn_lock(c);
    take_tickets(c);
    drop_the_rest(c);
    c->closed = 1;
    if (c->inside) /* from now on libssl must not touch the descriptor's next owner */
        c->send_failed = EBADF;
    if (c->waiting > 0) {
        tk_condition_broadcast(&c->turns);
        tk_condition_broadcast(&c->handover);
        tk_fd_wake((tk_fd)c->fd);
    }
    while (c->waiting > 0)
        tk_conn_wait(c, &c->left, -1);
    tk_conn_unlock(c);
}

/* ---- small queries and settings ---- */

void tk_conn_fault(tk_conn *c, int operation, tk_fault *out)
{
    memset(out, 0, sizeof *out);
    tk_conn_lock(c);
    if (c->fault[operation] != NULL)
        *out = *c->fault[operation];
    tk_conn_unlock(c);
}

int64_t tk_conn_pending(tk_conn *c)
{
    int64_t n;

    tk_conn_lock(c);
    n = SSL_pending(c->ssl);
    tk_conn_unlock(c);
    return n;
}

int tk_conn_holds_more(tk_conn *c)
{
    int more;

    tk_conn_lock(c);
    if (c->parked != TK_STEP_NONE || SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN)
        more = !c->told;
    else
        more = SSL_pending(c->ssl) > 0 || tk_transport_holds_record(c);
    tk_conn_unlock(c);
    return more;
}

int tk_conn_feed(tk_conn *c, const void *data, size_t size)
{
    int ok;

    tk_conn_lock(c);
    ok = tk_queue_put(&c->ahead, data, size);
    tk_conn_unlock(c);
    return ok;
}

int64_t tk_conn_leftover(tk_conn *c, void *into, size_t room)
{
    size_t n;

    tk_conn_lock(c);
    n = tk_queue_take(&c->ahead, into, room);
    tk_conn_unlock(c);
    return (int64_t)n;
}

int tk_conn_handshake_done(tk_conn *c)
{
    int done;

    tk_conn_lock(c);
    done = c->done;
    tk_conn_unlock(c);
    return done;
}

/* The callbacks that libssl calls: notifications are queued or counted here, without Python;
   queries to Python go through one guarded door. */
#include <openssl/rand.h>

#include "tk_hooks.h"
#include "tk_alpn.h"
#include "tk_cache.h"
#include "tk_cert_cb.h"
#include "tk_door.h"
#include "tk_hello.h"
#include "tk_keylog.h"
#include "tk_lookup.h"
#include "tk_notes.h"
#include "tk_psk.h"
#include "tk_session_id.h"
#include "tk_result.h"
#include "tk_ticket.h"
#include "tk_times.h"
#include "tk_verify.h"

/* ---- per connection: alerts, and the end of the handshake ---- */

static void note(const SSL *ssl, tk_conn *c, int where, int value)
{
    tk_result_watch(c, where, value);
    /* With TLS 1.2, a server's session is in the cache, and so anybody's, before libssl calls the
       handshake done. */
    if (where == SSL_CB_HANDSHAKE_DONE ||
        (where == SSL_CB_ACCEPT_LOOP && SSL_get_state(ssl) == TLS_ST_SR_FINISHED &&
         SSL_version(ssl) < TLS1_3_VERSION && !SSL_session_reused(ssl)))
        tk_notes_take(c);
    else if (where == SSL_CB_HANDSHAKE_START)
        tk_info_begin(c);
    if (where == SSL_CB_HANDSHAKE_DONE)
        tk_tickets_count(c);
    if (!(where & SSL_CB_ALERT))
        return;
    if ((where & SSL_CB_READ) && (value & 0xff) == SSL_AD_CLOSE_NOTIFY)
        c->parted = 1;
    if ((value >> 8) != SSL3_AL_FATAL)
        return;
    if (where & SSL_CB_READ)
        c->alert_received = (int16_t)(value & 0xff);
    else
        c->alert_sent = (int16_t)(value & 0xff);
}

static int event_of(int where)
{
    if (where & SSL_CB_ALERT)
        return where & SSL_CB_READ ? TK_STATE_READ_ALERT : TK_STATE_WRITE_ALERT;
    if (where & SSL_CB_LOOP)
        return TK_STATE_STEP;
    return where == SSL_CB_HANDSHAKE_START ? TK_STATE_START
         : where == SSL_CB_HANDSHAKE_DONE ? TK_STATE_DONE : 0;
}

/* Tell Python of it, if it asks. */
static void tell(const SSL *ssl, tk_conn *c, int where, int value)
{
    int wanted = where & SSL_CB_ALERT ? TK_HOOK_ALERT : TK_HOOK_STATE, event, error;

    if (!(c->hooks & wanted) || c->handle == NULL || (event = event_of(where)) == 0)
        return;
    error = tk_door_open(c, TK_DOOR_STATE);
    if (tk_py_state(c->handle, event, value & 0xff, SSL_state_string_long(ssl)) != 0)
        c->interrupted = 1;
    tk_door_close(c, error);
}

static void on_info(const SSL *ssl, int where, int value)
{
    tk_conn *c = tk_conn_of(ssl);

    if (c == NULL)
        return;
    if (c->times != NULL)
        tk_times_watch(c, where);
    note(ssl, c, where, value);
    tell(ssl, c, where, value);
}

void tk_hooks_watch(tk_conn *c)
{
    SSL_set_info_callback(c->ssl, on_info);
    SSL_set_verify(c->ssl, SSL_get_verify_mode(c->ssl), tk_verify_step);
}

/* ---- per context ---- */

/* Not called under the SSL_CTX's lock: still it only keeps and queues. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    tk_conn *c = tk_conn_of(ssl);

    if (c == NULL)
        return 0;
    tk_cache_keep(c, ssl, session);
    if (!(c->hooks & TK_HOOK_SESSION))
        return 0;
    tk_events_push(c, session);
    return 1; /* the reference is ours now */
}

static void on_removed(SSL_CTX *ctx, SSL_SESSION *session)
{
    tk_ctx *x = tk_ctx_of(ctx);

    if (x != NULL)
        tk_cache_withdraw(x->cache, session);
}

static int on_servername(SSL *ssl, int *alert, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);
    int answer, error;

    (void)argument;
    if (c == NULL || c->handle == NULL || !SSL_is_server(ssl))
        return SSL_TLSEXT_ERR_NOACK;
    error = tk_door_open(c, TK_DOOR_SERVERNAME);
    answer = tk_py_servername(c->handle, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    tk_door_close(c, error);
    if (answer < 0)
        return answer == TK_ACKNOWLEDGED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
    *alert = answer;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* libssl decides about a session before it asks about the server name, behind which another context
   with other authorities may stand; and a resumed handshake shows no chain that Python code could
   refuse. So a server that verifies its clients, and has somebody to ask about names or chains,
   resumes nothing: its sessions are made under an id context that no other connection has. */
static int on_client_hello(SSL *ssl, int *alert, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);
    unsigned char id[SSL_MAX_SID_CTX_LENGTH];
    tk_ctx *x;
    int answer;

    (void)argument;
    if (c != NULL && c->times != NULL)
        tk_times_hello(c);
    if (c != NULL && (answer = tk_hello_ask(c, ssl, alert)) != SSL_CLIENT_HELLO_SUCCESS)
        return answer;
    if (c != NULL && tk_lookup_pause(c, ssl))
        return SSL_CLIENT_HELLO_RETRY;
    if (c != NULL)
        tk_notes_hello(c);
    if (c == NULL || !c->has_id_base || (x = tk_ctx_of(SSL_get_SSL_CTX(ssl))) == NULL ||
        !((x->hooks | c->hooks) &
          (TK_HOOK_SERVERNAME | TK_HOOK_VERIFY | TK_HOOK_VERIFY_EACH | TK_HELLO_HOOKS)))
        return SSL_CLIENT_HELLO_SUCCESS;
    if (RAND_bytes(id, sizeof id) != 1 || !SSL_set_session_id_context(ssl, id, sizeof id))
        return SSL_CLIENT_HELLO_ERROR;
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void on_message(int sent, int version, int content_type, const void *data, size_t size,
                       SSL *ssl, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);
    int error;

    (void)argument;
    if (c == NULL)
        return;
    if (tk_hello_wanted(c))
        tk_hello_keep(c, sent, content_type, data, size);
    if (c->handle == NULL || !(c->hooks & TK_HOOK_MESSAGE))
        return;
    error = tk_door_open(c, TK_DOOR_MESSAGE);
    if (tk_py_message(c->handle, sent, version, content_type, data, size) != 0)
        c->interrupted = 1;
    tk_door_close(c, error);
}

void tk_hooks_install(tk_ctx *c)
{
    tk_psk_install(c);
    tk_session_id_install(c);
    SSL_CTX_set_cert_verify_callback(c->ctx, tk_verify_chain, NULL);
    SSL_CTX_set_cert_cb(c->ctx, c->hooks & TK_HOOK_CERTIFICATE ? tk_cert_cb : NULL, NULL);
    SSL_CTX_set_msg_callback(c->ctx,
                             (c->hooks & (TK_HOOK_MESSAGE | TK_HELLO_HOOKS) ? on_message : NULL));
    SSL_CTX_sess_set_new_cb(c->ctx, on_new_session);
    SSL_CTX_set_tlsext_servername_callback(c->ctx,
                                           (c->hooks & TK_HOOK_SERVERNAME ? on_servername : NULL));
    SSL_CTX_set_client_hello_cb(c->ctx, on_client_hello, NULL);
    tk_tickets_install(c);
    SSL_CTX_sess_set_get_cb(c->ctx, tk_lookup_answer);
    SSL_CTX_sess_set_remove_cb(c->ctx, on_removed);
    tk_alpn_install(c);
    SSL_CTX_set_keylog_callback(
        c->ctx, c->keylog != NULL || (c->hooks & TK_HOOK_KEYLOG) ? tk_keylog_write : NULL);
}

void tk_hooks_remove(tk_ctx *c)
{
    c->hooks = 0;
    tk_psk_install(c);
    SSL_CTX_set_msg_callback(c->ctx, NULL);
    SSL_CTX_set_cert_cb(c->ctx, NULL, NULL);
    SSL_CTX_sess_set_new_cb(c->ctx, NULL);
    SSL_CTX_sess_set_get_cb(c->ctx, NULL);
    SSL_CTX_sess_set_remove_cb(c->ctx, NULL);
    SSL_CTX_set_tlsext_servername_callback(c->ctx, NULL);
    SSL_CTX_set_tlsext_status_cb(c->ctx, NULL);
    SSL_CTX_set_client_hello_cb(c->ctx, NULL, NULL);
    tk_tickets_remove(c);
    SSL_CTX_set_alpn_select_cb(c->ctx, NULL, NULL);
    SSL_CTX_set_keylog_callback(c->ctx, NULL);
    SSL_CTX_set_ex_data(c->ctx, tk_ctx_index, NULL);
}

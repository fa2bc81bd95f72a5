/* How a peer is verified.

   libssl builds the chain and judges it (X509_verify_cert). On the way it reports for each
   certificate whether it passes, and where each error is: `tk_verify_step` receives that, and
   decides whether an error ends the verification. When the chain has passed, `tk_verify_chain`
   checks the context's further requirements, names and pins, and finally asks Python.

   If a server's callback for names has changed the context, the requirements of both contexts
   apply, and an error is only reported if both say so.

   An error that does not end the handshake, because the context only wants it reported or because
   Python has accepted it, is still the connection's verdict: libssl gets it as the result, there is
   no verified chain, and no session that could be resumed. */
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tk_verify.h"
#include "tk_require.h"
#include "tk_distrust.h"
#include "tk_door.h"
#include "tk_ech.h"
#include "tk_pause.h"
#include "tk_times.h"
#include "tk_explain.h"

/* ---- settings ---- */

int tk_purpose(const char *name)
{
    int i = X509_PURPOSE_get_by_sname((char *)name);

    return i < 0 ? -1 : X509_PURPOSE_get_id(X509_PURPOSE_get0(i));
}

void tk_ctx_set_verify_purpose(tk_ctx *c, int purpose) { c->purpose = purpose; }

void tk_ctx_set_verify_time(tk_ctx *c, int64_t time, int set)
{
    c->verify_time = time;
    c->has_verify_time = set;
}

void tk_ctx_set_verify_report(tk_ctx *c, int on) { c->reports = on; }

void tk_verify_prepare(tk_conn *c, const tk_ctx *x)
{
    c->reports = (uint8_t)(x->reports != 0);
    if (x->purpose != 0)
        (void)SSL_set_purpose(c->ssl, x->purpose);
    if (x->has_verify_time)
        X509_VERIFY_PARAM_set_time(SSL_get0_param(c->ssl), (time_t)x->verify_time);
}

/* ---- each certificate, and each error ---- */

static tk_conn *conn_of(X509_STORE_CTX *v)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(v, SSL_get_ex_data_X509_STORE_CTX_idx());

    return ssl != NULL ? tk_conn_of(ssl) : NULL;
}

static int has_hook(const tk_conn *c, int hook)
{
    const tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(c->ssl));

    return ((c->hooks | (x == NULL ? 0 : x->hooks)) & hook) != 0;
}

static int reports(const tk_conn *c)
{
    const tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(c->ssl));

    return c->reports && (x == NULL || x->reports);
}

static void note_verdict(tk_conn *c, X509_STORE_CTX *v)
{
    if (c->verdict != X509_V_OK) /* the first error is the one that counts */
        return;
    c->verdict = X509_STORE_CTX_get_error(v);
    c->verdict_depth = (int16_t)X509_STORE_CTX_get_error_depth(v);
}

/* Python's answer: TK_VERIFY_REFUSED, _AS_IT_IS or _ACCEPTED. */
static int ask(tk_conn *c, int ok, X509_STORE_CTX *v)
{
    X509 *x = X509_STORE_CTX_get_current_cert(v);
    int size, error, answer = TK_VERIFY_REFUSED;
    uint8_t *der = NULL;

    size = x != NULL ? i2d_X509(x, &der) : 0;
    if (c->handle != NULL && size >= 0) {
        error = tk_door_open(c, TK_DOOR_VERIFY);
        answer = tk_py_verify_each(c->handle, der, (size_t)size, X509_STORE_CTX_get_error_depth(v),
                                   ok ? X509_V_OK : X509_STORE_CTX_get_error(v));
        tk_door_close(c, error);
    }
    OPENSSL_free(der);
    return answer;
}

int tk_verify_step(int ok, X509_STORE_CTX *v)
{
    tk_conn *c = conn_of(v);
    int trusted = tk_distrust(ok, v), answer = TK_VERIFY_AS_IT_IS;

    if (c == NULL || ok > 1) /* 2: of policies (X509_V_FLAG_NOTIFY_POLICY), not of a certificate */
        return trusted;
    if (has_hook(c, TK_HOOK_VERIFY_EACH))
        answer = ask(c, trusted, v);
    if (answer == TK_VERIFY_REFUSED && trusted)
        X509_STORE_CTX_set_error(v, X509_V_ERR_APPLICATION_VERIFICATION);
    if (answer == TK_VERIFY_AS_IT_IS && !trusted && reports(c)) {
        c->reported = 1;
        answer = TK_VERIFY_ACCEPTED;
    }
    if (answer == TK_VERIFY_ACCEPTED && !trusted) {
        note_verdict(c, v);
        return 1;
    }
    if (answer != TK_VERIFY_REFUSED && trusted) {
        if (c->times != NULL && X509_STORE_CTX_get_error_depth(v) == 0)
            tk_times_verified(c);
        return 1;
    }
    tk_explain_refused(c, v);
    return 0;
}

/* ---- what is demanded beside a chain that passes ---- */

/* The leaf does not have it: an error as any other. */
static int lacks(X509_STORE_CTX *v, int code)
{
    X509_STORE_CTX_set_error(v, code);
    X509_STORE_CTX_set_error_depth(v, 0);
    X509_STORE_CTX_set_current_cert(v, X509_STORE_CTX_get0_cert(v));
    return tk_verify_step(0, v);
}

static int meets(tk_conn *c, X509_STORE_CTX *v, const tk_ctx *x)
{
    char *matched = NULL;
    int code;

    if (x == NULL)
        return 1;
    code = tk_require_names(x, c->ssl, X509_STORE_CTX_get0_cert(v), &matched);
    if (matched != NULL) {
        OPENSSL_free(c->matched);
        c->matched = matched;
    }
    if (code != X509_V_OK && !lacks(v, code))
        return 0;
    return tk_require_pins(x, X509_STORE_CTX_get0_chain(v)) ||
           lacks(v, X509_V_ERR_APPLICATION_VERIFICATION);
}

/* A server's session of a client that did not pass: nobody resumes it. With TLS 1.3 no ticket is
   sent; before, the ticket has been promised, and the session gets an id context of its own. */
static int withhold_session(SSL *ssl)
{
    SSL_SESSION *s = SSL_get_session(ssl);
    unsigned char id[SSL_MAX_SID_CTX_LENGTH];

    if (!SSL_is_server(ssl))
        return 1; /* Python marks those of clients */
    if (SSL_version(ssl) >= TLS1_3_VERSION)
        return SSL_set_num_tickets(ssl, 0);
    return s != NULL && RAND_bytes(id, sizeof id) == 1 &&
           SSL_SESSION_set1_id_context(s, id, sizeof id);
}

static int conclude(tk_conn *c, X509_STORE_CTX *v)
{
    if (c->verdict == X509_V_OK)
        return 1;
    X509_STORE_CTX_set_error(v, c->verdict);
    X509_STORE_CTX_set_error_depth(v, c->verdict_depth);
    X509_STORE_CTX_set0_verified_chain(v, NULL);
    return withhold_session(c->ssl);
}

/* ---- the chain ---- */

/* In place of libcrypto's check of signatures and dates, which it calls unless they are known.
   Where errors do not end the verification, a chain may pass that has some: none is known there. */
static int check_signatures(X509_STORE_CTX *v)
{
    tk_conn *c = conn_of(v);
    tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(c->ssl));
    int strict = x != NULL && !reports(c) && !has_hook(c, TK_HOOK_VERIFY_EACH) &&
                 X509_STORE_CTX_get_error(v) == X509_V_OK;

    if (strict && tk_chains_know(&x->chains, v)) {
        if (c->times != NULL)
            tk_times_verified(c);
        return 1;
    }
    if (c->signatures(v) != 1)
        return 0;
    if (strict && X509_STORE_CTX_get_error(v) == X509_V_OK)
        tk_chains_keep(&x->chains, v);
    return 1;
}

static int passes(tk_conn *c, X509_STORE_CTX *v)
{
    if ((c->signatures = X509_STORE_CTX_get_verify(v)) != NULL)
        X509_STORE_CTX_set_verify(v, check_signatures);
    return X509_verify_cert(v) == 1;
}

enum { REFUSED, PASSED, PAUSED };

/* A client can wait for Python's answer outside: libssl repeats the whole verification then. */
static int judged(X509_STORE_CTX *v, tk_conn *c)
{
    int answer = TK_VERIFY_LATER;

    if (c->answered != TK_PAUSE_VERIFY &&
        (SSL_is_server(c->ssl) || !has_hook(c, TK_HOOK_VERIFY_LATER)))
        answer = tk_require_asked(v, c);
    if (answer != TK_VERIFY_LATER)
        return answer == 1 ? PASSED : REFUSED;
    switch (tk_pause_ask(c, TK_PAUSE_VERIFY)) {
    case TK_ANSWER_GO_ON:
        return PASSED;
    case TK_ANSWER_WAIT:
        sk_X509_pop_free(c->judged, X509_free);
        c->judged = X509_STORE_CTX_get1_chain(v);
        return SSL_set_retry_verify(c->ssl) == 1 && c->judged != NULL ? PAUSED : REFUSED;
    default:
        tk_require_refused(v, c);
        return REFUSED;
    }
}

void tk_conn_judged(tk_conn *c, tk_records *out)
{
    int i;

    tk_conn_lock(c);
    for (i = 0; i < sk_X509_num(c->judged); i++)
        tk_x509_der(sk_X509_value(c->judged, i), out);
    tk_conn_unlock(c);
}

static int verify(X509_STORE_CTX *v, tk_conn *c)
{
    const tk_ctx *first, *now;
    int answer;

    c->verdict = X509_V_OK;
    c->verdict_depth = -1;
    c->reported = 0;
    first = tk_ctx_of(c->session_ctx);
    now = tk_ctx_of(SSL_get_SSL_CTX(c->ssl));
    /* The certificate is the outer name's, and its only use is to authenticate new configurations:
       the handshake fails, and nobody need be asked about what was demanded of the inner name. */
    if (tk_ech_rejected(c))
        return passes(c, v) && conclude(c, v);
    if (!passes(c, v) || !meets(c, v, first) || (now != first && !meets(c, v, now)))
        return 0;
    /* a chain that is only reported on has not passed, and Python is asked about those that have */
    if (!c->reported && has_hook(c, TK_HOOK_VERIFY) && (answer = judged(v, c)) != PASSED)
        return answer == PAUSED;
    return conclude(c, v);
}

int tk_verify_chain(X509_STORE_CTX *v, void *argument)
{
    tk_conn *c = conn_of(v);
    int answer;

    (void)argument;
    if (c == NULL)
        return X509_verify_cert(v) == 1;
    answer = verify(v, c);
    /* The repeated verification may end before it comes to the question, and the answer is about
       this chain: not about that of a renegotiation. */
    tk_pause_end(c, TK_PAUSE_VERIFY);
    return answer;
}

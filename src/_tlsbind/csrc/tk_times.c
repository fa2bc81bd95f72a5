/* When the first handshake of a connection reached each step, if requested: a clock is read at some
   of libssl's steps.

   At each step libssl reports its state before it moves on. So once it names a message, that
   message has been sent, or processed, completely. */
#include "tk_times.h"
#include "tk_lock.h"

void tk_times_prepare(tk_conn *c)
{
    if (c->hooks & TK_HOOK_TIMES)
        c->times = calloc(1, sizeof *c->times); /* no memory: nothing is noted */
}

static void note(int64_t *at)
{
    if (*at == 0)
        *at = tk_clock_ns();
}

/* Whether this side's first flight is behind it. */
static int has_spoken(const SSL *ssl)
{
    switch (SSL_get_state(ssl)) {
    case TLS_ST_CW_CLNT_HELLO:
    case TLS_ST_SW_SRVR_DONE:
    case TLS_ST_SW_FINISHED:
        return 1;
    default:
        return 0;
    }
}

void tk_times_watch(tk_conn *c, int where)
{
    if (where == SSL_CB_HANDSHAKE_START)
        note(&c->times->started);
    else if (where & SSL_CB_LOOP && has_spoken(c->ssl))
        note(&c->times->first_flight);
    else if (where == SSL_CB_HANDSHAKE_DONE && SSL_get_state(c->ssl) != TLS_ST_EARLY_DATA)
        note(&c->times->finished);
}

void tk_times_hello(tk_conn *c) { note(&c->times->hello); }

/* Of the peer's own certificate; in a renegotiation, a later one does not count. */
void tk_times_verified(tk_conn *c)
{
    if (c->times->finished == 0)
        c->times->verified = tk_clock_ns();
}

int tk_conn_times(tk_conn *c, tk_times *out)
{
    int known;

    tk_conn_lock(c);
    known = c->times != NULL;
    if (known)
        *out = *c->times;
    tk_conn_unlock(c);
    out->now = tk_clock_ns();
    return known;
}

const char *tk_conn_state(tk_conn *c)
{
    const char *words;

    tk_conn_lock(c);
    words = SSL_state_string_long(c->ssl);
    tk_conn_unlock(c);
    return words;
}

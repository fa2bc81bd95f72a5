/* The twelve counters of a context, summed over all its states. libssl counts in each SSL_CTX; a
   state's counts are kept when the state is freed. */
#include "tk_counters.h"

static void add_counters(tk_session_stats *to, SSL_CTX *ctx)
{
    to->connect += SSL_CTX_sess_connect(ctx);
    to->connect_good += SSL_CTX_sess_connect_good(ctx);
    to->connect_renegotiate += SSL_CTX_sess_connect_renegotiate(ctx);
    to->accept += SSL_CTX_sess_accept(ctx);
    to->accept_good += SSL_CTX_sess_accept_good(ctx);
    to->accept_renegotiate += SSL_CTX_sess_accept_renegotiate(ctx);
    to->hits += SSL_CTX_sess_hits(ctx);
    to->misses += SSL_CTX_sess_misses(ctx);
    to->timeouts += SSL_CTX_sess_timeouts(ctx);
    to->cb_hits += SSL_CTX_sess_cb_hits(ctx);
}

void tk_ctx_session_stats(tk_ctx *x, tk_session_stats *out)
{
    tk_cache *k = x->cache;
    tk_ctx *state;

    tk_cache_lock();
    *out = k->gone;
    for (state = k->states; state != NULL; state = state->next_state)
        add_counters(out, state->ctx);
    out->misses += k->misses;
    out->cb_hits -= k->hits;
    if (k->home != NULL) {
        out->number = SSL_CTX_sess_number(k->home);
        out->cache_full = SSL_CTX_sess_cache_full(k->home);
    }
    tk_cache_unlock();
}

void tk_counters_join(tk_cache *k, tk_ctx *x)
{
    tk_cache_lock();
    x->next_state = k->states;
    k->states = x;
    tk_cache_unlock();
}

void tk_counters_leave(tk_cache *k, tk_ctx *x)
{
    tk_ctx **at;

    tk_cache_lock();
    for (at = &k->states; *at != NULL && *at != x; at = &(*at)->next_state)
        ;
    if (*at != NULL) {
        *at = x->next_state;
        add_counters(&k->gone, x->ctx);
    }
    tk_cache_unlock();
}

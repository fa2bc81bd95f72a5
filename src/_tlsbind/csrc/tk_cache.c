/* The session cache that all states of one context share.

   A context that connections use never changes: a change creates another SSL_CTX, the next state,
   and connections keep the one that they began with. What libssl keeps in an SSL_CTX and must
   outlive a state is here: the sessions of its internal cache, and its counters.

   The sessions are in a separate SSL_CTX, `home`, from which no connection is ever made. So libssl
   still manages the cache (its order, its size, expiry), while every state runs without an internal
   cache (SSL_SESS_CACHE_NO_INTERNAL) and comes here through the hooks for external ones: a session
   that one state's connection creates is found by all states, and one that any of them removes is
   gone for all.

   One lock protects all caches. It is held for a lookup in a hash table; handshakes that neither
   create nor look up a session by its id (tickets that contain their session) never take it. Lock
   order: this one, then the SSL_CTX's own inside libssl. */
#include "tk_cache.h"
#include "tk_origin.h"
#include "tk_removed.h"
#include "tk_session.h"

static tk_mutex mutex;
static int home_index = -1; /* of an SSL_CTX that is a home: its tk_cache */

int tk_cache_init(void)
{
    tk_mutex_init(&mutex);
    return (home_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL)) >= 0;
}
void tk_cache_lock(void) { tk_lock(&mutex); }
void tk_cache_unlock(void) { tk_unlock(&mutex); }

/* this thread asks libssl to remove a session, and tells of it itself */
static TK_THREAD int removing;

/* ---- the sessions: all under the lock ---- */

/* libssl removes what has expired and what does not fit, while we hold the lock. It also tells of
   whatever it was asked to remove, even of what was not there. */
static void on_home_removed(SSL_CTX *home, SSL_SESSION *s)
{
    tk_cache *k = SSL_CTX_get_ex_data(home, home_index);

    if (k != NULL && !removing)
        tk_removed_push(k, s);
}

static int open_home(tk_cache *k)
{
    if (k->home != NULL)
        return 1;
    if ((k->home = SSL_CTX_new(TLS_method())) == NULL)
        return 0;
    if (!SSL_CTX_set_ex_data(k->home, home_index, k)) {
        SSL_CTX_free(k->home);
        k->home = NULL;
        return 0;
    }
    SSL_CTX_sess_set_remove_cb(k->home, on_home_removed);
    SSL_CTX_sess_set_cache_size(k->home, (long)k->size);
    return 1;
}

static int put(tk_cache *k, SSL_SESSION *s, int64_t mode)
{
    if (!open_home(k) || !SSL_CTX_add_session(k->home, s))
        return 0;
    if (++k->kept % 255 == 0 && !(mode & SSL_SESS_CACHE_NO_AUTO_CLEAR))
        SSL_CTX_flush_sessions_ex(k->home, time(NULL));
    return 1;
}

static int drop(tk_cache *k, SSL_SESSION *s)
{
    int removed;

    if (k->home == NULL)
        return 0;
    removing = 1;
    removed = SSL_CTX_remove_session(k->home, s);
    removing = 0;
    if (removed)
        tk_removed_push(k, s);
    return removed;
}

/* libssl looks by version and id. 0: there was no memory to look. */
static int look_up(tk_cache *k, const SSL *ssl, const unsigned char *id, size_t size,
                   SSL_SESSION **found)
{
    SSL_SESSION *like;
    int ok;

    *found = NULL;
    if (k->home == NULL)
        return 1;
    like = SSL_SESSION_new();
    ok = like != NULL && SSL_SESSION_set_protocol_version(like, SSL_version(ssl)) &&
         SSL_SESSION_set1_id(like, id, (unsigned int)size);
    if (ok)
        *found = OPENSSL_LH_retrieve((OPENSSL_LHASH *)SSL_CTX_sessions(k->home), like);
    SSL_SESSION_free(like);
    return ok;
}

int tk_cache_has(tk_cache *k, const SSL *ssl, const unsigned char *id, size_t size)
{
    SSL_SESSION *found;
    int ok;

    tk_lock(&mutex);
    ok = look_up(k, ssl, id, size, &found);
    tk_unlock(&mutex);
    return !ok || found != NULL;
}

/* A reference of the caller's own, or NULL. A session from before
   the certificate's names changed stays unused, as tickets do (tk_origin.c; RFC 6066, 3). */
static SSL_SESSION *find(tk_conn *c, const SSL *ssl, const unsigned char *id, size_t size)
{
    SSL_SESSION *found = NULL;

    (void)look_up(c->cache, ssl, id, size, &found);
    return found != NULL && tk_origin_fits(c, found) && SSL_SESSION_up_ref(found) ? found : NULL;
}

/* ---- what libssl calls back ---- */

/* As libssl decides about its own cache: in TLS 1.3, a ticket that holds its session needs no
   entry, unless somebody wants to hear of its removal. */
static int is_kept(const tk_conn *c, const SSL *ssl)
{
    if (c->cache_mode & SSL_SESS_CACHE_NO_INTERNAL_STORE)
        return 0;
    return SSL_version(ssl) != TLS1_3_VERSION || !SSL_is_server(ssl) ||
           tk_atomic_load32(&c->cache->tells) ||
           SSL_get_options(ssl) & SSL_OP_NO_TICKET ||
           (SSL_get_max_early_data(ssl) > 0 && !(SSL_get_options(ssl) & SSL_OP_NO_ANTI_REPLAY));
}

void tk_cache_keep(tk_conn *c, SSL *ssl, SSL_SESSION *s)
{
    if (!is_kept(c, ssl) || (SSL_is_server(ssl) && !tk_origin_here(c, s)))
        return;
    tk_lock(&mutex);
    put(c->cache, s, c->cache_mode);
    tk_unlock(&mutex);
}

/* libssl lets each TLS 1.3 session with early data be used once: it removes what it has been given
   from the connection's own SSL_CTX, and goes on only if it was there. So it is there for a moment,
   and nowhere else any more. */
static SSL_SESSION *take_once(tk_conn *c, SSL_SESSION *found)
{
    SSL_SESSION *copy = SSL_SESSION_dup(found);

    if (copy != NULL && (!drop(c->cache, found) || !SSL_CTX_add_session(c->session_ctx, copy))) {
        SSL_SESSION_free(copy);
        copy = NULL;
    }
    SSL_SESSION_free(found);
    return copy;
}

/* Restart its lifetime, and make it the last one that the cache drops. */
static void refresh(tk_conn *c, SSL_SESSION *s)
{
    SSL_SESSION_set_time_ex(s, time(NULL));
    put(c->cache, s, c->cache_mode);
}

/* A reference that libssl takes, or NULL. */
SSL_SESSION *tk_cache_answer(tk_conn *c, SSL *ssl, const unsigned char *id, size_t size)
{
    SSL_SESSION *found;

    if (c->cache == NULL || c->cache_mode & SSL_SESS_CACHE_NO_INTERNAL_LOOKUP)
        return NULL;
    tk_lock(&mutex);
    if ((found = find(c, ssl, id, size)) == NULL) {
        c->cache->misses++;
    } else {
        if (SSL_SESSION_is_resumable(found)) /* libssl counts it otherwise */
            c->cache->hits++;
        if (SSL_version(ssl) == TLS1_3_VERSION && SSL_get_max_early_data(ssl) > 0 &&
            !(SSL_get_options(ssl) & SSL_OP_NO_ANTI_REPLAY))
            found = take_once(c, found);
        else if (c->cache_mode & TK_CACHE_UPDATE_TIME)
            refresh(c, found);
    }
    tk_unlock(&mutex);
    return found;
}

/* Outside libssl's lock: a state has no cache that could remove anything by itself. */
void tk_cache_withdraw(tk_cache *k, SSL_SESSION *s)
{
    tk_lock(&mutex);
    drop(k, s);
    tk_unlock(&mutex);
}

/* ---- for Python ---- */

/* An SSL_SESSION is linked into the cache that it is in, so it can be in one only: a copy goes
   in. 1: none of its id was there. */
int tk_ctx_add_session(tk_ctx *x, SSL_SESSION *s)
{
    SSL_SESSION *copy = tk_session_resumable_copy(s);
    long number, full;
    int added;

    tk_lock(&mutex);
    added = copy != NULL && open_home(x->cache);
    if (added) {
        number = SSL_CTX_sess_number(x->cache->home);
        full = SSL_CTX_sess_cache_full(x->cache->home);
        added = put(x->cache, copy, x->cache_mode) &&
                (SSL_CTX_sess_number(x->cache->home) != number ||
                 SSL_CTX_sess_cache_full(x->cache->home) != full);
    }
    tk_unlock(&mutex);
    SSL_SESSION_free(copy);
    return added;
}

int tk_ctx_remove_session(tk_ctx *x, SSL_SESSION *s)
{
    int removed;

    tk_lock(&mutex);
    removed = drop(x->cache, s);
    tk_unlock(&mutex);
    removing = 1; /* it withdraws the session, whether it was there or not */
    SSL_CTX_remove_session(x->ctx, s);
    removing = 0;
    return removed;
}

void tk_ctx_flush_sessions(tk_ctx *x, int64_t at)
{
    tk_lock(&mutex);
    if (x->cache->home != NULL)
        SSL_CTX_flush_sessions_ex(x->cache->home, (time_t)at);
    tk_unlock(&mutex);
}

int64_t tk_ctx_cache_size(tk_ctx *x)
{
    int64_t size;

    tk_lock(&mutex);
    size = x->cache->size;
    tk_unlock(&mutex);
    return size;
}

void tk_ctx_set_cache_size(tk_ctx *x, int64_t size)
{
    tk_lock(&mutex);
    x->cache->size = size;
    if (x->cache->home != NULL)
        SSL_CTX_sess_set_cache_size(x->cache->home, (long)size);
    tk_unlock(&mutex);
}

/* ---- life ---- */

tk_cache *tk_cache_new(void)
{
    tk_cache *k = calloc(1, sizeof *k);

    if (k != NULL) {
        k->references = 1;
        k->size = SSL_SESSION_CACHE_MAX_SIZE_DEFAULT;
    }
    return k;
}

tk_cache *tk_cache_up_ref(tk_cache *k)
{
    tk_atomic_add(&k->references, 1);
    return k;
}

void tk_cache_free(tk_cache *k)
{
    SSL_SESSION *s;

    if (k == NULL || tk_atomic_add(&k->references, -1) > 0)
        return;
    if (k->home != NULL) {
        SSL_CTX_set_ex_data(k->home, home_index, NULL);
        SSL_CTX_sess_set_remove_cb(k->home, NULL);
        SSL_CTX_free(k->home);
    }
    while ((s = tk_removed_pop(k)) != NULL)
        SSL_SESSION_free(s);
    free(k);
}

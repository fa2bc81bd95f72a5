/* States of a context: some threads connect and resume, others put the next state in force. */
#include "tk_test.h"

enum { CONNECTORS = 3, SWAPPERS = 2, SWAPS = 20, CONNECTIONS = 30 };

/* What Python does with references: a state stays for as long as somebody has it. */
typedef struct {
    tk_ctx *ctx;
    int references;
} state;

static struct {
    pthread_mutex_t mutex;
    state *now;
    tk_ctx *client;
    int resumed, refused;
} shared = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static state *take(void)
{
    state *s;

    pthread_mutex_lock(&shared.mutex);
    s = shared.now;
    s->references++;
    pthread_mutex_unlock(&shared.mutex);
    return s;
}

static void give_back(state *s)
{
    int last;

    pthread_mutex_lock(&shared.mutex);
    last = --s->references == 0;
    pthread_mutex_unlock(&shared.mutex);
    if (last) {
        tk_ctx_free(s->ctx);
        free(s);
    }
}

static void put_in_force(tk_ctx *ctx)
{
    state *s = malloc(sizeof *s), *before;

    s->ctx = ctx;
    s->references = 1;
    pthread_mutex_lock(&shared.mutex);
    before = shared.now;
    shared.now = s;
    pthread_mutex_unlock(&shared.mutex);
    if (before != NULL)
        give_back(before);
}

static void configure(tk_ctx *ctx)
{
    tk_fault fault;

    tk_ctx_set_options(ctx, SSL_OP_NO_TICKET);
    CHECK_DONE(tk_ctx_set_versions(ctx, ONLY_12, ONLY_12, &fault), &fault);
    CHECK_DONE(use_identity(ctx, &server_identity, &fault), &fault);
    CHECK_DONE(tk_ctx_set_id_context(ctx, "states", 6, 0), NULL);
    tk_ctx_tell_removed(ctx, 1);
}

static void swap(void *unused)
{
    tk_session_stats stats;
    tk_fault fault;
    int i;

    (void)unused;
    for (i = 0; i < SWAPS; i++) {
        state *s = take();
        tk_ctx *next = tk_ctx_next(s->ctx, &fault);
        SSL_SESSION *gone;
        CHECK(next != NULL);
        configure(next);
        tk_ctx_set_cache_size(next, 100 + i);
        tk_ctx_session_stats(next, &stats);
        tk_ctx_flush_sessions(next, 1); /* nothing is as old */
        while ((gone = tk_ctx_next_removed(next)) != NULL)
            tk_session_free(gone);
        give_back(s);
        put_in_force(next);
    }
}

static void connect_and_resume(void *unused)
{
    SSL_SESSION *session = NULL;
    int i;

    (void)unused;
    for (i = 0; i < CONNECTIONS; i++) {
        state *s = take();
        contexts c = { shared.client, s->ctx };
        pair p = pair_in_memory(&c, session, "localhost");
        pair_shake(&p);
        pthread_mutex_lock(&shared.mutex);
        if (session != NULL) {
            if (tk_conn_reused(p.server))
                shared.resumed++;
            else
                shared.refused++;
        }
        pthread_mutex_unlock(&shared.mutex);
        tk_session_free(session);
        session = newest_session(&p);
        if (session == NULL) /* a resumption by its id brings none */
            session = tk_conn_session(p.client);
        pair_free(&p);
        give_back(s);
    }
    tk_session_free(session);
}

static void states_change_under_connections(void)
{
    thread threads[CONNECTORS + SWAPPERS];
    contexts c = contexts_new(ONLY_12);
    tk_session_stats stats;
    int i;

    shared.client = c.client;
    configure(c.server);
    put_in_force(c.server);
    for (i = 0; i < CONNECTORS + SWAPPERS; i++)
        thread_start(&threads[i], i < CONNECTORS ? connect_and_resume : swap, NULL);
    for (i = 0; i < CONNECTORS + SWAPPERS; i++)
        thread_join(&threads[i]);
    CHECK_EQUAL(shared.resumed, CONNECTORS * (CONNECTIONS - 1));
    CHECK_EQUAL(shared.refused, 0);
    tk_ctx_session_stats(shared.now->ctx, &stats);
    CHECK_EQUAL(stats.accept_good, CONNECTORS * CONNECTIONS);
    CHECK_EQUAL(stats.hits, shared.resumed);
    CHECK(stats.number > 0 && stats.misses == 0 && stats.cb_hits == 0);
    give_back(shared.now);
    shared.now = NULL;
    tk_ctx_free(c.client);
}

void test_states(void) { states_change_under_connections(); }

/* Two ends of a connection, over memory or over a socket pair; and a thread. */
#include <unistd.h>

#include "tk_test.h"

static int door; /* a handle that is not NULL: the stub never looks at it */

static X509_STORE *trusting(const identity *i)
{
    X509_STORE *store = tk_trust_new();
    tk_fault fault;

    CHECK_DONE(tk_trust_add_pem(store, i->pem, i->pem_size, &fault), &fault);
    return store;
}

int use_chain(tk_ctx *c, const void *chain, size_t chain_size, const void *key, size_t key_size,
              const char *password, tk_fault *fault)
{
    tk_credential *k;
    int64_t password_size = password != NULL ? (int64_t)strlen(password) : -1;
    tk_source first = { TK_FORM_PEM, chain, chain_size }, second = { TK_FORM_PEM, key, key_size };
    int status = tk_credential_from(&first, &second, password, password_size, &k, fault);

    if (status == TK_DONE)
        status = tk_ctx_use(c, k, 0, fault);
    tk_credential_free(k);
    return status;
}

int use_identity(tk_ctx *c, const identity *i, tk_fault *fault)
{
    return use_chain(c, i->pem, i->pem_size, i->key_pem, i->key_pem_size, NULL, fault);
}

contexts contexts_new(int version)
{
    tk_fault fault;
    contexts c = { tk_ctx_new(TK_ROLE_CLIENT, &fault), tk_ctx_new(TK_ROLE_SERVER, &fault) };
    X509_STORE *store = trusting(&root);

    CHECK(c.client != NULL && c.server != NULL);
    tk_ctx_set_trust(c.client, store, 0);
    tk_ctx_set_trust(c.server, store, 0);
    tk_trust_free(store);
    tk_ctx_set_verify_mode(c.client, SSL_VERIFY_PEER);
    CHECK_DONE(tk_ctx_set_versions(c.client, version, version, &fault), &fault);
    CHECK_DONE(tk_ctx_set_versions(c.server, version, version, &fault), &fault);
    CHECK_DONE(use_identity(c.server, &server_identity, &fault), &fault);
    CHECK_DONE(use_identity(c.client, &client_identity, &fault), &fault);
    tk_ctx_set_cache_mode(c.client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    tk_ctx_set_hooks(c.client, TK_HOOK_SESSION);
    CHECK_DONE(tk_ctx_set_id_context(c.server, "tests", 5, 0), NULL);
    return c;
}

void contexts_free(contexts *c)
{
    tk_ctx_free(c->client);
    tk_ctx_free(c->server);
}

/* A client, which names its server if there is a host. */
static tk_conn *client_new(tk_ctx *x, int64_t fd, tk_mem *incoming, tk_mem *outgoing,
                           const char *host)
{
    tk_server_name name = { .sni = host, .host = host };
    tk_fault fault;
    tk_conn *c = tk_conn_open(x, 0, fd, incoming, outgoing, NULL, &name, &fault);

    CHECK(c != NULL);
    return c;
}

pair pair_in_memory(contexts *c, SSL_SESSION *session, const char *host)
{
    pair p = { .to_client = tk_mem_new(), .to_server = tk_mem_new(), .fds = { -1, -1 } };
    tk_fault fault;

    p.client = client_new(c->client, -1, p.to_client, p.to_server, host);
    p.server = tk_conn_open(c->server, 1, -1, p.to_server, p.to_client, &door, NULL, &fault);
    CHECK(p.client != NULL && p.server != NULL);
    if (session != NULL)
        CHECK_DONE(tk_conn_set_session(p.client, session, 1, &fault), &fault);
    return p;
}

pair pair_of_sockets(contexts *c, int buffer)
{
    pair p = { 0 };
    tk_fault fault;
    int i;

    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, p.fds), 0);
    for (i = 0; i < 2 && buffer > 0; i++) {
        setsockopt(p.fds[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
        setsockopt(p.fds[i], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    p.client = client_new(c->client, p.fds[0], NULL, NULL, "localhost");
    p.server = tk_conn_open(c->server, 1, p.fds[1], NULL, NULL, &door, NULL, &fault);
    CHECK(p.client != NULL && p.server != NULL);
    return p;
}

/* ---- operations ---- */

/* What is left of the time, and at least a little: it is for the operation to say that it is over. */
static int64_t left_of(int64_t timeout, int64_t began)
{
    int64_t left = began + timeout - tk_clock_ms();

    return timeout <= 0 ? timeout : left > 0 ? left : 1;
}

/* Whether the operation is to be made again: whoever is asked what may be resumed has no objection
   here, and whoever comes back to look for signals finds none. */
static int goes_on(tk_conn *c, int operation, int64_t status, tk_fault *fault)
{
    if (status == TK_SSL || status == TK_SYSCALL)
        tk_conn_fault(c, operation, fault);
    if (status == TK_PAUSED)
        tk_conn_go_on(c);
    return status == TK_PAUSED || status == TK_INTERRUPTED;
}

int64_t do_handshake(tk_conn *c, int64_t timeout, tk_fault *fault)
{
    int64_t began = tk_clock_ms(), status;

    do
        status = tk_conn_handshake(c, left_of(timeout, began));
    while (goes_on(c, TK_HANDSHAKE, status, fault));
    return status;
}

int64_t do_read(tk_conn *c, void *into, size_t room, int64_t timeout, tk_fault *fault)
{
    int64_t began = tk_clock_ms(), status;

    do
        status = tk_conn_read(c, into, room, left_of(timeout, began));
    while (goes_on(c, TK_READ, status, fault));
    return status;
}

int64_t do_write(tk_conn *c, const void *data, size_t size, int64_t timeout, tk_fault *fault)
{
    int64_t began = tk_clock_ms(), status;

    do
        status = tk_conn_write(c, data, size, left_of(timeout, began));
    while (goes_on(c, TK_WRITE, status, fault));
    return status;
}

int64_t do_shutdown(tk_conn *c, int64_t timeout, tk_fault *fault)
{
    int64_t began = tk_clock_ms(), status;

    do
        status = tk_conn_shutdown(c, left_of(timeout, began));
    while (goes_on(c, TK_SHUTDOWN, status, fault));
    return status;
}

/* In turns and without waiting: a socket pair can do that too. */
void pair_shake(pair *p)
{
    int client = 0, server = 0, rounds;

    for (rounds = 0; rounds < 20 && !(client && server); rounds++) {
        tk_fault fault;
        int64_t status;
        if (!client) {
            status = do_handshake(p->client, 0, &fault);
            if (status != TK_WANT_READ && status != TK_WANT_WRITE)
                CHECK_DONE(status, &fault);
            client = status == TK_DONE;
        }
        if (!server) {
            status = do_handshake(p->server, 0, &fault);
            if (status != TK_WANT_READ && status != TK_WANT_WRITE)
                CHECK_DONE(status, &fault);
            server = status == TK_DONE;
        }
    }
    CHECK(client && server);
}

void take_tickets(pair *p)
{
    tk_fault fault;
    char byte;

    CHECK_EQUAL(do_read(p->client, &byte, 1, 0, &fault), TK_WANT_READ);
}

SSL_SESSION *newest_session(pair *p)
{
    SSL_SESSION *newest = NULL, *next;

    take_tickets(p);
    while ((next = tk_conn_next_session(p->client)) != NULL) {
        tk_session_free(newest);
        newest = next;
    }
    return newest;
}

void pair_free(pair *p)
{
    tk_conn_free(p->client);
    tk_conn_free(p->server);
    tk_mem_free(p->to_client);
    tk_mem_free(p->to_server);
    if (p->fds[0] >= 0)
        close(p->fds[0]);
    if (p->fds[1] >= 0)
        close(p->fds[1]);
}

static void *run_thread(void *argument)
{
    thread *t = argument;

    t->work(t->argument);
    OPENSSL_thread_stop();
    return NULL;
}

void thread_start(thread *t, void (*work)(void *), void *argument)
{
    t->work = work;
    t->argument = argument;
    CHECK_EQUAL(pthread_create(&t->thread, NULL, run_thread, t), 0);
}

void thread_join(thread *t) { CHECK_EQUAL(pthread_join(t->thread, NULL), 0); }

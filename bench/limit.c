/* The limit of this machine: the work of bench/work.py in plain C, without an interpreter, to see what libssl leaves.

   build: cc -O2 limit.c -o limit -lssl -lcrypto
   run:   limit WORK SECONDS PAIRS FOLDER PORT     does one piece of work for each line on stdin, and prints {"value", "busy", "openssl"}
          limit peer KIND FOLDER                   is the other end of it: prints its port, and serves until stdin ends

   FOLDER holds ca.pem, and server.pem (a certificate with its key); PORT is the peer's, on 127.0.0.1. The contexts have the settings of Python's, and
   every handshake takes the server's tickets in, as the Python ones do.

   A peer has to be faster than anything that is measured against it, and must not cost it anything: so the source
   encrypts many records before it calls send, the sink reads ahead, and neither sleeps. To wake a sleeper on another
   core takes longer than to encrypt a record, and it is the measured end that would pay for it, sometimes. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGE = 64,         /* of a round trip */
    CHUNK = 1 << 16,      /* of a receiver */
    BLOCK = 1 << 20,      /* of a sender */
    BUFFER = 1 << 20,     /* of a socket, each way */
    AHEAD = 1 << 17,
    RECORD = 16384,
    BATCH = 16 * RECORD,  /* encrypted before one send */
    WARM_UP = 8 << 20,    /* bytes that fill the buffers before the clock starts */
    FIRST_PAIRS = 20      /* that settle the allocator before memory is measured */
};

/* What Python gives every context (Modules/_ssl.c). */
static const char CIPHERS[] = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM";

static struct {
    double seconds;
    long pairs;
    const char *folder;
    int port;
} wanted;

static char block[BLOCK], carried[BLOCK];
static double busy = 1; /* the share of the measured time that this process was on a processor */

static void fail(const char *what)
{
    fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double now(void) { return seconds_of(CLOCK_MONOTONIC); }
static double on_processor(void) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

/* How often a second a step can be made: in batches, so that the clock costs nothing. The first is not counted, since the caches are
   others' until then. */
static double rate(void (*step)(void *), void *state)
{
    static long batch;
    long done = 0;
    double start, took = 0, used;

    if (batch == 0) {
        for (batch = 1; took < wanted.seconds / 10; batch *= 2) {
            start = now();
            for (long i = 0; i < batch; i++)
                step(state);
            took = now() - start;
        }
        batch /= 2;
    }
    for (long i = 0; i < batch; i++)
        step(state);
    used = on_processor();
    start = now();
    do {
        for (long i = 0; i < batch; i++)
            step(state);
        done += batch;
        took = now() - start;
    } while (took < wanted.seconds);
    busy = (on_processor() - used) / took;
    return (double)done / took;
}

/* ---- contexts ---- */

static const char *path(const char *name)
{
    static char joined[4096];

    snprintf(joined, sizeof joined, "%s/%s", wanted.folder, name);
    return joined;
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
    SSL_CTX *x = SSL_CTX_new(method);
    const char *version = getenv("TLSKIT_BENCH_VERSION");

    if (x != NULL && version != NULL && *version != '\0' &&
        SSL_CTX_set_max_proto_version(x, strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION) != 1)
        fail("version");
    if (x == NULL || SSL_CTX_set_cipher_list(x, CIPHERS) != 1 || SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION) != 1)
        fail("context");
    SSL_CTX_set_options(x, SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
    SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(x, (const unsigned char *)"limit", 5);
    return x;
}

static SSL_CTX *context_client_bare(void)
{
    SSL_CTX *x = context_new(TLS_client_method());

    SSL_CTX_set_verify(x, SSL_VERIFY_PEER, NULL);
    return x;
}

static SSL_CTX *context_client(void)
{
    SSL_CTX *x = context_client_bare();

    if (SSL_CTX_load_verify_locations(x, path("ca.pem"), NULL) != 1)
        fail("ca.pem");
    return x;
}

static SSL_CTX *context_server(void)
{
    SSL_CTX *x = context_new(TLS_server_method());

    if (SSL_CTX_use_certificate_chain_file(x, path("server.pem")) != 1)
        fail("server.pem");
    if (SSL_CTX_use_PrivateKey_file(x, path("server.pem"), SSL_FILETYPE_PEM) != 1)
        fail("the key in server.pem");
    return x;
}

static SSL *client_new(SSL_CTX *x, SSL_SESSION *session)
{
    SSL *s = SSL_new(x);

    if (s == NULL || SSL_set_tlsext_host_name(s, "localhost") != 1 || SSL_set1_host(s, "localhost") != 1)
        fail("client");
    if (session != NULL && SSL_set_session(s, session) != 1)
        fail("session");
    SSL_set_connect_state(s);
    return s;
}

static SSL *server_new(SSL_CTX *x)
{
    SSL *s = SSL_new(x);

    if (s == NULL)
        fail("server");
    SSL_set_accept_state(s);
    return s;
}

/* An SSL that is freed without a shutdown marks its session not resumable. */
static void ssl_free(SSL *s)
{
    SSL_set_shutdown(s, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(s);
}

/* ---- pairs in memory ---- */

typedef struct pair {
    SSL *client, *server;
} pair;

static void pair_handshake(const pair *p)
{
    int client = 0, server = 0;

    for (int i = 0; i < 10 && !(client && server); i++) {
        client = client || SSL_do_handshake(p->client) == 1;
        server = server || SSL_do_handshake(p->server) == 1;
    }
    if (!client || !server)
        fail("handshake");
}

static pair pair_in_memory(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *session)
{
    pair p = { client_new(client, session), server_new(server) };
    BIO *to_client = BIO_new(BIO_s_mem()), *to_server = BIO_new(BIO_s_mem());

    if (to_client == NULL || to_server == NULL || !BIO_up_ref(to_client) || !BIO_up_ref(to_server))
        fail("memory");
    SSL_set_bio(p.client, to_client, to_server);
    SSL_set_bio(p.server, to_server, to_client);
    pair_handshake(&p);
    return p;
}

static void pair_free(pair *p)
{
    ssl_free(p->client);
    ssl_free(p->server);
}

static void take_tickets(SSL *client)
{
    char nothing;

    if (SSL_read(client, &nothing, 1) > 0)
        fail("data where only tickets were expected");
}

typedef struct endpoints {
    SSL_CTX *client, *server;
    SSL_SESSION *session;
} endpoints;

static void step_handshake(void *state)
{
    endpoints *e = state;
    pair p = pair_in_memory(e->client, e->server, NULL);

    take_tickets(p.client);
    pair_free(&p);
}

static void step_resumed(void *state)
{
    endpoints *e = state;
    pair p = pair_in_memory(e->client, e->server, e->session);

    take_tickets(p.client);
    if (e->session != NULL && !SSL_session_reused(p.client))
        fail("the session was not resumed");
    SSL_SESSION_free(e->session);
    e->session = SSL_get1_session(p.client);
    pair_free(&p);
}

/* How often a second a step can be made with contexts of this turn, after one that is not counted. */
static double rate_between(void (*step)(void *), SSL_CTX *client, SSL_CTX *server)
{
    endpoints e = { client, server, NULL };
    double found;

    step(&e);
    found = rate(step, &e);
    SSL_SESSION_free(e.session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return found;
}

static double handshake(void) { return rate_between(step_handshake, context_client(), context_server()); }
static double resumed(void) { return rate_between(step_resumed, context_client(), context_server()); }

static void step_write_read(void *state)
{
    pair *p = state;
    char into[MESSAGE];

    if (SSL_write(p->client, block, MESSAGE) != MESSAGE || SSL_read(p->server, into, MESSAGE) != MESSAGE)
        fail("write and read");
}

static double write_read(void)
{
    SSL_CTX *client = context_client(), *server = context_server();
    pair p = pair_in_memory(client, server, NULL);
    double found;

    take_tickets(p.client);
    found = rate(step_write_read, &p);
    pair_free(&p);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return found;
}

/* ---- over sockets, against a peer ---- */

static void socket_prepare(int fd)
{
    int size = BUFFER, on = 1;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static struct sockaddr_in address(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    return at;
}

static int socket_new(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        fail("socket");
    socket_prepare(fd);
    return fd;
}

static int socket_connect(void)
{
    struct sockaddr_in to = address(wanted.port);
    int fd = socket_new();

    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect");
    return fd;
}

static void read_ahead(SSL *s)
{
    SSL_set_default_read_buffer_len(s, AHEAD);
    SSL_set_read_ahead(s, 1);
}

static SSL *connect_to_peer(SSL_CTX *x, SSL_SESSION *session, int ahead)
{
    SSL *s = client_new(x, session);

    SSL_set_fd(s, socket_connect());
    if (ahead)
        read_ahead(s);
    if (SSL_do_handshake(s) != 1)
        fail("handshake with the peer");
    return s;
}

static void disconnect(SSL *s)
{
    int fd = SSL_get_fd(s);

    ssl_free(s);
    close(fd);
}

static SSL *greeted(SSL_CTX *x, SSL_SESSION *session)
{
    SSL *s = connect_to_peer(x, session, 0);
    char greeting;

    if (SSL_read(s, &greeting, 1) != 1)
        fail("greeting");
    return s;
}

static void step_socket_handshake(void *state)
{
    endpoints *e = state;

    disconnect(greeted(e->client, NULL));
}

static void step_socket_resumed(void *state)
{
    endpoints *e = state;
    SSL *s = greeted(e->client, e->session);

    if (e->session != NULL && !SSL_session_reused(s))
        fail("the session was not resumed");
    SSL_SESSION_free(e->session);
    e->session = SSL_get1_session(s);
    disconnect(s);
}

static double socket_handshake(void) { return rate_between(step_socket_handshake, context_client(), NULL); }
static double socket_resumed(void) { return rate_between(step_socket_resumed, context_client(), NULL); }

/* A connection to the peer, for one turn: the peer serves one after the other. */
static SSL *connection_of_turn(int ahead)
{
    SSL_CTX *x = context_client();
    SSL *s = connect_to_peer(x, NULL, ahead);

    SSL_CTX_free(x);
    return s;
}

/* Megabytes a second of an operation that says how many bytes it has moved; it ends the connection. */
static double megabytes(long (*move)(SSL *), SSL *s)
{
    long warm = 0;
    double total = 0, start, took, used;

    while (warm < WARM_UP)
        warm += move(s);
    used = on_processor();
    start = now();
    do {
        for (int i = 0; i < 16; i++)
            total += (double)move(s);
        took = now() - start;
    } while (took < wanted.seconds);
    busy = (on_processor() - used) / took;
    disconnect(s);
    return total / took / 1e6;
}

static long move_in(SSL *s)
{
    int n = SSL_read(s, block, CHUNK);

    if (n <= 0)
        fail("receive");
    return n;
}

static long move_out(SSL *s)
{
    if (SSL_write(s, block, BLOCK) != BLOCK)
        fail("send");
    return BLOCK;
}

/* Stay awake for about a microsecond, without touching the socket. */
static void relax(void)
{
    for (volatile int i = 0; i < 500; i++)
        ;
    sched_yield();
}

static void never_block(int fd) { (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/* The write BIO is memory: what libssl has put there goes out in one piece. */
static int flush(SSL *s)
{
    BIO *b = SSL_get_wbio(s);
    char *data;
    long size = BIO_get_mem_data(b, &data);
    int fd = SSL_get_rfd(s);

    while (size > 0) {
        ssize_t n = send(fd, data, (size_t)size, 0);
        if (n < 0 && errno != EAGAIN)
            return 0;
        if (n < 0) {
            relax();
            continue;
        }
        data += n;
        size -= n;
    }
    (void)BIO_reset(b);
    return 1;
}

static void batch_writes(SSL *s)
{
    SSL_set0_wbio(s, BIO_new(BIO_s_mem()));
}

static long move_out_batched(SSL *s)
{
    if (SSL_write(s, block, BATCH) != BATCH || !flush(s))
        fail("send");
    return BATCH;
}

static double receive(void) { return megabytes(move_in, connection_of_turn(1)); }
static double receive_by_record(void) { return megabytes(move_in, connection_of_turn(0)); }
static double send_by_record(void) { return megabytes(move_out, connection_of_turn(0)); }

static double send_batched(void)
{
    SSL *s = connection_of_turn(0);

    batch_writes(s);
    return megabytes(move_out_batched, s);
}

static void step_round_trip(void *state)
{
    char into[MESSAGE];

    if (SSL_write(state, block, MESSAGE) != MESSAGE || SSL_read(state, into, MESSAGE) != MESSAGE)
        fail("round trip");
}

static double round_trips(void)
{
    SSL *s = connection_of_turn(0);
    double found = rate(step_round_trip, s);

    disconnect(s);
    return found;
}

/* ---- an event loop with both ends, as bench/loops.py has them ---- */

#ifdef __linux__
typedef struct end {
    SSL *ssl;       /* its write BIO is memory: what the socket does not take yet waits there */
    size_t sent;    /* of what waits */
    long missing;   /* bytes of the echo; -1 at a server */
    int greets;     /* a client that sends its message when it is connected */
    int open;
} end;

typedef struct loop {
    SSL_CTX *client_context, *server_context;
    end client, server;
    int events, listener;
    struct sockaddr_in at;
    int size, connects;
} loop;

static void listen_to(loop *l, end *e, int how, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = e };

    if (epoll_ctl(l->events, how, e != NULL ? SSL_get_rfd(e->ssl) : l->listener, &event) != 0)
        fail("epoll_ctl");
}

static void send_waiting(loop *l, end *e)
{
    char *data;
    size_t size = (size_t)BIO_get_mem_data(SSL_get_wbio(e->ssl), &data);
    int waited = e->sent != 0;

    while (e->sent < size) {
        ssize_t n = send(SSL_get_rfd(e->ssl), data + e->sent, size - e->sent, 0);
        if (n < 0 && errno != EAGAIN)
            fail("send");
        if (n < 0) {
            listen_to(l, e, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        e->sent += (size_t)n;
    }
    if (size > 0)
        (void)BIO_reset(SSL_get_wbio(e->ssl));
    e->sent = 0;
    if (waited)
        listen_to(l, e, EPOLL_CTL_MOD, EPOLLIN);
}

static void write_to(loop *l, end *e, int size)
{
    if (size > 0 && SSL_write(e->ssl, block, size) != size)
        fail("write");
    send_waiting(l, e);
}

static void start(loop *l, end *e, SSL *s, int fd)
{
    int on = 1;

    never_block(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *e = (end){ .ssl = s, .missing = -1, .open = 1 };
    SSL_set_fd(s, fd);
    batch_writes(s);
    read_ahead(s);
    listen_to(l, e, EPOLL_CTL_ADD, EPOLLIN);
}

static void stop(loop *l, end *e)
{
    int fd = SSL_get_rfd(e->ssl);

    SSL_shutdown(e->ssl);
    send_waiting(l, e);
    e->open = 0;
    SSL_free(e->ssl);
    close(fd);
}

static void on_event(loop *l, end *e)
{
    int n = 1, total = 0;

    if (!SSL_is_init_finished(e->ssl)) {
        n = SSL_do_handshake(e->ssl);
        send_waiting(l, e);
        if (n != 1)
            return;
        if (e->greets)
            write_to(l, e, l->size);
    }
    while (total < BLOCK && (n = SSL_read(e->ssl, block + total, BLOCK - total)) > 0)
        total += n;
    if (n <= 0 && SSL_get_error(e->ssl, n) == SSL_ERROR_ZERO_RETURN)
        stop(l, e);
    else if (e->missing < 0)
        write_to(l, e, total);
    else
        e->missing -= total;
}

/* Run the loop until the client has its echo and, if it makes a new connection each time, both ends are closed. */
static void run(loop *l)
{
    struct epoll_event events[4];

    while (l->client.missing > 0 || (l->connects && l->server.open)) {
        int count = epoll_wait(l->events, events, 4, -1);
        for (int i = 0; i < count; i++) {
            end *e = events[i].data.ptr;
            if (e == NULL)
                start(l, &l->server, server_new(l->server_context), accept(l->listener, NULL, NULL));
            else if (e->open && (events[i].events & EPOLLOUT) != 0)
                send_waiting(l, e);
            if (e != NULL && e->open && (events[i].events & ~(uint32_t)EPOLLOUT) != 0)
                on_event(l, e);
            if (l->connects && l->client.open && l->client.missing == 0)
                stop(l, &l->client);
        }
    }
}

static void connect_client(loop *l)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&l->at, sizeof l->at) != 0)
        fail("connect");
    start(l, &l->client, client_new(l->client_context, NULL), fd);
    l->client.greets = 1;
    l->client.missing = l->size;
    (void)SSL_do_handshake(l->client.ssl);
    send_waiting(l, &l->client);
    run(l);
}

static void step_echo(void *state)
{
    loop *l = state;

    if (l->connects) {
        connect_client(l);
        return;
    }
    l->client.missing = l->size;
    write_to(l, &l->client, l->size);
    run(l);
}

static double in_loop(int size, int connects)
{
    socklen_t length = sizeof(struct sockaddr_in);
    loop l = { context_client(), context_server(), .at = address(0), .size = size, .connects = connects };
    double found;

    l.events = epoll_create1(0);
    l.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (l.events < 0 || l.listener < 0 || bind(l.listener, (struct sockaddr *)&l.at, length) != 0 ||
        listen(l.listener, 16) != 0 || getsockname(l.listener, (struct sockaddr *)&l.at, &length) != 0)
        fail("listen");
    listen_to(&l, NULL, EPOLL_CTL_ADD, EPOLLIN);
    if (!connects)
        connect_client(&l);
    found = rate(step_echo, &l);
    if (!connects) {
        stop(&l, &l.client);
        stop(&l, &l.server);
    }
    close(l.listener);
    close(l.events);
    SSL_CTX_free(l.client_context);
    SSL_CTX_free(l.server_context);
    return found;
}

static double echo_64(void) { return in_loop(64, 0); }
static double echo_16k(void) { return in_loop(16384, 0); }
static double echo_256k(void) { return in_loop(262144, 0); }
static double connect_echo_close(void) { return in_loop(64, 1); }
#endif

/* ---- contexts ---- */

static void step_context(void *state)
{
    (void)state;
    SSL_CTX_free(context_client_bare());
}

static double context(void) { return rate(step_context, NULL); }

static SSL_CTX *context_default(void)
{
    SSL_CTX *x = context_client_bare();

    if (SSL_CTX_set_default_verify_paths(x) != 1)
        fail("default paths");
    return x;
}

/* Milliseconds. */
static double default_context_first(void)
{
    double start = now(), used = on_processor(), took;

    SSL_CTX_free(context_default());
    took = now() - start;
    busy = (on_processor() - used) / took;
    return took * 1e3;
}

static void step_default_context(void *state)
{
    (void)state;
    SSL_CTX_free(context_default());
}

static void step_shared_store(void *state)
{
    SSL_CTX *x = context_client_bare();

    SSL_CTX_set1_cert_store(x, state);
    SSL_CTX_free(x);
}

/* The authorities are parsed once, and every later context refers to them. */
static double default_context(void)
{
    SSL_CTX *x = context_default();
    double found = rate(step_shared_store, SSL_CTX_get_cert_store(x));

    SSL_CTX_free(x);
    return found;
}

static double default_context_parsing(void) { return rate(step_default_context, NULL); }

/* ---- memory ---- */

/* Anonymous memory: the pages of the libraries come and go as the system likes. */
static double resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    struct rusage used;
    long resident = 0, of_files = 0;

    if (f != NULL) {
        if (fscanf(f, "%*s %ld %ld", &resident, &of_files) != 2)
            fail("/proc/self/statm");
        fclose(f);
        return (double)(resident - of_files) * (double)sysconf(_SC_PAGESIZE) / 1024;
    }
    getrusage(RUSAGE_SELF, &used);
#ifdef __APPLE__
    return (double)used.ru_maxrss / 1024;
#else
    return (double)used.ru_maxrss;
#endif
}

/* Bytes of the memory transport, from one end's outgoing BIO to the other's incoming. */
static void carry(SSL *from, SSL *to)
{
    int n;

    while ((n = BIO_read(SSL_get_wbio(from), carried, BLOCK)) > 0)
        if (BIO_write(SSL_get_rbio(to), carried, n) != n)
            fail("carry");
}

static void exchange(const pair *p, int size, int by_hand)
{
    if (SSL_write(p->client, block, size) != size)
        fail("write to the server");
    if (by_hand)
        carry(p->client, p->server);
    if (SSL_read(p->server, block, size) != size || SSL_write(p->server, block, size) != size)
        fail("answer of the server");
    if (by_hand)
        carry(p->server, p->client);
    if (SSL_read(p->client, block, size) != size)
        fail("read from the server");
    /* SSL_MODE_RELEASE_BUFFERS forgets a buffer of 16 KiB: the one that taking a ticket in makes the client allocate */
    if (!SSL_free_buffers(p->client) || !SSL_free_buffers(p->server))
        fail("buffers in use");
}

static SSL *with_own_memory(SSL *s)
{
    BIO *incoming = BIO_new(BIO_s_mem()), *outgoing = BIO_new(BIO_s_mem());

    if (incoming == NULL || outgoing == NULL)
        fail("memory");
    SSL_set_bio(s, incoming, outgoing);
    return s;
}

/* An empty memory BIO keeps its buffer, unless it is given a new one. */
static void buffers_drop(SSL *s)
{
    BIO *both[2] = { SSL_get_rbio(s), SSL_get_wbio(s) };

    for (int i = 0; i < 2; i++) {
        if (BIO_pending(both[i]) != 0)
            fail("something is left in the memory BIO");
        BIO_set_mem_buf(both[i], BUF_MEM_new(), BIO_CLOSE);
        BIO_set_mem_eof_return(both[i], -1);
    }
}

static pair idle_by_hand(SSL_CTX *client, SSL_CTX *server, int size)
{
    pair p = { with_own_memory(client_new(client, NULL)), with_own_memory(server_new(server)) };

    for (int i = 0; i < 10 && !(SSL_is_init_finished(p.client) && SSL_is_init_finished(p.server)); i++) {
        (void)SSL_do_handshake(p.client);
        carry(p.client, p.server);
        (void)SSL_do_handshake(p.server);
        carry(p.server, p.client);
    }
    exchange(&p, size, 1);
    buffers_drop(p.client);
    buffers_drop(p.server);
    return p;
}

static pair idle_in_memory(SSL_CTX *client, SSL_CTX *server) { return idle_by_hand(client, server, 1); }
static pair idle_after_record(SSL_CTX *client, SSL_CTX *server) { return idle_by_hand(client, server, RECORD); }

static pair idle_over_sockets(SSL_CTX *client, SSL_CTX *server)
{
    pair p = { client_new(client, NULL), server_new(server) };
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        fail("socketpair");
    never_block(fd[0]);
    never_block(fd[1]);
    SSL_set_fd(p.client, fd[0]);
    SSL_set_fd(p.server, fd[1]);
    pair_handshake(&p);
    exchange(&p, RECORD, 0);
    return p;
}

/* KiB of a connection, both ends. */
static double idle(pair (*make)(SSL_CTX *, SSL_CTX *))
{
    SSL_CTX *client = context_client(), *server = context_server();
    struct rlimit files;
    double before;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    for (int i = 0; i < FIRST_PAIRS; i++)
        (void)make(client, server);
    before = resident_kib();
    for (long i = 0; i < wanted.pairs; i++)
        (void)make(client, server);
    return (resident_kib() - before) / (double)wanted.pairs;
}

static double idle_memory(void) { return idle(idle_in_memory); }
static double idle_traffic(void) { return idle(idle_after_record); }
static double idle_sockets(void) { return idle(idle_over_sockets); }

/* ---- the peers ---- */

static void wait_for_end(SSL *s)
{
    while (SSL_read(s, block, BLOCK) > 0)
        ;
}

static void peer_greeting(SSL *s)
{
    if (SSL_write(s, block, 1) == 1)
        wait_for_end(s);
}

static void peer_sink(SSL *s)
{
    int n;

    never_block(SSL_get_fd(s));
    while ((n = SSL_read(s, block, BLOCK)) > 0 || SSL_get_error(s, n) == SSL_ERROR_WANT_READ)
        if (n <= 0)
            relax();
}

static void peer_source(SSL *s)
{
    never_block(SSL_get_fd(s));
    batch_writes(s);
    while (SSL_write(s, block, BATCH) == BATCH && flush(s))
        ;
}

static void peer_echo(SSL *s)
{
    char message[MESSAGE];
    int n;

    while ((n = SSL_read(s, message, MESSAGE)) > 0 && SSL_write(s, message, n) == n)
        ;
}

static const struct {
    const char *name;
    void (*serve)(SSL *);
} kinds[] = { { "greeting", peer_greeting }, { "source", peer_source }, { "sink", peer_sink }, { "echo", peer_echo } };

static void serve(SSL_CTX *x, int fd, void (*with)(SSL *))
{
    SSL *s = server_new(x);

    socket_prepare(fd);
    SSL_set_fd(s, fd);
    if (with == peer_sink)
        read_ahead(s);
    if (SSL_do_handshake(s) == 1)
        with(s);
    ERR_clear_error();
    ssl_free(s);
    close(fd);
}

static int socket_listen(void)
{
    struct sockaddr_in at = address(0);
    socklen_t size = sizeof at;
    int fd = socket_new();

    if (bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        fail("listen");
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static int peer(const char *kind)
{
    SSL_CTX *x = context_server();

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct pollfd ready[2] = { { .fd = 0, .events = POLLIN }, { .events = POLLIN } };
        if (strcmp(kinds[i].name, kind) != 0)
            continue;
        ready[1].fd = socket_listen();
        while (poll(ready, 2, -1) > 0 && ready[0].revents == 0)
            serve(x, accept(ready[1].fd, NULL, NULL), kinds[i].serve);
        return 0;
    }
    return 2;
}

/* ---- */

static const struct {
    const char *name;
    double (*measure)(void);
} works[] = {
    { "handshake", handshake },
    { "resumed", resumed },
    { "write_read", write_read },
    { "socket_handshake", socket_handshake },
    { "socket_resumed", socket_resumed },
    { "receive", receive },
    { "receive_into", receive },
    { "receive_by_record", receive_by_record },
    { "send", send_batched },
    { "send_by_record", send_by_record },
    { "round_trips", round_trips },
    { "context", context },
    { "default_context_first", default_context_first },
    { "default_context", default_context },
    { "default_context_parsing", default_context_parsing },
    { "idle_memory", idle_memory },
    { "idle_traffic", idle_traffic },
    { "idle_sockets", idle_sockets },
#ifdef __linux__
    { "echo_64", echo_64 },
    { "echo_16k", echo_16k },
    { "echo_256k", echo_256k },
    { "connect_echo_close", connect_echo_close },
#endif
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "peer") == 0) {
        wanted.folder = argv[3];
        return peer(argv[2]);
    }
    if (argc != 6) {
        fprintf(stderr, "limit WORK SECONDS PAIRS FOLDER PORT, or limit peer KIND FOLDER\n");
        return 2;
    }
    wanted.seconds = atof(argv[2]);
    wanted.pairs = atol(argv[3]);
    wanted.folder = argv[4];
    wanted.port = atoi(argv[5]);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        char line[16];
        if (strcmp(works[i].name, argv[1]) != 0)
            continue;
        while (fgets(line, sizeof line, stdin) != NULL) {
            double value = works[i].measure();
            printf("{\"value\": %.6g, \"busy\": %.4g, \"openssl\": \"%s\"}\n", value, busy, OpenSSL_version(OPENSSL_VERSION));
            fflush(stdout);
        }
        return 0;
    }
    fprintf(stderr, "limit: no work is called %s\n", argv[1]);
    return 2;
}

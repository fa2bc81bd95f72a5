/* What takes a peer's bytes, for libFuzzer: `python -m tests.fuzz` compiles it with the helpers'
   sources and with the PKI and the pairs of tests/bind/c. The environment names the target in
   FUZZ_TARGET; FUZZ_SEEDS, when it is set, names a folder to put the first corpus into. */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "tk_origin.h"
#include "tk_response.h"
#include "tk_ticket_data.h"

contexts with_ring, with_store, with_eyes;
SSL_SESSION *ticket, *stateful;
tk_records clients;
tk_seal *seal_of_tests;
uint8_t into[ROOM];

/* ---- records ---- */

/* The input as it is; or as the bodies of records, so that a change of its size needs no other. */
static void feed(tk_mem *m, const uint8_t *data, size_t size, int framed)
{
    uint8_t head[5] = { SSL3_RT_HANDSHAKE, 3, 1, 0, 0 };

    if (framed) {
        size = size < ROOM ? size : ROOM;
        head[3] = (uint8_t)(size >> 8);
        head[4] = (uint8_t)size;
        tk_mem_write(m, head, sizeof head);
    }
    tk_mem_write(m, data, size);
}

static void look_at(tk_conn *c)
{
    tk_records r = { 0 };
    tk_conn_facts facts;
    SSL_SESSION *s;
    X509 *x;

    tk_conn_facts_of(c, &facts);
    tk_conn_info(c, &r);
    tk_conn_shared_ciphers(c, &r);
    tk_conn_chain(c, 0, &r);
    tk_records_free(&r);
    if ((x = tk_conn_peer(c)) != NULL)
        tk_x509_free(x);
    if ((s = tk_conn_session(c)) != NULL)
        tk_session_free(s);
    while ((s = tk_conn_next_session(c)) != NULL)
        tk_session_free(s);
}

/* ---- targets ---- */

/* Python is shown the whole message, once. */
static void show_hello(tk_conn *c)
{
    tk_records r = { 0 };

    tk_conn_hello(c, &r);
    CHECK(!r.failed && r.size > 8 && r.data[8] == SSL3_MT_CLIENT_HELLO);
    tk_records_free(&r);
}

/* A server reads what a client might say first, or in answer to a HelloRetryRequest. */
static void hello(const uint8_t *data, size_t size)
{
    contexts *from = data[0] & 16 ? &with_eyes : data[0] & 1 ? &with_store : &with_ring;
    tk_mem *in = tk_mem_new(), *out = tk_mem_new();
    tk_fault fault;
    tk_conn *c = tk_conn_open(from->server, 1, -1, in, out, NULL, NULL, &fault);
    int pauses = 0;

    if (data[0] & 1)
        tk_conn_use_external(c);
    feed(in, data + 1, size - 1, data[0] & 4);
    while (tk_conn_handshake(c, 0) == TK_PAUSED && pauses++ < 6) {
        if (tk_conn_paused(c) == TK_PAUSE_HELLO)
            show_hello(c);
        else if (tk_conn_offered_id(c, into) > 0)
            tk_conn_resume_from(c, stateful, data[0] & 8);
        if (data[0] & 32)
            tk_conn_refuse(c, data[0]);
        else
            tk_conn_go_on(c);
    }
    tk_conn_read_early(c, into, ROOM, 0);
    tk_conn_read(c, into, ROOM, 0);
    look_at(c);
    tk_conn_close(c);
    tk_conn_free(c);
    tk_mem_free(in);
    tk_mem_free(out);
}

/* A client reads what a server might answer. */
static void reply(const uint8_t *data, size_t size)
{
    tk_mem *in = tk_mem_new(), *out = tk_mem_new();
    tk_server_name name = { .sni = "localhost", .host = "localhost" };
    tk_fault fault;
    tk_conn *c = tk_conn_open(with_ring.client, 0, -1, in, out, NULL, &name, &fault);

    if (data[0] & 1)
        tk_conn_set_session(c, ticket, 1, &fault);
    tk_conn_go_on(c);
    tk_conn_handshake(c, 0);
    feed(in, data + 1, size - 1, data[0] & 4);
    tk_conn_handshake(c, 0);
    tk_conn_read(c, into, ROOM, 0);
    look_at(c);
    tk_conn_free(c);
    tk_mem_free(in);
    tk_mem_free(out);
}

/* A session from a store, with what was noted of it. */
static void session(const uint8_t *data, size_t size)
{
    tk_session_facts facts;
    tk_records r = { 0 };
    tk_fault fault;
    SSL_SESSION *s = tk_session_from_der(data, size, &fault), *copy;
    uint8_t digest[32];
    pair p;

    if (s == NULL)
        return;
    tk_session_facts_of(s, &facts);
    tk_session_set_info(s, data, size < 64 ? size : 64);
    tk_session_info(s, &r);
    tk_session_cipher(s, &r);
    tk_session_der(s, &r);
    tk_session_digest(s, digest);
    tk_records_free(&r);
    if ((copy = tk_session_with_times(s, 1, 2, &fault)) != NULL)
        tk_session_free(copy);
    p = pair_in_memory(&with_ring, s, "localhost");
    do_handshake(p.client, 0, &fault);
    do_handshake(p.server, 0, &fault);
    do_handshake(p.client, 0, &fault);
    pair_free(&p);
    tk_session_free(s);
}

static void certificate(const uint8_t *data, size_t size)
{
    tk_records r = { 0 };
    tk_fault fault;
    X509 *x = tk_x509_from_der(data, size, &fault);

    if (x == NULL)
        x = tk_x509_from_pem(data, size, &fault);
    if (x == NULL)
        return;
    tk_x509_fields(x, &r, &fault);
    tk_x509_summary(x, &r);
    tk_x509_public_key(x, &r);
    tk_x509_der(x, &r);
    tk_records_free(&r);
    tk_x509_free(x);
}

/* A server opens a ticket that another program sealed, with the keys that both have: the session is
   whole, and what the ticket carries beside it is the input. */
static void ticket_data(const uint8_t *data, size_t size)
{
    tk_records r = { 0 };
    tk_fault fault;
    SSL_SESSION *s = tk_session_from_der(clients.data + 8, clients.size - 8, &fault);
    tk_mem *in = tk_mem_new(), *out = tk_mem_new();
    tk_conn *c = tk_conn_open(with_ring.server, 1, -1, in, out, NULL, NULL, &fault);

    CHECK(s != NULL && c != NULL);
    CHECK(SSL_SESSION_set1_ticket_appdata(s, data, size));
    (void)tk_origin_objection(c, s);
    tk_ticket_data_take(c, s);
    tk_ticket_data_why(c);
    tk_session_info(s, &r);
    tk_session_der(s, &r);
    tk_records_free(&r);
    tk_conn_free(c);
    tk_mem_free(in);
    tk_mem_free(out);
    tk_session_free(s);
}

/* What a store gives back in place of what was sealed. */
static void sealed(const uint8_t *data, size_t size)
{
    size_t about = data[0] < size ? data[0] : size - 1;

    if (size - 1 - about < TK_SEAL_OVERHEAD || size - 1 - about > ROOM)
        return;
    tk_seal_open(seal_of_tests, data + 1, about, data + 1 + about, size - 1 - about, into);
}

/* Files of certificates, CRLs and private keys, in PEM and DER. */
static void key_files(const uint8_t *data, size_t size)
{
    X509_STORE *store = tk_trust_new();
    tk_source file = { data[0] & 1 ? TK_FORM_DER : TK_FORM_PEM, data + 1, size - 1 };
    tk_source key = { TK_FORM_PEM, server_identity.key_pem, server_identity.key_pem_size };
    tk_directory *bundle = data[0] & 1 ? NULL : tk_bundle_read(data + 1, size - 1);
    tk_credential *k;
    tk_fault fault;

    CHECK(store != NULL);
    CHECK(bundle == NULL || tk_trust_complete(store, bundle, &fault) > 0);
    tk_directory_free(bundle);
    if (data[0] & 1)
        tk_trust_add_der(store, data + 1, size - 1, &fault);
    else
        tk_trust_add_pem(store, data + 1, size - 1, &fault);
    tk_trust_free(store);
    tk_credential_from(&file, data[0] & 2 ? &key : &file, NULL, -1, &k, &fault);
    tk_credential_free(k);
    if (data[0] & 2)
        return;
    file.data = server_identity.pem; /* and the input is the key alone */
    file.size = server_identity.pem_size;
    file.form = TK_FORM_PEM;
    key.form = data[0] & 1 ? TK_FORM_DER : TK_FORM_PEM;
    key.data = data + 1;
    key.size = size - 1;
    tk_credential_from(&file, &key, NULL, -1, &k, &fault);
    tk_credential_free(k);
}

/* An OCSP response that a server has stapled to its certificate: the issuer is known, or it is
   not, or it is another one. */
static void response(const uint8_t *data, size_t size)
{
    int64_t until;

    tk_response_judge(data, size, server_identity.x509, root.x509, &until);
    tk_response_judge(data, size, server_identity.x509, NULL, &until);
    tk_response_judge(data, size, full.x509, stranger.x509, &until);
}

static void send_raw(int fd, const uint8_t *data, size_t size)
{
    ssize_t ignored = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)ignored;
}

/* Bytes that come over a socket in pieces, read into rooms of many sizes: each pair of input bytes
   says what happens next, and how much of it. */
static void transport(const uint8_t *data, size_t size)
{
    static const uint8_t words[4096];
    pair p = pair_of_sockets(&with_ring, 0);
    tk_fault fault;
    size_t i;

    pair_shake(&p);
    for (i = 0; i + 1 < size && i < 64; i += 2) {
        size_t n = (size_t)data[i + 1] * 16 + 1;
        switch (data[i] & 7) {
        case 0:
        case 1:
            do_write(p.server, words, n, 0, &fault);
            break;
        case 2:
        case 3:
            do_read(p.client, into, n, 0, &fault);
            break;
        case 4:
            send_raw(p.fds[1], data + i, size - i < n ? size - i : n);
            break;
        case 5:
            do_shutdown(p.server, 0, &fault);
            break;
        case 6:
            tk_conn_feed(p.client, data + i, size - i < n ? size - i : n);
            break;
        default:
            tk_conn_leftover(p.client, into, n);
            do_write(p.client, words, n, 0, &fault);
            do_read(p.server, into, n, 0, &fault);
        }
        tk_conn_pending(p.client);
    }
    look_at(p.client);
    pair_free(&p);
}

/* ---- which target ---- */

static const struct {
    const char *name;
    void (*run)(const uint8_t *data, size_t size);
} targets[] = {
    { "hello", hello },     { "reply", reply },   { "certificate", certificate },
    { "session", session }, { "transport", transport },
    { "ticket_data", ticket_data }, { "sealed", sealed }, { "key_files", key_files },
    { "response", response },
};

/* ---- libFuzzer's two functions ---- */

static SSL_SESSION *earned(contexts *c)
{
    pair p = pair_in_memory(c, NULL, "localhost");
    SSL_SESSION *s;

    pair_shake(&p);
    take_tickets(&p);
    CHECK((s = newest_session(&p)) != NULL);
    pair_free(&p);
    return s;
}

static void remember_client(contexts *c)
{
    SSL_SESSION *s;
    pair p;

    tk_ctx_set_verify_mode(c->server, SSL_VERIFY_PEER);
    p = pair_in_memory(c, NULL, "localhost");
    pair_shake(&p);
    take_tickets(&p);
    CHECK((s = tk_conn_session(p.server)) != NULL);
    CHECK(tk_session_der(s, &clients));
    tk_session_free(s);
    pair_free(&p);
    tk_ctx_set_verify_mode(c->server, SSL_VERIFY_NONE);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t key[TK_PACKED_KEY] = { 32, 'k', 'e', 'y' };
    tk_fault fault;
    tk_ring *ring;

    (void)argc, (void)argv;
    signal(SIGPIPE, SIG_IGN);
    CHECK_EQUAL(tk_init(), 1);
    pki_make();
    CHECK((ring = tk_ring_new(TK_RING_GIVEN, 3600, 7200, &fault)) != NULL);
    CHECK_DONE(tk_ring_set_keys(ring, key, 1, &fault), &fault);
    with_ring = contexts_new(0);
    with_store = contexts_new(0);
    with_eyes = contexts_new(0);
    servername_answer = TK_ACKNOWLEDGED;
    tk_ctx_set_options(with_store.server, tk_ctx_options(with_store.server) | SSL_OP_NO_TICKET);
    tk_ctx_set_ring(with_ring.server, ring);
    tk_ring_free(ring);
    tk_ctx_set_hooks(with_ring.client, TK_HOOK_SESSION);
    tk_ctx_set_hooks(with_store.client, TK_HOOK_SESSION);
    tk_ctx_set_hooks(with_store.server, TK_HOOK_SESSION | TK_HOOK_SERVERNAME);
    tk_ctx_set_hooks(with_eyes.server, TK_HOOK_HELLO);
    tk_ctx_set_max_early_data(with_store.server, ROOM);
    tk_ctx_set_alpn(with_store.server, "\2h2\10http/1.1", 12);
    ticket = earned(&with_ring);
    stateful = earned(&with_store);
    remember_client(&with_ring);
    CHECK((seal_of_tests = tk_seal_new("secret of 16 byt", 16, &fault)) != NULL);
    if (getenv("FUZZ_SEEDS") != NULL) {
        seeds();
        exit(0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *wanted = getenv("FUZZ_TARGET");
    size_t i;

    CHECK(wanted != NULL);
    for (i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (size > 0 && !strcmp(targets[i].name, wanted))
            targets[i].run(data, size);
    return 0;
}

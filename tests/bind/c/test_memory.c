/* Connections over memory: handshakes, resumption, reading and writing, ends of every kind, the
   door. */
#include "tk_test.h"

/* ---- handshakes ---- */

static void resumes(int version)
{
    contexts c = contexts_new(version);
    pair p = pair_in_memory(&c, NULL, "localhost");
    tk_conn_facts facts;
    tk_records r = { 0 };
    tk_fault fault;
    SSL_SESSION *session;
    X509 *peer;
    uint8_t finished[64];

    pair_shake(&p);
    CHECK((session = newest_session(&p)) != NULL);
    tk_conn_facts_of(p.client, &facts);
    CHECK(facts.done && !facts.reused && facts.version == version && facts.group_name != NULL &&
          facts.cipher_bits >= 128);
    CHECK(facts.bytes_read > 0 && facts.bytes_written > 0 && facts.verify_code == X509_V_OK);
    CHECK((peer = tk_conn_peer(p.client)) != NULL && tk_conn_rejected(p.client) == NULL);
    CHECK_EQUAL(tk_conn_reverify(p.client, stranger.x509, NULL, 0, &r), 0);
    /* another name */
    CHECK_EQUAL(tk_conn_reverify(p.client, full.x509, "no certificate", 14, &r), 0);
    CHECK(r.size == 0);
    CHECK_EQUAL(tk_conn_reverify(p.client, peer, NULL, 0, &r), 1);
    CHECK(r.size == 16 + server_identity.der_size + root.der_size);
    CHECK_EQUAL(tk_conn_reverify(p.client, peer, root.der, root.der_size, &r), 1);
    tk_records_free(&r);
    tk_x509_free(peer);
    tk_conn_chain(p.client, 1, &r);
    CHECK(r.size == 16 + server_identity.der_size + root.der_size);
    tk_conn_shared_ciphers(p.server, &r);
    tk_session_info(session, &r);
    tk_conn_info(p.client, &r);
    tk_conn_info(p.server, &r);
    tk_session_cipher(session, &r);
    CHECK(!r.failed && tk_conn_finished(p.client, 1, finished, sizeof finished) > 0);
    tk_records_free(&r);
    tk_conn_facts_of(p.server, &facts);
    CHECK(facts.server && !strcmp(facts.server_name, "localhost"));
    CHECK(tk_conn_peer(p.server) == NULL);
    pair_free(&p);

    p = pair_in_memory(&c, session, "localhost");
    pair_shake(&p);
    tk_conn_facts_of(p.client, &facts);
    CHECK(facts.done && facts.reused);
    tk_session_free(session);
    session = tk_conn_session(p.client);
    CHECK(session != NULL);
    tk_session_info(session, &r); /* of the handshake before */
    CHECK(r.size > server_identity.der_size + root.der_size);
    tk_records_free(&r);
    CHECK_EQUAL(tk_session_set_info(session, "notes", 5), TK_DONE);
    tk_session_info(session, &r);
    CHECK(r.size == 13 && !memcmp(r.data + 8, "notes", 5));
    tk_records_free(&r);
    CHECK(tk_ctx_add_session(c.client, session) == 1 &&
          tk_ctx_remove_session(c.client, session) == 1);
    tk_session_free(session);
    /* only a server of 1.3 may ask */
    CHECK_EQUAL(tk_conn_request_certificate(p.client, &fault), TK_SSL);
    pair_free(&p);
    contexts_free(&c);
}

/* Between the setting of a session and the handshake, the policy may have changed: Python looks at
   it once more. */
static void asks_once_more_before_it_resumes(void)
{
    contexts c = contexts_new(ONLY_12);
    pair p = pair_in_memory(&c, NULL, NULL);
    tk_conn_facts facts;
    tk_fault fault;
    SSL_SESSION *session;

    pair_shake(&p);
    session = newest_session(&p);
    pair_free(&p);

    p = pair_in_memory(&c, session, NULL);
    CHECK(!tk_conn_begun(p.client) && tk_conn_has_cipher_of(p.client, session) &&
          tk_session_is_resumable(session));
    CHECK_EQUAL(tk_conn_handshake(p.client, 0), TK_PAUSED);
    CHECK_EQUAL(tk_conn_handshake(p.client, -1), TK_PAUSED);
    CHECK(!tk_conn_begun(p.client));
    /* the second look found something: no session */
    CHECK_DONE(tk_conn_set_session(p.client, NULL, 1, &fault), &fault);
    tk_conn_go_on(p.client);
    pair_shake(&p);
    tk_conn_facts_of(p.client, &facts);
    CHECK(tk_conn_begun(p.client) && !facts.reused && tk_session_is_resumable(session));
    pair_free(&p);
    tk_session_free(session);
    contexts_free(&c);
}

static int resumes_between(contexts *c, const char *id, const char *host, SSL_SESSION **session)
{
    pair p;
    tk_conn_facts facts;

    CHECK_DONE(tk_ctx_set_id_context(c->server, id, 32, 1), NULL);
    p = pair_in_memory(c, *session, host);
    pair_shake(&p);
    tk_conn_facts_of(p.server, &facts);
    tk_session_free(*session);
    *session = newest_session(&p);
    pair_free(&p);
    return facts.reused;
}

/* With somebody to ask about names, a server that has an id context resumes nothing: see
   on_client_hello. */
static void resumes_only_under_its_id_context(int hooks, int resumes)
{
    const char one[] = "0123456789abcdef0123456789abcdef",
               other[] = "fedcba9876543210fedcba9876543210";
    contexts c = contexts_new(ONLY_13);
    SSL_SESSION *session = NULL;

    servername_answer = TK_ACKNOWLEDGED;
    tk_ctx_set_hooks(c.server, hooks);
    CHECK_EQUAL(resumes_between(&c, one, "localhost", &session), 0);
    CHECK_EQUAL(resumes_between(&c, one, "localhost", &session), resumes);
    CHECK_EQUAL(resumes_between(&c, other, "localhost", &session), 0);
    CHECK_EQUAL(resumes_between(&c, other, "localhost", &session), resumes);
    tk_session_free(session);
    contexts_free(&c);
}

static void outlives_its_context(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p;
    tk_fault fault;
    char byte;

    CHECK_DONE(tk_ctx_set_alpn(c.server, "\2h2", 3), NULL);
    p = pair_in_memory(&c, NULL, NULL);
    contexts_free(&c);
    pair_shake(&p);
    CHECK_EQUAL(do_write(p.server, "x", 1, 0, &fault), 1);
    CHECK_EQUAL(do_read(p.client, &byte, 1, 0, &fault), 1);
    CHECK(tk_conn_next_session(p.client) == NULL); /* the hook has gone with the context */
    pair_free(&p);
}

static void queues_no_more_sessions_than_it_may(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_in_memory(&c, NULL, NULL);
    SSL_SESSION *session;
    int i, count = 0;

    for (i = 0; i < 100; i++) {
        session = SSL_SESSION_new();
        SSL_SESSION_set_timeout(session, 1000 + i);
        tk_events_push(p.client, session);
    }
    for (; (session = tk_conn_next_session(p.client)) != NULL; count++) {
        CHECK_EQUAL(SSL_SESSION_get_timeout(session), 1036 + count); /* the newest ones are kept */
        tk_session_free(session);
    }
    CHECK_EQUAL(count, 64);
    tk_events_push(p.client, SSL_SESSION_new()); /* and what nobody fetches is freed */
    pair_free(&p);
    contexts_free(&c);
}

static void ask_everything(tk_conn *c)
{
    tk_conn_facts facts;
    tk_records r = { 0 };
    uint8_t into[64];
    X509 *x;

    tk_conn_facts_of(c, &facts);
    tk_x509_free(x = tk_conn_peer(c));
    tk_x509_free(tk_conn_rejected(c));
    tk_conn_chain(c, 0, &r);
    tk_conn_chain(c, 1, &r);
    CHECK((x == NULL) == (r.size == 0));
    tk_conn_shared_ciphers(c, &r);
    tk_records_free(&r);
    tk_session_free(tk_conn_session(c));
    CHECK(tk_conn_finished(c, 0, into, sizeof into) <= 64 &&
          tk_conn_finished(c, 1, into, 10) <= 10);
    CHECK(tk_conn_pending(c) == 0 && tk_conn_handshake_done(c) == facts.done);
}

static void answers_and_is_freed_at_any_point(int version)
{
    contexts c = contexts_new(version);
    tk_fault fault;
    int steps, i;

    for (steps = 0; steps < 6; steps++) {
        pair p = pair_in_memory(&c, NULL, "localhost");
        for (i = 0; i < steps; i++)
            do_handshake(i % 2 ? p.server : p.client, 0, &fault);
        ask_everything(p.client);
        ask_everything(p.server);
        pair_free(&p);
    }
    tk_conn_free(NULL);
    contexts_free(&c);
}

static void asks_for_a_certificate_later(void)
{
    contexts c = contexts_new(ONLY_13);
    tk_fault fault;
    pair p;
    X509 *peer;
    char byte;

    tk_ctx_set_verify_mode(c.server, SSL_VERIFY_PEER);
    tk_ctx_set_post_handshake_auth(c.server, 1);
    tk_ctx_set_post_handshake_auth(c.client, 1);
    p = pair_in_memory(&c, NULL, NULL);
    pair_shake(&p);
    CHECK(tk_conn_peer(p.server) == NULL);
    CHECK_DONE(tk_conn_request_certificate(p.server, &fault), &fault);
    CHECK_EQUAL(do_write(p.server, "x", 1, 0, &fault), 1);
    CHECK_EQUAL(do_read(p.client, &byte, 1, 0, &fault), 1);
    CHECK_EQUAL(do_read(p.server, &byte, 1, 0, &fault), TK_WANT_READ);
    CHECK((peer = tk_conn_peer(p.server)) != NULL && X509_cmp(peer, client_identity.x509) == 0);
    tk_x509_free(peer);
    pair_free(&p);
    contexts_free(&c);
}

/* ---- verification ---- */

static void refuses_a_stranger(int version)
{
    contexts c = contexts_new(version);
    tk_fault fault;
    pair p;
    X509 *rejected;
    int64_t status;
    int rounds;

    CHECK_DONE(use_identity(c.server, &stranger, &fault), &fault);
    p = pair_in_memory(&c, NULL, NULL);
    for (rounds = 0; (status = do_handshake(p.client, 0, &fault)) == TK_WANT_READ && rounds < 10;
         rounds++)
        do_handshake(p.server, 0, &fault);
    CHECK_EQUAL(status, TK_SSL);
    CHECK(has_error(&fault, "SSL", "CERTIFICATE_VERIFY_FAILED"));
    CHECK_EQUAL(fault.verify_code, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    CHECK(fault.verify_depth == 0 && fault.alert_sent == SSL_AD_UNKNOWN_CA);
    CHECK((rejected = tk_conn_rejected(p.client)) != NULL &&
          X509_cmp(rejected, stranger.x509) == 0);
    tk_x509_free(rejected);
    CHECK_EQUAL(do_handshake(p.server, 0, &fault), TK_SSL);
    CHECK_EQUAL(fault.alert_received, SSL_AD_UNKNOWN_CA);
    pair_free(&p);
    contexts_free(&c);
}

static void refuses_another_name(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_in_memory(&c, NULL, "elsewhere.example");
    tk_fault fault;
    int64_t status;
    int rounds;

    for (rounds = 0; (status = do_handshake(p.client, 0, &fault)) == TK_WANT_READ && rounds < 10;
         rounds++)
        do_handshake(p.server, 0, &fault);
    CHECK_EQUAL(status, TK_SSL);
    CHECK_EQUAL(fault.verify_code, X509_V_ERR_HOSTNAME_MISMATCH);
    pair_free(&p);
    contexts_free(&c);
}

/* ---- bytes ---- */

static void carries_many_bytes(int version)
{
    enum { SIZE = 1000003 };
    contexts c = contexts_new(version);
    pair p = pair_in_memory(&c, NULL, NULL);
    tk_fault fault;
    uint8_t *out = malloc(SIZE), *in = malloc(SIZE);
    size_t i, got = 0;
    int64_t n;

    pair_shake(&p);
    for (i = 0; i < SIZE; i++)
        out[i] = (uint8_t)(i * 31 + i / 1000);
    CHECK_EQUAL(do_write(p.client, out, SIZE, 0, &fault), SIZE);
    CHECK_EQUAL(do_write(p.client, out, 0, 0, &fault), 0);
    while ((n = do_read(p.server, in + got, SIZE - got < 70000 ? SIZE - got : 70000, 0, &fault)) >
           0)
        got += (size_t)n;
    CHECK_EQUAL(got, SIZE);
    CHECK(!memcmp(in, out, SIZE));
    CHECK_EQUAL(do_write(p.server, out, 100, 0, &fault), 100);
    CHECK_EQUAL(do_read(p.client, in, 40, 0, &fault), 40);
    CHECK_EQUAL(tk_conn_pending(p.client), 60);
    CHECK_EQUAL(do_read(p.client, in, SIZE, 0, &fault), 60);
    CHECK_EQUAL(do_read(p.client, in, SIZE, 0, &fault), TK_WANT_READ);
    CHECK_EQUAL(tk_conn_handshake_done(p.client), 1);
    free(in);
    free(out);
    pair_free(&p);
    contexts_free(&c);
}

static void gives_the_bytes_before_the_failure(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_in_memory(&c, NULL, NULL);
    tk_fault fault;
    char into[100];
    int i;

    pair_shake(&p);
    CHECK_EQUAL(do_write(p.client, "hello", 5, 0, &fault), 5);
    tk_mem_write(p.to_server, "\x17\x03\x03\x00\x05junk!", 10); /* a record that no key has made */
    CHECK_EQUAL(do_read(p.server, into, sizeof into, 0, &fault), 5);
    for (i = 0; i < 3; i++) {
        CHECK_EQUAL(do_read(p.server, into, sizeof into, 0, &fault), TK_SSL);
        CHECK(fault.count > 0 && fault.alert_sent >= 0); /* which alert: versions differ */
    }
    memset(&fault, 0, sizeof fault);
    /* with a fault of its own */
    CHECK(do_write(p.server, "x", 1, 0, &fault) < 0 && fault.ssl_error != 0);
    pair_free(&p);
    contexts_free(&c);
}

static void refuses_junk(void)
{
    contexts c = contexts_new(0);
    pair p = pair_in_memory(&c, NULL, NULL);
    tk_fault fault;
    char byte;

    tk_mem_write(p.to_server, "GET / HTTP/1.1\r\n\r\n", 18);
    CHECK_EQUAL(do_handshake(p.server, 0, &fault), TK_SSL);
    CHECK(has_error(&fault, "SSL", "HTTP_REQUEST"));
    CHECK(do_read(p.server, &byte, 1, 0, &fault) < 0);
    pair_free(&p);
    contexts_free(&c);
}

/* ---- ends ---- */

static void shuts_down_in_both_directions(int version)
{
    contexts c = contexts_new(version);
    pair p = pair_in_memory(&c, NULL, NULL);
    tk_fault fault;
    char into[16];

    pair_shake(&p);
    take_tickets(&p);
    CHECK_EQUAL(do_shutdown(p.client, 0, &fault), TK_WANT_READ);
    CHECK_EQUAL(do_read(p.server, into, sizeof into, 0, &fault), TK_EOF);
    CHECK_EQUAL(do_read(p.server, into, sizeof into, 0, &fault), TK_EOF);
    CHECK_EQUAL(do_write(p.server, "still", 5, 0, &fault), 5); /* half closed */
    CHECK_EQUAL(do_shutdown(p.server, 0, &fault), TK_DONE);
    CHECK_EQUAL(do_read(p.server, into, sizeof into, 0, &fault), TK_ZERO_RETURN);
    CHECK(do_write(p.server, "x", 1, 0, &fault) < 0);
    pair_free(&p);
    contexts_free(&c);
}

static void notices_a_ragged_end(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_in_memory(&c, NULL, NULL);
    tk_fault fault;
    char into[16];

    pair_shake(&p);
    take_tickets(&p);
    tk_mem_write_eof(p.to_client);
    CHECK_EQUAL(do_read(p.client, into, sizeof into, 0, &fault), TK_SSL);
    CHECK(has_error(&fault, "SSL", "UNEXPECTED_EOF_WHILE_READING"));
    pair_free(&p);
    contexts_free(&c);
}

static void says_when_it_is_closed(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_in_memory(&c, NULL, NULL);
    tk_fault fault;
    char byte;

    pair_shake(&p);
    tk_conn_close(p.client);
    tk_conn_close(p.client);
    CHECK_EQUAL(do_read(p.client, &byte, 1, 0, &fault), TK_CLOSED);
    CHECK_EQUAL(do_write(p.client, "x", 1, 0, &fault), TK_CLOSED);
    CHECK_EQUAL(do_shutdown(p.client, -1, &fault), TK_CLOSED);
    pair_free(&p);
    contexts_free(&c);
}

/* ---- the door ---- */

static int64_t with_answer(int answer, const char *host, int *alert)
{
    contexts c = contexts_new(0);
    tk_fault fault;
    int64_t status;
    pair p;

    servername_answer = answer;
    servername_asked = 0;
    tk_ctx_set_hooks(c.server, TK_HOOK_SERVERNAME);
    p = pair_in_memory(&c, NULL, host);
    CHECK_EQUAL(do_handshake(p.client, 0, &fault), TK_WANT_READ);
    status = do_handshake(p.server, 0, &fault);
    *alert = status == TK_SSL ? fault.alert_sent : -1;
    CHECK_EQUAL(servername_asked, 1);
    CHECK(status != TK_SSL || !has_error(&fault, "lib(128)", "INTERNAL_ERROR"));
    pair_free(&p);
    contexts_free(&c);
    return status;
}

static void asks_about_the_name(void)
{
    int alert;

    CHECK_EQUAL(with_answer(TK_ACKNOWLEDGED, "localhost", &alert), TK_WANT_READ);
    CHECK(!strcmp(servername_seen, "localhost"));
    CHECK_EQUAL(with_answer(TK_NOT_ACKNOWLEDGED, "localhost", &alert), TK_WANT_READ);
    CHECK_EQUAL(with_answer(TK_ACKNOWLEDGED, NULL, &alert), TK_WANT_READ);
    CHECK(!strcmp(servername_seen, "(none)"));
    CHECK_EQUAL(with_answer(SSL_AD_UNRECOGNIZED_NAME, "localhost", &alert), TK_SSL);
    CHECK_EQUAL(alert, SSL_AD_UNRECOGNIZED_NAME);
}

static void changes_its_context(void)
{
    contexts c = contexts_new(ONLY_13), other = contexts_new(ONLY_13);
    pair p = pair_in_memory(&c, NULL, "localhost");

    CHECK_DONE(tk_conn_set_context(p.server, other.server, NULL), NULL);
    pair_shake(&p);
    pair_free(&p);
    contexts_free(&c);
    contexts_free(&other);
}

/* Until the client waits for Python's verdict on its server. */
static void shake_until_the_verdict(pair *p)
{
    int rounds;

    for (rounds = 0; rounds < 20 && tk_conn_paused(p->client) != TK_PAUSE_VERIFY; rounds++) {
        tk_fault fault;
        if (tk_conn_handshake(p->client, 0) == TK_PAUSED &&
            tk_conn_paused(p->client) != TK_PAUSE_VERIFY)
            tk_conn_go_on(p->client);
        do_handshake(p->server, 0, &fault);
    }
    CHECK_EQUAL(tk_conn_paused(p->client), TK_PAUSE_VERIFY);
}

/* libssl verifies again after the pause. If the chain passes no longer, which is only reported, no
   question is left for that answer, and it must not stay for the chain of a renegotiation. */
static void forgets_an_answer_that_came_too_late(int version, int reported)
{
    contexts c = contexts_new(version);
    tk_fault fault;
    pair p;

    tk_ctx_set_hooks(c.client, TK_HOOK_VERIFY | TK_HOOK_VERIFY_LATER);
    tk_ctx_set_verify_report(c.client, reported);
    p = pair_in_memory(&c, NULL, "localhost");
    shake_until_the_verdict(&p);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(p.client->ssl), 4000000000); /* long expired */
    tk_conn_go_on(p.client);
    if (reported)
        pair_shake(&p);
    else
        CHECK_EQUAL(do_handshake(p.client, 0, &fault), TK_SSL);
    CHECK_EQUAL(p.client->reported, reported);
    CHECK_EQUAL(p.client->answered, TK_PAUSE_NONE);
    pair_free(&p);
    contexts_free(&c);
}

static void agrees_on_a_protocol(void)
{
    contexts c = contexts_new(0);
    tk_conn_facts facts;
    pair p;

    CHECK_DONE(tk_ctx_set_alpn(c.client, "\5first\6second", 13), NULL);
    CHECK_DONE(tk_ctx_set_alpn(c.server, "\6second\5first", 13), NULL);
    p = pair_in_memory(&c, NULL, NULL);
    pair_shake(&p);
    tk_conn_facts_of(p.client, &facts);
    CHECK(facts.alpn_size == 6 && !memcmp(facts.alpn, "second", 6));
    pair_free(&p);
    contexts_free(&c);
}

void test_memory(void)
{
    resumes(ONLY_12);
    resumes(ONLY_13);
    asks_once_more_before_it_resumes();
    resumes_only_under_its_id_context(0, 1);
    resumes_only_under_its_id_context(TK_HOOK_SERVERNAME, 0);
    outlives_its_context();
    queues_no_more_sessions_than_it_may();
    answers_and_is_freed_at_any_point(ONLY_12);
    answers_and_is_freed_at_any_point(ONLY_13);
    asks_for_a_certificate_later();
    refuses_a_stranger(ONLY_12);
    refuses_a_stranger(ONLY_13);
    refuses_another_name();
    carries_many_bytes(ONLY_12);
    carries_many_bytes(ONLY_13);
    gives_the_bytes_before_the_failure();
    refuses_junk();
    shuts_down_in_both_directions(ONLY_12);
    shuts_down_in_both_directions(ONLY_13);
    notices_a_ragged_end();
    says_when_it_is_closed();
    asks_about_the_name();
    changes_its_context();
    forgets_an_answer_that_came_too_late(ONLY_12, 1);
    forgets_an_answer_that_came_too_late(ONLY_12, 0);
    forgets_an_answer_that_came_too_late(ONLY_13, 1);
    forgets_an_answer_that_came_too_late(ONLY_13, 0);
    agrees_on_a_protocol();
}

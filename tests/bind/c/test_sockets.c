/* Connections over socket pairs: full sockets, time running out, threads side by side, sockets that
   end. */
#include <fcntl.h>
#include <unistd.h>

#include "tk_test.h"

enum { SMALL = 4096, MANY = 700001 };

static uint8_t pattern(size_t i) { return (uint8_t)(i * 131 + i / 509); }

static uint8_t *patterned(size_t size)
{
    uint8_t *data = malloc(size);
    size_t i;

    CHECK(data != NULL);
    for (i = 0; i < size; i++)
        data[i] = pattern(i);
    return data;
}

typedef struct {
    tk_conn *conn;
    size_t size, done;
    int64_t status;
    tk_fault fault;
} job;

static void read_all(void *argument)
{
    job *j = argument;
    uint8_t into[5000];
    int64_t i;

    while (j->done < j->size) {
        j->status = do_read(j->conn, into, sizeof into, 20000, &j->fault);
        CHECK_DONE(j->status, &j->fault);
        CHECK(j->status > 0);
        for (i = 0; i < j->status; i++)
            CHECK_EQUAL(into[i], pattern(j->done + (size_t)i));
        j->done += (size_t)j->status;
    }
}

static void write_all(void *argument)
{
    job *j = argument;
    uint8_t *data = patterned(j->size);

    while (j->done < j->size) {
        j->status = do_write(j->conn, data + j->done, j->size - j->done, 20000, &j->fault);
        CHECK_DONE(j->status, &j->fault);
        j->done += (size_t)j->status;
    }
    free(data);
}

static void shake_waiting(void *argument)
{
    job *j = argument;

    j->status = do_handshake(j->conn, 20000, &j->fault);
}

/* ---- handshake ---- */

static void shakes_hands_while_waiting(int version)
{
    contexts c = contexts_new(version);
    pair p = pair_of_sockets(&c, 0);
    job server = { .conn = p.server };
    tk_fault fault;
    thread t;

    thread_start(&t, shake_waiting, &server);
    CHECK_DONE(do_handshake(p.client, -1, &fault), &fault);
    thread_join(&t);
    CHECK_DONE(server.status, &server.fault);
    pair_free(&p);
    contexts_free(&c);
}

static void gives_up_in_time(void)
{
    contexts c = contexts_new(0);
    pair p = pair_of_sockets(&c, 0);
    tk_fault fault;
    int64_t before = tk_clock_ms();
    char byte;

    CHECK_EQUAL(do_handshake(p.client, 60, &fault), TK_TIMED_OUT);
    CHECK(tk_clock_ms() - before >= 59);
    pair_shake(&p);
    CHECK_EQUAL(do_read(p.server, &byte, 1, 30, &fault), TK_TIMED_OUT);
    pair_free(&p);
    contexts_free(&c);
}

/* What was read from the socket before TLS began goes in first. */
static void begins_with_what_was_read_before(void)
{
    contexts c = contexts_new(0);
    pair p = pair_of_sockets(&c, 0);
    uint8_t early[4096];
    tk_fault fault;
    ssize_t n;

    CHECK_EQUAL(do_handshake(p.client, 0, &fault), TK_WANT_READ);
    CHECK((n = recv(p.fds[1], early, sizeof early, 0)) > 100);
    CHECK(tk_conn_feed(p.server, early, 7) && tk_conn_feed(p.server, early + 7, (size_t)n - 7));
    pair_shake(&p);
    pair_free(&p);
    contexts_free(&c);
}

/* Who reads just what a message holds gets it from one recv, and leaves nothing behind of it. */
static void takes_a_message_at_once(int version)
{
    contexts c = contexts_new(version);
    pair p = pair_of_sockets(&c, 0);
    uint8_t into[64], message[64] = { 7 };
    tk_fault fault;
    uint64_t taken;
    int i;

    pair_shake(&p);
    for (i = 0; i < 3; i++) { /* the first read takes the tickets, too */
        CHECK_EQUAL(do_write(p.server, message, sizeof message, 1000, &fault), sizeof message);
        taken = p.client->taken;
        CHECK_EQUAL(do_read(p.client, into, sizeof into, 1000, &fault), sizeof into);
        CHECK(i == 0 || p.client->taken == taken + 1);
        CHECK_EQUAL(memcmp(into, message, sizeof into), 0);
    }
    pair_free(&p);
    contexts_free(&c);
}

/* ---- bytes through a socket that is nearly always full ---- */

static void writes_into_a_small_socket(int version)
{
    contexts c = contexts_new(version);
    pair p = pair_of_sockets(&c, SMALL);
    job reader = { .conn = p.server, .size = MANY }, writer = { .conn = p.client, .size = MANY };
    thread t;

    pair_shake(&p);
    thread_start(&t, read_all, &reader);
    write_all(&writer);
    thread_join(&t);
    CHECK_EQUAL(reader.done, MANY);
    pair_free(&p);
    contexts_free(&c);
}

/* A write that would not wait is repeated with the same bytes: none is lost, and none is sent
   twice. */
static void owes_what_it_has_encrypted(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, SMALL);
    uint8_t *data = patterned(MANY), into[3000];
    size_t written = 0, got = 0, refused = 0;
    tk_fault fault;
    int64_t n, i;

    pair_shake(&p);
    while (got < MANY) {
        if (written < MANY) {
            n = do_write(p.client, data + written, MANY - written, 0, &fault);
            refused += n == TK_WANT_WRITE;
            if (n != TK_WANT_WRITE) {
                CHECK_DONE(n, &fault);
                written += (size_t)n;
            }
        } else {
            do_read(p.client, into, 1, 0, &fault); /* any operation sends on what waits */
        }
        n = do_read(p.server, into, sizeof into, 0, &fault);
        if (n == TK_WANT_READ)
            continue;
        CHECK_DONE(n, &fault);
        for (i = 0; i < n; i++)
            CHECK_EQUAL(into[i], pattern(got + (size_t)i));
        got += (size_t)n;
    }
    CHECK(written == MANY && refused > 0);
    free(data);
    pair_free(&p);
    contexts_free(&c);
}

static void refuses_a_shorter_retry(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, SMALL);
    uint8_t *data = patterned(MANY);
    tk_fault fault;
    int64_t n;

    pair_shake(&p);
    do
        n = do_write(p.client, data, 16384, 0, &fault);
    while (n > 0);
    CHECK_EQUAL(n, TK_WANT_WRITE);
    CHECK_EQUAL(do_write(p.client, data, 1, 0, &fault), TK_SSL);
    CHECK(has_error(&fault, "SSL", "BAD_LENGTH"));
    free(data);
    pair_free(&p);
    contexts_free(&c);
}

static void drain(tk_conn *from, tk_conn *to)
{
    uint8_t into[4096];
    tk_fault fault;

    do
        do_read(from, into, 1, 0, &fault); /* sends on what waits */
    while (do_read(to, into, sizeof into, 0, &fault) > 0 || from->behind.size > 0);
}

/* Writes that end early, each of another thread, and none is repeated: their number has a bound. */
static void gives_up_on_writers_that_never_repeat(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, SMALL);
    uint8_t data[1000] = { 0 };
    tk_fault fault;
    int i;

    pair_shake(&p);
    for (i = 1; i <= 16; i++) {
        data[0] = (uint8_t)i;
        while (do_write(p.client, data, sizeof data, 1, &fault) > 0)
            ;
        CHECK_EQUAL(p.client->owed_count, i);
        p.client->owed[i - 1].thread = 0;
        drain(p.client, p.server);
    }
    CHECK_EQUAL(do_write(p.client, "another", 7, 1, &fault), TK_SSL);
    CHECK(has_error(&fault, "SSL", "BAD_WRITE_RETRY"));
    data[0] = 5;
    CHECK_EQUAL(do_write(p.client, data, sizeof data, 1, &fault), (int64_t)sizeof data);
    CHECK_EQUAL(p.client->owed_count, 15);
    CHECK_EQUAL(do_write(p.client, "another", 7, 1, &fault), 7);
    CHECK_EQUAL(p.client->owed_count, 15);
    pair_free(&p);
    contexts_free(&c);
}

/* A write in several calls has the turn between them; when it is left in its middle, it is for its
   repetition. */
static void writes_in_several_calls(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, SMALL);
    uint8_t *data = patterned(MANY);
    tk_progress progress = { 0 };
    job reader = { .conn = p.server, .size = MANY };
    int64_t status;
    size_t taken;
    thread t;

    pair_shake(&p);
    CHECK_EQUAL(tk_conn_write_on(p.client, data, MANY, &progress, 1), TK_TIMED_OUT);
    CHECK((taken = progress.taken) > 0 && taken < MANY);
    CHECK_EQUAL(p.client->turn.number, progress.number);
    CHECK_EQUAL(tk_conn_write_on(p.client, data, MANY, &progress, 1), TK_TIMED_OUT);
    CHECK(progress.taken >= taken && p.client->owed_count == 0);
    tk_conn_write_leave(p.client, data, MANY, &progress);
    CHECK_EQUAL(p.client->owed_count, 1);
    CHECK_EQUAL(progress.taken, 0);
    thread_start(&t, read_all, &reader);
    do
        status = tk_conn_write_on(p.client, data, MANY, &progress, 20000);
    while (status == TK_INTERRUPTED);
    CHECK_EQUAL(status, MANY);
    thread_join(&t);
    CHECK(p.client->owed_count == 0 && p.client->turn.number == 0);
    free(data);
    pair_free(&p);
    contexts_free(&c);
}

static void carries_both_directions_at_once(int version)
{
    contexts c = contexts_new(version);
    pair p = pair_of_sockets(&c, SMALL);
    job jobs[4] = {
        { .conn = p.client, .size = MANY }, { .conn = p.server, .size = MANY },
        { .conn = p.client, .size = MANY }, { .conn = p.server, .size = MANY },
    };
    thread t[4];
    int i;

    pair_shake(&p);
    for (i = 0; i < 4; i++)
        thread_start(&t[i], i < 2 ? read_all : write_all, &jobs[i]);
    for (i = 0; i < 4; i++)
        thread_join(&t[i]);
    CHECK(jobs[0].done == MANY && jobs[1].done == MANY);
    pair_free(&p);
    contexts_free(&c);
}

/* ---- closing under its users ---- */

static void read_one(void *argument)
{
    job *j = argument;
    char byte;

    j->status = do_read(j->conn, &byte, 1, -1, &j->fault);
}

static void until_waiting(tk_conn *conn, int threads)
{
    int waiting = 0;

    while (waiting < threads) {
        tk_lock(&conn->mutex);
        waiting = conn->waiting;
        tk_unlock(&conn->mutex);
    }
}

static void closes_under_a_reader(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, 0);
    job jobs[2] = { { .conn = p.client }, { .conn = p.client } };
    thread t[2];
    int i;

    pair_shake(&p);
    for (i = 0; i < 2; i++)
        thread_start(&t[i], read_one, &jobs[i]);
    until_waiting(p.client, 2);
    tk_conn_close(p.client);
    CHECK_EQUAL(p.client->waiting, 0);
    for (i = 0; i < 2; i++)
        thread_join(&t[i]);
    CHECK(jobs[0].status == TK_CLOSED && jobs[1].status == TK_CLOSED);
    pair_free(&p);
    contexts_free(&c);
}

static void closes_under_a_writer(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, SMALL);
    uint8_t *data = patterned(MANY);
    tk_fault fault;
    job j = { .conn = p.client };
    thread t;

    pair_shake(&p);
    while (do_write(p.client, data, 16384, 0, &fault) > 0)
        ;
    thread_start(&t, read_one, &j); /* waits for both: to read, and to send on what is behind */
    until_waiting(p.client, 1);
    tk_conn_close(p.client);
    thread_join(&t);
    CHECK_EQUAL(j.status, TK_CLOSED);
    free(data);
    pair_free(&p);
    contexts_free(&c);
}

/* ---- sockets that end ---- */

/* What the peer says in the clear behind its close_notify stays in the socket; what could be a
   record too, and is followed by something, is read ahead. */
static void shuts_down_and_leaves_the_rest(const void *plain, size_t size, size_t ahead)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, 0);
    tk_fault fault;
    char into[64];

    pair_shake(&p);
    take_tickets(&p);
    CHECK_EQUAL(do_shutdown(p.server, 0, &fault), TK_WANT_READ);
    CHECK_EQUAL(write(p.fds[1], plain, size), (int64_t)size);
    CHECK_EQUAL(do_read(p.client, into, sizeof into, 0, &fault), TK_EOF);
    CHECK_DONE(do_shutdown(p.client, 1000, &fault), &fault);
    CHECK_DONE(do_shutdown(p.server, 1000, &fault), &fault);
    CHECK_EQUAL(tk_conn_leftover(p.client, into, sizeof into), ahead);
    CHECK_EQUAL(recv(p.fds[0], into + ahead, sizeof into - ahead, 0), (int64_t)(size - ahead));
    CHECK(!memcmp(into, plain, size));
    CHECK_EQUAL(tk_conn_leftover(p.client, into, sizeof into), 0);
    pair_free(&p);
    contexts_free(&c);
}

static void writes_to_nobody(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, 0);
    tk_fault fault;

    pair_shake(&p);
    close(p.fds[1]);
    p.fds[1] = -1;
    CHECK_EQUAL(do_write(p.client, "x", 1, -1, &fault), TK_SYSCALL); /* and no SIGPIPE */
    CHECK_EQUAL(fault.sys_errno, EPIPE);
    tk_conn_free(p.server);
    p.server = NULL;
    pair_free(&p);
    contexts_free(&c);
}

static void reads_from_a_closed_descriptor(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, 0);
    tk_fault fault;
    char byte;
    int fd = p.fds[0];

    pair_shake(&p);
    take_tickets(&p);
    p.client->fd = fcntl(fd, F_DUPFD, 900);
    close((int)p.client->fd);
    CHECK_EQUAL(do_read(p.client, &byte, 1, -1, &fault), TK_SYSCALL);
    CHECK_EQUAL(fault.sys_errno, EBADF);
    pair_free(&p);
    contexts_free(&c);
}

/* A reader that has waited has peeked at the socket. What it saw is on its stack: the connection
   must not remember where, however the operation ends. */
static void forgets_what_a_reader_saw(int reset)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, 0);
    job j = { .conn = p.client };
    tk_fault fault;
    thread t;
    char byte;

    pair_shake(&p);
    take_tickets(&p);
    if (reset) /* a socket pair resets what is closed before it was read */
        CHECK_EQUAL(do_write(p.client, "unread", 6, 0, &fault), 6);
    thread_start(&t, read_one, &j);
    until_waiting(p.client, 1);
    close(p.fds[1]);
    p.fds[1] = -1;
    thread_join(&t);
    CHECK_EQUAL(j.status, reset ? TK_SYSCALL : TK_SSL);
    CHECK(p.client->look == NULL);
    CHECK(do_read(p.client, &byte, 1, 0, &fault) < 0);
    tk_conn_free(p.server);
    p.server = NULL;
    pair_free(&p);
    contexts_free(&c);
}

static void ends_with_the_bytes_that_came(void)
{
    contexts c = contexts_new(ONLY_13);
    pair p = pair_of_sockets(&c, 0);
    tk_fault fault;
    char into[64];

    pair_shake(&p);
    CHECK_EQUAL(do_write(p.server, "last words", 10, -1, &fault), 10);
    close(p.fds[1]);
    p.fds[1] = -1;
    CHECK_EQUAL(do_read(p.client, into, sizeof into, -1, &fault), 10);
    CHECK_EQUAL(do_read(p.client, into, sizeof into, -1, &fault), TK_SSL);
    CHECK(has_error(&fault, "SSL", "UNEXPECTED_EOF_WHILE_READING"));
    tk_conn_free(p.server);
    p.server = NULL;
    pair_free(&p);
    contexts_free(&c);
}

void test_sockets(void)
{
    shakes_hands_while_waiting(ONLY_12);
    shakes_hands_while_waiting(ONLY_13);
    gives_up_in_time();
    begins_with_what_was_read_before();
    takes_a_message_at_once(ONLY_12);
    takes_a_message_at_once(ONLY_13);
    writes_into_a_small_socket(ONLY_12);
    writes_into_a_small_socket(ONLY_13);
    owes_what_it_has_encrypted();
    refuses_a_shorter_retry();
    gives_up_on_writers_that_never_repeat();
    writes_in_several_calls();
    carries_both_directions_at_once(ONLY_12);
    carries_both_directions_at_once(ONLY_13);
    closes_under_a_reader();
    closes_under_a_writer();
    shuts_down_and_leaves_the_rest("plain again", 11, 0);
    shuts_down_and_leaves_the_rest("\0\0\0\0\2abmore", 11, 0);
    shuts_down_and_leaves_the_rest("\27\3\3\0\2abmore", 11, 7);
    writes_to_nobody();
    reads_from_a_closed_descriptor();
    forgets_what_a_reader_saw(0);
    forgets_what_a_reader_saw(1);
    ends_with_the_bytes_that_came();
}

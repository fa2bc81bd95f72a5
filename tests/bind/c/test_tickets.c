/* Rings of ticket keys: by the clock (the time is an argument, or set forward), by hand, and in
   handshakes. */
#include <sys/wait.h>
#include <unistd.h>

#include "tk_ring.h"
#include "tk_test.h"

/* TIME is where a period begins */
enum { PERIOD = 100, LIFETIME = 250, KEPT = 3, TIME = 1700000000 };
/* by the real clock: no period ends while a test runs */
enum { LONG_PERIOD = 100000, LONG_LIFETIME = 250000 };

static tk_ring *ring_at(int kind, int64_t now)
{
    tk_fault fault;
    tk_ring *r = tk_ring_new_at(kind, PERIOD, LIFETIME, now, &fault);

    CHECK(r != NULL);
    return r;
}

static tk_ring *ring_of(int kind)
{
    tk_fault fault;
    tk_ring *r = tk_ring_new(kind, LONG_PERIOD, LONG_LIFETIME, &fault);

    CHECK(r != NULL);
    return r;
}

static void give_secrets(tk_ring *r, const char *one, const char *other)
{
    char both[128];
    size_t sizes[2] = { strlen(one), other != NULL ? strlen(other) : 0 };
    tk_fault fault;

    snprintf(both, sizeof both, "%s%s", one, other != NULL ? other : "");
    CHECK_DONE(tk_ring_set_secrets(r, both, sizes, other != NULL ? 2 : 1, &fault), &fault);
}

typedef struct {
    uint8_t name[16];
} label;

static label first_at(tk_ring *r, int64_t now)
{
    tk_keys *k = tk_ring_take(r, now);
    label l;

    CHECK(k != NULL && k->count > 0);
    memcpy(l.name, k->key[0].name, sizeof l.name);
    tk_ring_give_back(k);
    return l;
}

static int same(label a, label b) { return !memcmp(a.name, b.name, sizeof a.name); }

enum { ABSENT, GONE, OLD, NEWEST };

static int state_at(tk_ring *r, int64_t now, label l)
{
    tk_keys *k = tk_ring_take(r, now);
    int32_t i;
    int state = ABSENT;

    for (i = 0; i < k->gone_count; i++)
        if (!memcmp(k->gone[i], l.name, sizeof l.name))
            state = GONE;
    for (i = 0; i < k->count; i++)
        if (!memcmp(k->key[i].name, l.name, sizeof l.name))
            state = k->key[i].until <= now ? GONE : k->key[i].newest ? NEWEST : OLD;
    tk_ring_give_back(k);
    return state;
}

/* ---- by the clock ---- */

static void test_own(void)
{
    tk_ring *r = ring_at(TK_RING_OWN, TIME);
    label a = first_at(r, TIME), b, c;
    tk_ring_stats stats;

    CHECK(same(a, first_at(r, TIME + PERIOD - 1)));
    b = first_at(r, TIME + PERIOD);
    CHECK(!same(a, b));
    CHECK_EQUAL(state_at(r, TIME + PERIOD, b), NEWEST);
    CHECK_EQUAL(state_at(r, TIME + PERIOD, a), OLD);
    CHECK(same(b, first_at(r, TIME))); /* no way back */
    CHECK_EQUAL(state_at(r, TIME + PERIOD * (1 + KEPT) - 1, a), OLD);
    CHECK_EQUAL(state_at(r, TIME + PERIOD * (1 + KEPT), a), GONE);
    c = first_at(r, TIME + PERIOD * 10000); /* a long sleep */
    CHECK_EQUAL(state_at(r, TIME + PERIOD * 10000, b), GONE);
    CHECK_EQUAL(state_at(r, TIME + PERIOD * 10000, c), NEWEST);
    tk_ring_stats_of(r, &stats);
    CHECK(stats.rotations >= 3 && stats.made == 0);
    tk_ring_free(r);
}

/* The clock was wrong for a moment: rotation goes on, and no key is kept for all that time. */
static void test_own_in_the_future(void)
{
    tk_ring *r = ring_at(TK_RING_OWN, TIME);
    label then = first_at(r, TIME + 50 * PERIOD), now = first_at(r, TIME), next;

    CHECK(!same(then, now));
    CHECK_EQUAL(state_at(r, TIME, then), OLD);
    next = first_at(r, TIME + PERIOD);
    CHECK(!same(now, next));
    CHECK_EQUAL(state_at(r, TIME + PERIOD, now), OLD);
    CHECK_EQUAL(state_at(r, TIME + PERIOD * (KEPT + 1), then), GONE);
    tk_ring_free(r);
}

/* A machine that begins without a clock; its children see the right time one after the other. */
static void test_own_from_1970(void)
{
    tk_ring *r = tk_ring_new_at(TK_RING_OWN, 1, 2, 5, NULL);
    label theirs;
    int ends[2], status;
    pid_t pid;

    CHECK_EQUAL(pipe(ends), 0);
    if ((pid = fork()) == 0) {
        /* in seconds: stepping through all of them would take an hour */
        theirs = first_at(r, TIME + 1);
        theirs = first_at(r, TIME + 100);
        tk_ring_free(r);
        _exit(write(ends[1], &theirs, sizeof theirs) != (ssize_t)sizeof theirs);
    }
    CHECK_EQUAL(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    CHECK_EQUAL(status, 0);
    close(ends[0]);
    close(ends[1]);
    CHECK(same(first_at(r, TIME + 100), theirs));
    tk_ring_free(r);
}

/* Two processes that begin as one: whatever each has seen of the time in between, they have the
   same keys. */
static void test_own_in_a_child(void)
{
    tk_ring *r = ring_at(TK_RING_OWN, TIME);
    label theirs[2];
    int ends[2], status;
    pid_t pid;

    CHECK_EQUAL(pipe(ends), 0);
    if ((pid = fork()) == 0) {
        theirs[0] = first_at(r, TIME + PERIOD);
        theirs[1] = first_at(r, TIME + 2 * PERIOD);
        tk_ring_free(r);
        _exit(write(ends[1], theirs, sizeof theirs) != (ssize_t)sizeof theirs);
    }
    CHECK_EQUAL(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    CHECK_EQUAL(status, 0);
    close(ends[0]);
    close(ends[1]);
    CHECK(!same(theirs[0], theirs[1]));
    /* over the one that this process has never used ... */
    CHECK(same(first_at(r, TIME + 2 * PERIOD), theirs[1]));
    CHECK_EQUAL(state_at(r, TIME + 2 * PERIOD, theirs[0]), OLD); /* ... but can read */
    tk_ring_free(r);
}

static const char ONE[] = "one secret of at least 32 bytes, for tests",
                  TWO[] = "two secret of at least 32 bytes, for tests";

static void test_shared(void)
{
    tk_ring *a = ring_at(TK_RING_SHARED, TIME), *b = ring_at(TK_RING_SHARED, TIME);
    label now, next;

    CHECK(tk_ring_take(a, TIME) == NULL); /* no secret yet: no keys, and no crash */
    give_secrets(a, ONE, NULL);
    give_secrets(b, TWO, ONE);
    now = first_at(a, TIME);
    CHECK(!same(now, first_at(b, TIME)));
    CHECK_EQUAL(state_at(b, TIME, now), OLD); /* of the second secret: to be renewed */
    give_secrets(b, ONE, NULL);
    CHECK(same(now, first_at(b, TIME + PERIOD - 1)));
    next = first_at(a, TIME + PERIOD);
    CHECK_EQUAL(state_at(b, TIME, next), NEWEST); /* a clock that is ahead: nothing to renew */
    CHECK(state_at(b, TIME - PERIOD, next) <= GONE); /* too far ahead */
    CHECK_EQUAL(state_at(b, TIME + PERIOD * KEPT, now), OLD);
    CHECK_EQUAL(state_at(b, TIME + PERIOD * (KEPT + 1), now), GONE);
    CHECK(same(now, first_at(b, TIME + 1))); /* by the clock alone: also back */
    CHECK(first_at(a, 0).name[0] == first_at(b, 0).name[0]); /* no period before the first */
    tk_ring_free(a);
    tk_ring_free(b);
}

/* ---- by hand ---- */

static void give_keys(tk_ring *r, char first, int32_t count)
{
    uint8_t keys[4][TK_PACKED_KEY];
    tk_fault fault;
    int32_t i;

    for (i = 0; i < count; i++) {
        memset(keys[i], first + i, TK_PACKED_KEY);
        keys[i][0] = i % 2 ? 16 : 32;
    }
    CHECK_DONE(tk_ring_set_keys(r, keys, count, &fault), &fault);
}

static label label_of(char c)
{
    label l;

    memset(l.name, c, sizeof l.name);
    return l;
}

static void test_given(void)
{
    tk_ring *r = ring_of(TK_RING_GIVEN);
    int64_t now = tk_ring_clock(r);
    tk_fault fault;
    uint8_t out[3][TK_PACKED_KEY];

    CHECK(tk_ring_take(r, now) == NULL);
    give_keys(r, 'a', 3);
    CHECK_EQUAL(state_at(r, now + 100 * 86400, label_of('a')), NEWEST); /* until it is taken away */
    CHECK_EQUAL(state_at(r, now, label_of('c')), OLD);
    CHECK_EQUAL(tk_ring_keys(r, out, 3), 3);
    CHECK(out[1][0] == 16 && out[1][1] == 'b' && out[1][80] == 'b');
    give_keys(r, 'b', 2);
    CHECK_EQUAL(state_at(r, now, label_of('a')), GONE);
    CHECK_DONE(tk_ring_rotate(r, 0, &fault), &fault);
    CHECK_EQUAL(state_at(r, now, label_of('b')), OLD);
    /* when the last ticket under it has ended */
    CHECK_EQUAL(state_at(r, now + LONG_LIFETIME + 2, label_of('b')), GONE);
    give_keys(r, 'd', 1);
    CHECK_DONE(tk_ring_rotate(r, 1, &fault), &fault);
    CHECK_EQUAL(state_at(r, now, label_of('d')), GONE);
    CHECK_EQUAL(tk_ring_keys(r, out, 3), 1);
    tk_ring_free(r);
    tk_ring_free(NULL);
}

static void test_rotating_without_end(void)
{
    tk_ring *r = ring_of(TK_RING_OWN);
    label a = first_at(r, tk_ring_clock(r));
    static uint8_t out[TK_RING_KEYS + 1][TK_PACKED_KEY];
    tk_fault fault;
    int i;

    for (i = 0; i < TK_RING_KEYS + 10; i++) /* the time of it grows with the square */
        CHECK_DONE(tk_ring_rotate(r, 0, &fault), &fault);
    CHECK_EQUAL(tk_ring_keys(r, out, TK_RING_KEYS + 1), TK_RING_KEYS);
    CHECK(state_at(r, tk_ring_clock(r), a) <= GONE);
    tk_ring_free(r);
}

/* ---- in handshakes ---- */

static SSL_SESSION *meet(contexts *c, SSL_SESSION *session, int *reused)
{
    pair p = pair_in_memory(c, session, "localhost");
    tk_conn_facts facts;
    SSL_SESSION *newest;

    pair_shake(&p);
    newest = newest_session(&p);
    tk_conn_facts_of(p.server, &facts);
    if (reused != NULL)
        *reused = facts.reused;
    if (newest == NULL)
        newest = tk_conn_session(p.client);
    pair_free(&p);
    return newest;
}

static int resumes(contexts *c, SSL_SESSION *session)
{
    int reused;

    tk_session_free(meet(c, session, &reused));
    return reused;
}

static tk_ring_stats counted(tk_ring *r)
{
    tk_ring_stats s;

    tk_ring_stats_of(r, &s);
    return s;
}

static void test_handshakes(int version)
{
    contexts c = contexts_new(version), other = contexts_new(version);
    tk_ring *r = ring_of(TK_RING_OWN), *stranger = ring_of(TK_RING_OWN);
    int each = version == ONLY_13 ? 2 : 1; /* tickets of a full handshake */
    SSL_SESSION *s;
    tk_session_facts facts;

    tk_ctx_set_session_timeout(c.server, 2 * LONG_LIFETIME);
    tk_ctx_set_ring(c.server, r);
    tk_ctx_set_ring(other.server, r);
    s = meet(&c, NULL, NULL);
    CHECK_EQUAL(counted(r).made, each);
    tk_session_facts_of(s, &facts);
    CHECK_EQUAL(facts.lifetime_hint, LONG_LIFETIME); /* no longer than the keys */
    CHECK(resumes(&c, s));
    CHECK(resumes(&other, s)); /* another context of the same ring */
    CHECK(counted(r).resumed == 2 && counted(r).renewed == 0);
    CHECK_EQUAL(counted(r).made, version == ONLY_13 ? 4 : 1);
    tk_ring_shift(r, LONG_PERIOD);
    CHECK(resumes(&c, s));
    CHECK(counted(r).resumed == 3 && counted(r).renewed == 1);
    /* also in TLS 1.2 there is a new one */
    CHECK_EQUAL(counted(r).made, version == ONLY_13 ? 5 : 2);
    tk_ctx_set_ring(other.server, stranger);
    CHECK(!resumes(&other, s));
    CHECK_EQUAL(counted(stranger).unknown, 1);
    tk_ring_shift(r, 4 * LONG_PERIOD);
    CHECK(!resumes(&c, s));
    CHECK(counted(r).retired == 1 && counted(r).unknown == 0 && counted(r).refused == 0 &&
          counted(r).tampered == 0);
    tk_ctx_set_ring(other.server, NULL); /* libssl's own keys again */
    tk_session_free(s);
    s = meet(&other, NULL, NULL);
    CHECK(resumes(&other, s));
    tk_session_free(s);
    tk_ring_free(r);
    tk_ring_free(stranger);
    contexts_free(&c);
    contexts_free(&other);
}

/* The same session with other bytes in its ticket. */
static SSL_SESSION *with_flipped_bit(SSL_SESSION *s, size_t back)
{
    tk_records der = { 0 };
    tk_session_facts facts;
    tk_fault fault;
    SSL_SESSION *made;
    uint8_t *at;

    CHECK(tk_session_der(s, &der));
    tk_session_facts_of(s, &facts);
    for (at = der.data; memcmp(at, facts.ticket, facts.ticket_size) != 0;)
        CHECK(++at < der.data + der.size);
    at[facts.ticket_size - back] ^= 4;
    made = tk_session_from_der(der.data + 8, der.size - 8, &fault);
    CHECK(made != NULL);
    tk_records_free(&der);
    return made;
}

static void test_tampering(int version)
{
    contexts c = contexts_new(version);
    tk_ring *r = ring_of(TK_RING_OWN);
    SSL_SESSION *s;
    size_t back;

    tk_ctx_set_ring(c.server, r);
    s = meet(&c, NULL, NULL);
    for (back = 1; back < 60; back += 20) {
        SSL_SESSION *bad = with_flipped_bit(s, back);
        CHECK(!resumes(&c, bad));
        tk_session_free(bad);
    }
    CHECK(counted(r).tampered == 3 && counted(r).resumed == 0 && counted(r).unknown == 0);
    CHECK(resumes(&c, s));
    CHECK_EQUAL(counted(r).resumed, 1);
    tk_session_free(s);
    tk_ring_free(r);
    contexts_free(&c);
}

/* A session that was opened, and is not resumed: made under another id context. */
static void test_another_policy(int version)
{
    contexts c = contexts_new(version);
    tk_ring *r = ring_of(TK_RING_OWN);
    SSL_SESSION *s;

    tk_ctx_set_ring(c.server, r);
    s = meet(&c, NULL, NULL);
    CHECK_DONE(tk_ctx_set_id_context(c.server, "another", 7, 0), NULL);
    CHECK(!resumes(&c, s));
    CHECK(counted(r).refused == 1 && counted(r).resumed == 0);
    tk_session_free(s);
    tk_ring_free(r);
    contexts_free(&c);
}

static void test_given_in_handshakes(int version)
{
    contexts c = contexts_new(version);
    tk_ring *r = ring_of(TK_RING_GIVEN);
    SSL_SESSION *s;

    give_keys(r, 'a', 1);
    tk_ctx_set_ring(c.server, r);
    s = meet(&c, NULL, NULL);
    /* before it a new one, and its own is for AES-128 now: what is under it cannot be read */
    give_keys(r, '`', 2);
    CHECK(!resumes(&c, s));
    CHECK_EQUAL(counted(r).tampered, 1);
    tk_session_free(s);
    give_keys(r, 'b', 1);
    s = meet(&c, NULL, NULL);
    tk_ring_rotate(r, 0, NULL);
    CHECK(resumes(&c, s));
    CHECK_EQUAL(counted(r).renewed, 1);
    tk_ring_rotate(r, 1, NULL);
    CHECK(!resumes(&c, s));
    CHECK_EQUAL(counted(r).retired, 1);
    tk_session_free(s);
    tk_ring_free(r);
    contexts_free(&c);
}

/* Nobody can make one from Python; if there is one all the same, there are no tickets, and nothing
   else is amiss. */
static void test_ring_without_keys(int version)
{
    contexts c = contexts_new(version);
    tk_ring *r = ring_of(TK_RING_GIVEN), *other = ring_of(TK_RING_OWN);
    SSL_SESSION *s;
    tk_session_facts facts;

    tk_ctx_set_ring(c.server, other);
    s = meet(&c, NULL, NULL);
    tk_ctx_set_ring(c.server, r);
    CHECK(!resumes(&c, s));
    tk_session_free(s);
    s = meet(&c, NULL, NULL);
    tk_session_facts_of(s, &facts);
    CHECK(!facts.has_ticket);
    CHECK_EQUAL(counted(r).made, 0);
    tk_session_free(s);
    tk_ring_free(r);
    tk_ring_free(other);
    contexts_free(&c);
}

static void test_own_keys_of_libssl(void)
{
    contexts c = contexts_new(0);
    uint8_t keys[TK_KEY_SIZE], again[TK_KEY_SIZE];

    CHECK_DONE(tk_ctx_ticket_keys(c.server, keys), NULL);
    keys[0] ^= 1;
    CHECK_DONE(tk_ctx_set_ticket_keys(c.server, keys), NULL);
    CHECK_DONE(tk_ctx_ticket_keys(c.server, again), NULL);
    CHECK(!memcmp(keys, again, sizeof keys));
    contexts_free(&c);
}

/* ---- threads ---- */

typedef struct {
    contexts *c;
    tk_ring *ring;
    int32_t resumed, running;
} crowd;

enum { THREADS = 8, ROUNDS = 6 };

static void shake_and_resume(void *argument)
{
    crowd *w = argument;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        SSL_SESSION *s = meet(w->c, NULL, NULL);
        if (resumes(w->c, s))
            __atomic_fetch_add(&w->resumed, 1, __ATOMIC_RELAXED);
        tk_session_free(s);
    }
    __atomic_fetch_sub(&w->running, 1, __ATOMIC_RELEASE);
}

/* Everybody shakes hands while the keys change by the clock and by hand, and the context changes
   its ring. */
static void test_threads(int version)
{
    contexts c = contexts_new(version);
    tk_ring *r = tk_ring_new(TK_RING_OWN, PERIOD, LIFETIME, NULL);
    crowd w = { &c, r, 0, THREADS };
    thread t[THREADS];
    tk_fault fault;
    int i;

    tk_ctx_set_ring(c.server, r);
    for (i = 0; i < THREADS; i++)
        thread_start(&t[i], shake_and_resume, &w);
    for (i = 0; i < 400 && __atomic_load_n(&w.running, __ATOMIC_ACQUIRE) > 0; i++) {
        tk_ring_stats stats;
        if (i % 10 == 0)
            tk_ring_shift(r, PERIOD);
        if (i % 37 == 0)
            CHECK_DONE(tk_ring_rotate(r, 0, &fault), &fault);
        tk_ring_stats_of(r, &stats);
        usleep(1000);
    }
    for (i = 0; i < THREADS; i++)
        thread_join(&t[i]);
    CHECK(counted(r).resumed == w.resumed);
    CHECK(counted(r).resumed + counted(r).retired == THREADS * ROUNDS && counted(r).unknown == 0);
    tk_ring_free(r);
    contexts_free(&c);
}

void test_tickets(void)
{
    int version;

    test_own();
    test_own_in_the_future();
    test_own_from_1970();
    test_own_in_a_child();
    test_shared();
    test_given();
    test_rotating_without_end();
    test_own_keys_of_libssl();
    for (version = ONLY_12; version <= ONLY_13; version++) {
        test_handshakes(version);
        test_tampering(version);
        test_another_policy(version);
        test_given_in_handshakes(version);
        test_ring_without_keys(version);
        test_threads(version);
    }
}

/* Sealing: what opens and what does not, with nothing written past its end, and by several threads
   at once. */
#include "tk_test.h"

static const char about[] = "version, secret and key";

static tk_seal *seal_of(const char *secret)
{
    tk_fault fault;
    tk_seal *s = tk_seal_new(secret, strlen(secret), &fault);

    CHECK(s != NULL);
    return s;
}

/* Rooms are allocated to the byte, so that a sanitizer sees what does not fit. */
static uint8_t *closed(tk_seal *s, const void *plain, size_t size)
{
    tk_fault fault;
    uint8_t *sealed = malloc(size + TK_SEAL_OVERHEAD);

    CHECK(sealed != NULL);
    CHECK_DONE(tk_seal_close(s, about, sizeof about, plain, size, sealed, &fault), &fault);
    return sealed;
}

static void what_was_closed_opens(void)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, 100001 };
    tk_seal *s = seal_of("a secret of some length");
    size_t i;

    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *plain = malloc(sizes[i] + 1), *again = malloc(sizes[i] + 1), *sealed;
        memset(plain, 'p', sizes[i] + 1);
        sealed = closed(s, plain, sizes[i]);
        CHECK_EQUAL(
            tk_seal_open(s, about, sizeof about, sealed, sizes[i] + TK_SEAL_OVERHEAD, again), 1);
        CHECK(!memcmp(plain, again, sizes[i]));
        CHECK_EQUAL(
            tk_seal_open(s, about, sizeof about - 1, sealed, sizes[i] + TK_SEAL_OVERHEAD, again),
            0);
        free(plain);
        free(again);
        free(sealed);
    }
    tk_seal_free(s);
}

static void nothing_else_opens(void)
{
    tk_seal *s = seal_of("a secret of some length"), *other = seal_of("another secret of it");
    uint8_t plain[20] = "twenty bytes of text", again[20], *sealed = closed(s, plain, sizeof plain);
    size_t size = sizeof plain + TK_SEAL_OVERHEAD, i;

    for (i = 0; i < size * 8; i++) {
        sealed[i / 8] ^= (uint8_t)(1 << i % 8);
        memset(again, 'x', sizeof again);
        CHECK_EQUAL(tk_seal_open(s, about, sizeof about, sealed, size, again), 0);
        CHECK(again[0] == 0 && again[19] == 0); /* what did not pass is not left behind */
        sealed[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (i = 0; i < size; i++)
        CHECK_EQUAL(tk_seal_open(s, about, sizeof about, sealed, i, again), 0);
    CHECK_EQUAL(tk_seal_open(other, about, sizeof about, sealed, size, again), 0);
    CHECK_EQUAL(tk_seal_open(s, about, sizeof about, sealed, size, again), 1);
    CHECK_EQUAL(ERR_peek_error(), 0); /* a forgery is nobody's error */
    free(sealed);
    tk_seal_free(s);
    tk_seal_free(other);
}

static void a_queue_of_errors_stays_as_it_is(void)
{
    tk_seal *s = seal_of("a secret of some length");
    uint8_t plain[1], sealed[TK_SEAL_OVERHEAD + 1] = { 0 };

    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    CHECK_EQUAL(tk_seal_open(s, about, sizeof about, sealed, sizeof sealed, plain), 0);
    CHECK_EQUAL(ERR_GET_REASON(ERR_get_error()), SSL_R_BAD_LENGTH);
    CHECK_EQUAL(ERR_get_error(), 0);
    tk_seal_free(s);
}

static void names_tell_secrets_apart(void)
{
    uint8_t one[TK_SEAL_ID], same[TK_SEAL_ID], other[TK_SEAL_ID];
    tk_seal *s[3] = { seal_of("a secret of some length"), seal_of("a secret of some length"),
                      seal_of("another secret of it") };
    int i;

    tk_seal_id(s[0], one);
    tk_seal_id(s[1], same);
    tk_seal_id(s[2], other);
    CHECK(!memcmp(one, same, sizeof one) && memcmp(one, other, sizeof one));
    for (i = 0; i < 3; i++)
        tk_seal_free(s[i]);
    tk_seal_free(NULL);
}

static void round_and_round(void *argument)
{
    uint8_t plain[100] = { 0 }, again[100];
    int i;

    for (i = 0; i < 200; i++) {
        uint8_t *sealed;
        plain[0] = (uint8_t)i;
        sealed = closed(argument, plain, sizeof plain);
        CHECK_EQUAL(tk_seal_open(argument, about, sizeof about, sealed,
                                 sizeof plain + TK_SEAL_OVERHEAD, again),
                    1);
        CHECK(!memcmp(plain, again, sizeof plain));
        free(sealed);
    }
}

static void threads_share_it(void)
{
    tk_seal *s = seal_of("a secret of some length");
    thread t[4];
    int i;

    for (i = 0; i < 4; i++)
        thread_start(&t[i], round_and_round, s);
    for (i = 0; i < 4; i++)
        thread_join(&t[i]);
    tk_seal_free(s);
}

void test_seal(void)
{
    what_was_closed_opens();
    nothing_else_opens();
    a_queue_of_errors_stays_as_it_is();
    names_tell_secrets_apart();
    threads_share_it();
}

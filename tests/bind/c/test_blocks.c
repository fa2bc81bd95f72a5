/* The parts that need no connection: queues, memory transports, records, faults, the library. */
#include "tk_test.h"

/* ---- queues ---- */

static void queue_keeps_order(void)
{
    tk_queue q = { 0 };
    uint8_t block[97], taken[64];
    uint32_t put = 0, got = 0, state = 1;
    size_t i, n;

    while (got < 100000) {
        state = state * 1664525u + 1013904223u;
        n = state >> 25;
        if ((state >> 8 & 1) && n <= sizeof block) {
            for (i = 0; i < n; i++)
                block[i] = (uint8_t)(put + i);
            CHECK(n == 0 || tk_queue_put(&q, block, n));
            put += (uint32_t)n;
        } else {
            n = tk_queue_take(&q, taken, n < sizeof taken ? n : sizeof taken);
            for (i = 0; i < n; i++)
                CHECK_EQUAL(taken[i], (uint8_t)(got + i));
            got += (uint32_t)n;
        }
        CHECK_EQUAL(q.size, put - got);
    }
    tk_queue_clear(&q);
}

static void queue_costs_nothing_when_empty(void)
{
    tk_queue q = { 0 };

    CHECK(tk_queue_put(&q, "abc", 3));
    CHECK(q.data != NULL);
    tk_queue_drop(&q, 2);
    CHECK_EQUAL(*tk_queue_front(&q), 'c');
    tk_queue_drop(&q, 1);
    CHECK(q.data == NULL && q.room == 0);
    CHECK_EQUAL(tk_queue_take(&q, NULL, 10), 0);
}

/* ---- memory transports ---- */

static void memory_reads_what_was_written(void)
{
    tk_mem *m = tk_mem_new();
    char into[8];

    CHECK_EQUAL(tk_mem_read(m, into, sizeof into), 0);
    CHECK_EQUAL(tk_mem_write(m, "hello", 5), 5);
    CHECK_EQUAL(tk_mem_write(m, "", 0), 0);
    CHECK_EQUAL(tk_mem_pending(m), 5);
    CHECK_EQUAL(tk_mem_read(m, into, 2), 2);
    tk_mem_write_eof(m);
    CHECK(tk_mem_look(m)->ended && !tk_mem_eof(m));
    CHECK_EQUAL(tk_mem_read(m, into, sizeof into), 3);
    CHECK(!memcmp(into, "llo", 3) && tk_mem_eof(m));
    tk_mem_join(m);
    tk_mem_free(m);
    CHECK_EQUAL(tk_mem_pending(m), 0);
    tk_mem_free(m);
    tk_mem_free(NULL);
}

static void memory_knows_whole_records(void)
{
    tk_mem *m = tk_mem_new();
    const uint8_t record[] = { 23, 3, 3, 0, 2, 'h', 'i' };
    size_t i;

    for (i = 0; i < sizeof record; i++) {
        CHECK(!tk_mem_holds_record(m));
        tk_mem_write(m, record + i, 1);
    }
    CHECK(tk_mem_holds_record(m));
    tk_mem_free(m);
}

static void write_many(void *argument)
{
    int i;

    for (i = 0; i < 2000; i++)
        CHECK_EQUAL(tk_mem_write(argument, "0123456789", 10), 10);
}

static void memory_is_shared_by_threads(void)
{
    tk_mem *m = tk_mem_new();
    thread a, b;
    char into[4096];
    int64_t got = 0;

    thread_start(&a, write_many, m);
    thread_start(&b, write_many, m);
    while (got < 40000)
        got += tk_mem_read(m, into, sizeof into);
    thread_join(&a);
    thread_join(&b);
    CHECK_EQUAL(got, 40000);
    tk_mem_free(m);
}

/* ---- records ---- */

static void records_grow_and_are_freed(void)
{
    tk_records r = { 0 };
    uint32_t i, head[2];
    size_t at = 0;

    for (i = 0; i < 1000; i++)
        tk_records_add(&r, i, "0123456789", i % 11);
    tk_records_text(&r, 1000, "text");
    tk_records_text(&r, 1001, NULL);
    for (i = 0; i <= 1000; i++) {
        memcpy(head, r.data + at, sizeof head);
        CHECK_EQUAL(head[0], i);
        CHECK_EQUAL(head[1], i == 1000 ? 4 : i % 11);
        at += sizeof head + head[1];
    }
    CHECK_EQUAL(at, r.size);
    tk_records_free(&r);
    CHECK(r.data == NULL && r.size == 0);
}

static void records_refuse_what_is_too_long(void)
{
    tk_records r = { 0 };

    tk_records_add(&r, 1, "x", (size_t)UINT32_MAX + 1);
    CHECK(r.failed);
    tk_records_add(&r, 1, "x", 1);
    CHECK_EQUAL(r.size, 0);
    tk_records_free(&r);
}

/* ---- faults ---- */

static void fault_keeps_the_newest_last(void)
{
    tk_fault fault;
    char many[1000];
    int i;

    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    for (i = 0; i < 12; i++)
        ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_LENGTH, "number %d", i);
    CHECK_EQUAL(tk_fail(&fault), TK_SSL);
    CHECK_EQUAL(fault.count, 8);
    CHECK_EQUAL(fault.dropped, 4);
    CHECK(!strcmp(fault.error[0].data, "number 0") && !strcmp(fault.error[7].data, "number 11"));
    CHECK(has_error(&fault, "SSL", "BAD_LENGTH"));
    CHECK_EQUAL(ERR_peek_error(), 0);
    ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_LENGTH, "%s", many);
    tk_fail(&fault);
    CHECK(fault.count == 1 && strlen(fault.error[0].data) == sizeof fault.error[0].data - 1);
}

static void fault_begins_clean(void)
{
    tk_fault fault;

    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    errno = EBADF;
    tk_fault_begin();
    CHECK_EQUAL(errno, 0);
    tk_fail(&fault);
    CHECK_EQUAL(fault.count, 0);
    CHECK_EQUAL(fault.verify_depth, -1);
    CHECK_EQUAL(fault.alert_sent, -1);
}

static void fault_survives_unknown_codes(void)
{
    tk_fault fault;

    ERR_raise(ERR_LIB_USER + 1, 4000);
    tk_fail(&fault);
    CHECK_EQUAL(fault.count, 1);
    CHECK(fault.error[0].library_name == NULL && fault.error[0].reason_name == NULL &&
          fault.error[0].text == NULL);
}

/* ---- the library ---- */

static void library_tells_of_itself(void)
{
    tk_records r = { 0 };

    CHECK(tk_version_number() >= 0x30000000UL && !strncmp(tk_version_text(), "OpenSSL ", 8));
    CHECK(tk_verify_text(X509_V_ERR_CERT_HAS_EXPIRED) != NULL && tk_verify_text(123456) != NULL);
    tk_constants(&r);
    CHECK(r.size > 1000 && !r.failed);
    tk_records_free(&r);
}

void test_blocks(void)
{
    queue_keeps_order();
    queue_costs_nothing_when_empty();
    memory_reads_what_was_written();
    memory_knows_whole_records();
    memory_is_shared_by_threads();
    records_grow_and_are_freed();
    records_refuse_what_is_too_long();
    fault_keeps_the_newest_last();
    fault_begins_clean();
    fault_survives_unknown_codes();
    library_tells_of_itself();
}

/* The buffers that the connections of an event loop share, and the BIO under them.

   A loop has one thread, so its connections can share their buffers: the stage. One `recv` fills
   the stage, libssl takes its records from there, and the plaintext goes to the caller's buffer.
   (Until more arrives at once than libssl has room for, bytes go straight to libssl.) libssl's
   output is collected in the stage, and one `send` takes it. When an operation ends, its connection
   keeps only what could not be passed on: bytes that libssl has not asked for (`ahead`), and
   ciphertext that the socket refused (`behind`). An idle connection has neither.

   An operation receives once. A level-triggered loop reports if there is more, and other
   connections have their turn before. After an error, uvloop does not: it calls the reader once,
   and no longer watches the socket. There an operation receives a second time, and finds the error.
   (The rule of tk_read_ahead.c, to leave bytes in the socket that the caller has not asked for, is
   for programs that call `select` themselves; a loop's transport calls again when it gets
   TK_STREAM_AGAIN.)

   The end of the transport is hidden from libssl unless it cuts a record in two: libssl would treat
   it as a fatal error, and could no longer write, to a peer that still reads.

   The stage is busy while an operation runs. If Python, behind a door of that operation, uses
   another connection of the same loop, that one works without the stage: it receives and sends
   directly. So do operations outside this file. */
#include "tk_stage.h"
#include "tk_read_ahead.h"
#include "tk_lock.h"
#include "tk_transport.h"

enum {
    RECORD_MOST = 16384,
    RECORD_ROOM = RECORD_MOST + 512,   /* a record with all that may be added to it */
    IN_ROOM = TK_STAGE_ROOM + 2048,    /* what one recv brings: records that fill the room */
    OUT_ROOM = 17 * RECORD_ROOM,       /* what one send takes */
    KEPT = 4 << 20
};

struct tk_stage {
    int32_t receives;  /* as it was given */
    int32_t busy;
    int32_t last;      /* no record follows: it need not be gathered */
    size_t start, end; /* of what was received, and is not taken yet */
    size_t size;       /* of what is to be sent */
    uint8_t in[IN_ROOM], out[OUT_ROOM], plain[TK_STAGE_ROOM];
};

static BIO_METHOD *method;

/* Let the process keep what it frees between two large messages. Memory at the end of the heap goes
   back to the system when more than 128 KiB of it is free, and the next message of 256 KiB faults
   it in again, page by page: that took half the time of an echo. glibc raises its limits to the
   largest block that was freed, up to 32 MiB, and twice as much. So do that once, with one that is
   never touched. (Limits that a program or MALLOC_TRIM_THRESHOLD_ has set stay as they are.) */
static void keep_freed_memory(void)
{
    void *volatile block = malloc(KEPT);

    free(block);
}

tk_stage *tk_stage_new(int32_t receives)
{
    tk_stage *s = malloc(sizeof *s); /* a page of it that nobody touches costs nothing */

    keep_freed_memory();
    if (s != NULL) {
        s->busy = 0;
        s->receives = receives;
    }
    return s;
}

void tk_stage_free(tk_stage *s) { free(s); }
void *tk_stage_plain(tk_stage *s) { return s->plain; }
int tk_stage_forgets(const tk_stage *s) { return s->receives > 1; }

/* ---- the stage, while an operation runs ---- */

void tk_stage_begin(tk_conn *c)
{
    tk_stage *s = c->stage;

    c->receives = 1;
    if (s == NULL || tk_atomic_add(&s->busy, 1) != 1) {
        if (s != NULL)
            (void)tk_atomic_add(&s->busy, -1);
        return;
    }
    c->receives = s->receives;
    s->start = s->end = s->size = 0;
    s->last = 0;
    c->on_stage = s;
}

/* Send what was gathered: as tk_transport_flush. */
static int push(tk_conn *c)
{
    tk_stage *s = c->on_stage;
    size_t size = s != NULL ? s->size : 0;

    if (size > 0) {
        s->size = 0;
        if (c->fd < 0 || c->behind.size > 0)
            return tk_queue_put(&c->behind, s->out, size) ? c->behind.size == 0 : -1;
        if (tk_transport_send(c, s->out, size) < 0)
            return -1;
        return c->behind.size == 0;
    }
    return c->behind.size > 0 ? tk_transport_flush(c) : 1;
}

tk_outcome tk_stage_end(tk_conn *c, tk_op *op, tk_outcome outcome)
{
    tk_stage *s = c->on_stage;
    int pushed = push(c);

    if (pushed < 0 && op->kind != TK_READ && !tk_is_failure(outcome)) {
        op->ssl_error = SSL_ERROR_SYSCALL;
        outcome = TK_STEP_SYSCALL;
    }
    c->on_stage = NULL;
    c->receives = 0;
    if (s == NULL)
        return outcome;
    if (s->end > s->start && !tk_queue_put(&c->ahead, s->in + s->start, s->end - s->start)) {
        ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
        op->ssl_error = SSL_ERROR_SSL;
        outcome = TK_STEP_SSL;
    }
    (void)tk_atomic_add(&s->busy, -1);
    return outcome;
}

void tk_stage_last(tk_conn *c, int last)
{
    if (c->on_stage != NULL)
        c->on_stage->last = last;
}

int tk_stage_holds_bytes(const tk_conn *c)
{
    const tk_stage *s = c->on_stage;

    return c->ahead.size > 0 || (s != NULL && s->end > s->start);
}

int tk_stage_receives_on(const tk_conn *c)
{
    const tk_stage *s = c->on_stage;

    return s != NULL && s->receives > 1 && c->receives > 0 && c->fd >= 0;
}

/* ---- the BIO ---- */

/* As tk_read_ahead_read. */
static int receive_on_stage(tk_conn *c, tk_stage *s)
{
    size_t wanted = c->reader_room + RECORD_ROOM, reach = wanted < IN_ROOM ? wanted : IN_ROOM;
    int n = tk_received(c, (int)tk_fd_recv((tk_fd)c->fd, s->in, reach));

    s->start = 0;
    s->end = n > 0 ? (size_t)n : 0;
    c->streams = n >= RECORD_MOST;
    return n;
}

/* Straight to libssl, which has room for a record: a message of a few bytes, or one record. */
static int receive_record(tk_conn *c, char *into, size_t size)
{
    int n = tk_received(c, (int)tk_fd_recv((tk_fd)c->fd, into, size));

    if (n > 0 && (size_t)n == size) { /* there is more of it */
        c->streams = 1;
        c->receives++;
    }
    return n;
}

static int take(tk_conn *c, char *into, size_t size)
{
    tk_stage *s = c->on_stage;
    size_t there;
    int n;

    if (c->ahead.size > 0)
        return (int)tk_queue_take(&c->ahead, into, size);
    if (c->fd < 0)
        return c->at_end ? 0 : -2;
    if (s == NULL)
        return tk_received(c, (int)tk_fd_recv((tk_fd)c->fd, into, size));
    if (s->start == s->end) {
        if (c->receives-- <= 0)
            return c->at_end ? 0 : -2;
        if (!c->streams && size > RECORD_MOST)
            return receive_record(c, into, size);
        if ((n = receive_on_stage(c, s)) <= 0)
            return n;
    }
    there = s->end - s->start;
    size = size < there ? size : there;
    memcpy(into, s->in + s->start, size);
    s->start += size;
    return (int)size;
}

static int stream_read(BIO *b, char *into, int size)
{
    tk_conn *c = BIO_get_data(b);
    int n;

    BIO_clear_retry_flags(b);
    if (into == NULL || size <= 0 || c->closed)
        return 0;
    n = take(c, into, (size_t)size);
    if (n > 0) {
        c->received += (uint64_t)n;
        tk_read_ahead_follow(c, into, (size_t)n);
    }
    if (n == -2 || (n == 0 && c->end_hidden)) {
        c->starved = 1;
        BIO_set_retry_read(b);
        return -1;
    }
    return n;
}

static int gather(tk_conn *c, const uint8_t *data, size_t size)
{
    tk_stage *s = c->on_stage;

    if (s == NULL || size > OUT_ROOM || (s->last && s->size == 0)) {
        if (c->fd < 0)
            return tk_queue_put(&c->behind, data, size) ? (int)size : -1;
        return push(c) < 0 ? -1 : tk_transport_send(c, data, size);
    }
    if (s->size + size > OUT_ROOM && push(c) < 0)
        return -1;
    memcpy(s->out + s->size, data, size);
    s->size += size;
    return (int)size;
}

static int stream_write(BIO *b, const char *data, int size)
{
    tk_conn *c = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (data == NULL || size <= 0)
        return 0;
    if (c->behind.size > TK_BEHIND_MOST) {
        BIO_set_retry_write(b);
        return -1;
    }
    if (gather(c, (const uint8_t *)data, (size_t)size) < 0)
        return -1;
    c->queued += (uint64_t)size;
    return size;
}

int tk_stage_init(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tlskit stream");
    return method != NULL
        && BIO_meth_set_read(method, stream_read)
        && BIO_meth_set_write(method, stream_write)
        && BIO_meth_set_ctrl(method, tk_transport_ctrl);
}

int tk_stream_open(tk_conn *c, tk_stage *s)
{
    BIO *b;

    tk_conn_lock(c);
    if ((b = BIO_new(method)) != NULL) {
        BIO_set_data(b, c);
        BIO_set_init(b, 1);
        SSL_set_bio(c->ssl, b, b);
        SSL_set_read_ahead(c->ssl, 1);
        c->stage = s;
    }
    tk_conn_unlock(c);
    return b != NULL;
}

/* The BIO under every connection, over a socket or over memory.

   It never blocks and never raises SIGPIPE. Towards libssl it accepts every write: bytes that the
   socket refuses wait in `behind`, and the run loop of tk_op.c sends them. So libssl never holds a
   half-written record, and a read, a write and a shutdown of three threads may follow one another
   in any order. (With its own BIO, libssl answers a KeyUpdate or an alert in the middle of another
   thread's unfinished SSL_write with "bad write retry".) */
#include "tk_transport.h"
#include "tk_door.h"
#include "tk_read_ahead.h"

/* libssl 4.0 reads nothing more once its transport has failed, although what the peer sent before
   it closed says why. There a failed write looks like one to repeat, and tk_op_classify reports the
   failure. Older versions see the failure: after the peer's close_notify they report that instead,
   and so does the stdlib. */
enum { HIDES_FAILURE = OPENSSL_VERSION_NUMBER >= 0x40000000L };

static BIO_METHOD *method;

static int read_memory(tk_conn *c, char *into, size_t size)
{
    tk_mem_source *source = c->source;
    int at_end, n;

    if (source != NULL && source->size > 0 && !tk_mem_holds(c->incoming)) {
        n = (int)(size < source->size ? size : source->size);
        memcpy(into, source->from, (size_t)n);
        source->from += n;
        source->size -= (size_t)n;
        return n;
    }
    n = (int)tk_mem_take(c->incoming, into, size, &at_end);
    if (n == 0)
        c->at_end = at_end;
    return n;
}

/* The first bytes that came: if they are not TLS, they say what the peer speaks instead. */
static void note_first(tk_conn *c, const void *data, size_t size)
{
    size_t room = c->received < sizeof c->first ? sizeof c->first - (size_t)c->received : 0;

    if (room > 0)
        memcpy(c->first + c->received, data, size < room ? size : room);
}

static int transport_read(BIO *b, char *into, int size)
{
    tk_conn *c = BIO_get_data(b);
    int n;

    BIO_clear_retry_flags(b);
    if (into == NULL || size <= 0 || (c->closed && c->fd >= 0))
        return 0;
    if (c->budget == 0) { /* not starved: it continues when others have had their turn */
        BIO_set_retry_read(b);
        return -1;
    }
    n = c->fd < 0 ? read_memory(c, into, (size_t)size) : tk_read_ahead_read(c, into, (size_t)size);
    if (n > 0) {
        note_first(c, into, (size_t)n);
        tk_read_ahead_follow(c, into, (size_t)n);
        c->received += (uint64_t)n;
        c->budget -= (size_t)n < c->budget ? (size_t)n : c->budget;
    }
    if (n == -2 || (n == 0 && !c->at_end)) {
        c->starved = 1;
        BIO_set_retry_read(b);
        return -1;
    }
    return n;
}

int tk_transport_send(tk_conn *c, const void *from, size_t size)
{
    const uint8_t *data = from;
    size_t done = 0;

    if (c->send_failed != 0) { /* part of a record may be lost: nothing can follow it */
        c->write_errno = errno = EPIPE;
        return -1;
    }
    if (c->behind.size == 0 && !c->corked) {
        int n = (int)tk_fd_send((tk_fd)c->fd, data, size);
        if (n < 0) {
            int e = tk_fd_errno();
            if (!tk_fd_would_block(e) && e != TK_EINTR) {
                c->write_errno = c->send_failed = e;
                return -1;
            }
            n = 0;
        }
        done = (size_t)n;
        c->sent += done;
    }
    if (done < size && !tk_queue_put(&c->behind, data + done, size - done))
        return -1;
    return (int)size;
}

/* The bytes are libssl's until it goes on: nobody may use the connection before they are passed. */
static int pass(tk_conn *c, tk_mem_sink *sink, const char *data, size_t size)
{
    int taken;

    tk_door_leave(c, TK_DOOR_PASS);
    taken = sink->pass(sink->to, data, size);
    tk_door_return(c);
    return taken;
}

static int write_memory(tk_conn *c, const char *data, size_t size)
{
    tk_mem_sink *sink = c->sink;

    if (sink != NULL && sink->pass != NULL && !tk_mem_holds(c->outgoing) &&
        pass(c, sink, data, size))
        return 1;
    if (sink == NULL || sink->room - sink->size < size || tk_mem_holds(c->outgoing))
        return tk_mem_give(c->outgoing, data, size);
    memcpy(sink->into + sink->size, data, size);
    sink->size += size;
    return 1;
}

static int transport_write(BIO *b, const char *data, int size)
{
    tk_conn *c = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (data == NULL || size <= 0)
        return 0;
    if (c->fd < 0) {
        if (!write_memory(c, data, (size_t)size))
            return -1;
        c->sent += (uint64_t)size;
    } else {
        if (c->behind.size > TK_BEHIND_MOST) {
            BIO_set_retry_write(b);
            return -1;
        }
        if (tk_transport_send(c, data, (size_t)size) < 0) {
            if (HIDES_FAILURE && c->send_failed != 0)
                BIO_set_retry_write(b);
            return -1;
        }
    }
    c->queued += (uint64_t)size;
    return size;
}

/* Before 3.0.14, libssl frees a buffer that holds part of a record, or a record that was not read
   to its end, and goes on to use it (CVE-2024-4741). */
void tk_transport_free_buffers(tk_conn *c)
{
    if (c->missing == 0 && c->header_size == 0 && !c->astray && !SSL_has_pending(c->ssl))
        (void)SSL_free_buffers(c->ssl);
}

long tk_transport_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    /* libssl makes several queries for each record, most of them about kernel TLS */
    switch (what) {
    case BIO_CTRL_EOF:
        return ((tk_conn *)BIO_get_data(b))->at_end;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static int transport_destroy(BIO *b)
{
    (void)b;
    return 1;
}

int tk_transport_init(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tlskit transport");
    return method != NULL
        && BIO_meth_set_read(method, transport_read)
        && BIO_meth_set_write(method, transport_write)
        && BIO_meth_set_ctrl(method, tk_transport_ctrl)
        && BIO_meth_set_destroy(method, transport_destroy);
}

BIO *tk_transport_new(tk_conn *c)
{
    BIO *b = BIO_new(method);

    if (b == NULL)
        return NULL;
    c->stride = TK_STRIDE_LEAST;
    BIO_set_data(b, c);
    BIO_set_init(b, 1);
    return b;
}

int tk_transport_flush(tk_conn *c)
{
    if (c->fd < 0) /* other code carries the bytes */
        return 1;
    if (c->send_failed != 0) {
        c->write_errno = EPIPE;
        return -1;
    }
    while (c->behind.size > 0) {
        int n = (int)tk_fd_send((tk_fd)c->fd, tk_queue_front(&c->behind), c->behind.size);
        if (n < 0) {
            int e = tk_fd_errno();
            if (tk_fd_would_block(e) || e == TK_EINTR)
                return 0;
            c->write_errno = c->send_failed = e;
            tk_queue_clear(&c->behind);
            return -1;
        }
        c->sent += (uint64_t)n;
        tk_queue_drop(&c->behind, (size_t)n);
    }
    return 1;
}

int tk_transport_holds_record(tk_conn *c)
{
    if (c->fd >= 0)
        return tk_read_ahead_holds_record(c);
    return c->source != NULL && !tk_mem_holds(c->incoming)
             ? tk_mem_is_record(c->source->from, c->source->size)
             : tk_mem_holds_record(c->incoming);
}

/* The BIO under every connection, over a socket or over memory.

   It never blocks and never raises SIGPIPE. Towards libssl it takes every write: what the socket refuses waits in
   `behind`, and the run loop of tk_conn.c sends it on. So libssl never holds a half-written record, and a read, a
   write and a shutdown of three threads may follow one another in any order. (Left to itself, libssl answers a
   KeyUpdate or an alert in the middle of somebody else's unfinished SSL_write with "bad write retry".)

   It reads ahead: one recv for many records, where libssl's own socket BIO makes two for each. But never further than
   the reader has room for: a record takes more bytes on the wire than in the clear, so what was read ahead is handed
   out in the same call, and what is not stays in the socket, where `select` sees it. Only the beginning of a record may
   remain here, as it may in libssl. */
#include "tk.h"

enum {
    OVERHEAD = 22,                 /* of a record in TLS 1.3: a reader of exactly one message needs one recv, and still
                                      no second record can come whole (the least overhead there is, of CCM_8, is 14) */
    STRIDE_LEAST = 16384 + 512,    /* a whole record, so that an interactive connection needs one recv */
    STRIDE_MOST = 131072,
    BEHIND_MOST = 1 << 20          /* a peer that makes us answer, but does not read, stops here */
};

static BIO_METHOD *method;

static int read_memory(tk_conn *c, char *into, size_t size)
{
    int64_t n = tk_mem_read(c->incoming, into, size);

    if (n == 0)
        c->at_end = tk_mem_eof(c->incoming);
    return (int)n;
}

/* How many bytes came; 0 at the end, -1 with read_errno set, -2 when the socket is empty. */
static int receive(tk_conn *c, void *into, size_t size)
{
    int e, n = (int)tk_fd_recv((tk_fd)c->fd, into, size);

    if (n > 0)
        return n;
    if (n == 0) {
        c->at_end = 1;
        return 0;
    }
    e = tk_fd_errno();
    if (tk_fd_would_block(e) || e == TK_EINTR)
        return -2;
    c->read_errno = e;
    return -1;
}

static int read_socket(tk_conn *c, char *into, size_t size)
{
    size_t reach = c->reader_room + OVERHEAD < c->stride ? c->reader_room + OVERHEAD : c->stride;
    uint8_t *room;
    int n;

    if (c->ahead.size > 0)
        return (int)tk_queue_take(&c->ahead, into, size);
    if (c->reader_room == 0 || reach <= size)
        return receive(c, into, size);
    if ((room = tk_queue_reserve(&c->ahead, reach)) == NULL)
        return -1;
    n = receive(c, room, reach);
    if (n <= 0) {
        tk_queue_clear(&c->ahead);
        return n;
    }
    if ((size_t)n == c->stride && c->stride < STRIDE_MOST)
        c->stride *= 2;
    else if ((size_t)n < c->stride / 4 && c->stride > STRIDE_LEAST)
        c->stride /= 2;
    c->ahead.size = (size_t)n;
    return (int)tk_queue_take(&c->ahead, into, size);
}

static int transport_read(BIO *b, char *into, int size)
{
    tk_conn *c = BIO_get_data(b);
    int n;

    BIO_clear_retry_flags(b);
    if (into == NULL || size <= 0)
        return 0;
    n = c->fd < 0 ? read_memory(c, into, (size_t)size) : read_socket(c, into, (size_t)size);
    if (n > 0)
        c->received += (uint64_t)n;
    if (n == -2 || (n == 0 && !c->at_end)) {
        BIO_set_retry_read(b);
        return -1;
    }
    return n;
}

static int write_socket(tk_conn *c, const char *data, size_t size)
{
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

static int transport_write(BIO *b, const char *data, int size)
{
    tk_conn *c = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (data == NULL || size <= 0)
        return 0;
    if (c->fd < 0) {
        if (tk_mem_write(c->outgoing, data, (size_t)size) < 0)
            return -1;
        c->sent += (uint64_t)size;
    } else {
        if (c->behind.size > BEHIND_MOST) {
            BIO_set_retry_write(b);
            return -1;
        }
        if (write_socket(c, data, (size_t)size) < 0)
            return -1;
    }
    c->queued += (uint64_t)size;
    return size;
}

static long transport_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (what) { /* libssl asks several things of it for each record, most of them about kernel TLS */
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
        && BIO_meth_set_ctrl(method, transport_ctrl)
        && BIO_meth_set_destroy(method, transport_destroy);
}

BIO *tk_transport_new(tk_conn *c)
{
    BIO *b = BIO_new(method);

    if (b == NULL)
        return NULL;
    c->stride = STRIDE_LEAST;
    BIO_set_data(b, c);
    BIO_set_init(b, 1);
    return b;
}

int tk_transport_flush(tk_conn *c)
{
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
    const uint8_t *p;

    if (c->fd < 0)
        return tk_mem_holds_record(c->incoming);
    p = tk_queue_front(&c->ahead);
    return c->ahead.size >= 5 && c->ahead.size >= 5 + ((size_t)p[3] << 8 | p[4]);
}

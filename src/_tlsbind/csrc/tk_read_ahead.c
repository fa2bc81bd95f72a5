/* Read from a socket ahead of libssl: several records at once, where libssl's own socket BIO calls
   recv twice for each. But `select` must stay truthful. A program may wait for the socket after
   every read, and would wait in vain for bytes that have been taken already: the peer's
   close_notify, for example, when the peer waits for ours. So we peek at the socket first, and then
   read up to the end of a record, and leave something behind: the rest of a record, or the last
   whole one, unless it is the only one. We never read more than the reader has room for: a record's
   ciphertext is longer than its plaintext, so all bytes that were read ahead are returned in the
   same call. (Asking for just as many bytes as the reader has room for is not enough: a short
   record and a close_notify may be there.) */
#include "tk_read_ahead.h"

enum {
    HEADER = 5,
    /* Of a record in TLS 1.2 with AES-GCM; in TLS 1.3 it is 22. Two records have more than that
       together, so only a single one may be longer than the reader's room. */
    OVERHEAD = 29,
    STRIDE_MOST = 131072
};

/* Unless the peer continues in plaintext after its close_notify. */
static int is_record(const uint8_t *p)
{
    return p[0] >= SSL3_RT_CHANGE_CIPHER_SPEC && p[0] <= SSL3_RT_APPLICATION_DATA && p[1] == 3;
}
static size_t record_size(const uint8_t *p) { return HEADER + ((size_t)p[3] << 8 | p[4]); }

int tk_received(tk_conn *c, int n)
{
    int e;

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

static int take(tk_conn *c, void *into, size_t size)
{
    c->look = NULL;
    c->taken++;
    return tk_received(c, (int)tk_fd_recv((tk_fd)c->fd, into, size));
}

/* Peek at what the socket holds: as tk_received. A caller that has waited for it may have seen it
   already. */
static int look(tk_conn *c, void *into, size_t size)
{
    const tk_look *seen = c->look;

    if (seen == NULL || (seen->size == sizeof seen->bytes && size > seen->size))
        return tk_received(c, (int)tk_fd_peek((tk_fd)c->fd, into, size));
    size = size < seen->size ? size : seen->size;
    memcpy(into, seen->bytes, size);
    return (int)size;
}

void tk_read_ahead_follow(tk_conn *c, const void *data, size_t size)
{
    const uint8_t *p = data;

    while (size > 0) {
        size_t part = c->missing > 0 ? c->missing : (size_t)(HEADER - c->header_size);
        if (part > size)
            part = size;
        if (c->missing > 0) {
            c->missing -= part;
        } else {
            memcpy(c->header + c->header_size, p, part);
            c->header_size = (uint8_t)(c->header_size + part);
            if (c->header_size == HEADER) {
                c->header_size = 0;
                c->missing = record_size(c->header) - HEADER;
                c->astray |= !is_record(c->header);
            }
        }
        p += part;
        size -= part;
    }
}

/* Of `size` bytes that the socket holds, how many may be taken: see above. The record that was
   begun is the first. */
static size_t to_be_taken(const tk_conn *c, const uint8_t *p, size_t size)
{
    size_t before = 0, end = c->missing;

    while (size >= end + HEADER && is_record(p + end) && size >= end + record_size(p + end)) {
        before = end;
        end += record_size(p + end);
    }
    if (end == 0 || end > size) /* not even one record */
        return size;
    return end == size && before > 0 ? before : end;
}

/* Read ahead up to `reach` bytes: as tk_received. */
static int receive_ahead(tk_conn *c, size_t reach)
{
    uint8_t *room = tk_queue_reserve(&c->ahead, reach);
    int n, there;

    if (room == NULL)
        return -1;
    if (c->stride > TK_STRIDE_LEAST && tk_fd_available((tk_fd)c->fd) > (int64_t)reach) {
        n = there = take(c, room, reach); /* a stream: more than that is left behind */
    } else {
        n = there = look(c, room, reach);
        if (n > 0)
            n = take(c, room, to_be_taken(c, room, (size_t)n));
    }
    if (n <= 0) {
        tk_queue_clear(&c->ahead);
        return n;
    }
    c->ahead.size = (size_t)n;
    if ((size_t)there == c->stride && c->stride < STRIDE_MOST)
        c->stride *= 2;
    else if ((size_t)there < c->stride / 4 && c->stride > TK_STRIDE_LEAST)
        c->stride /= 2;
    return n;
}

int tk_read_ahead_read(tk_conn *c, char *into, size_t size)
{
    size_t reach = c->reader_room + OVERHEAD < c->stride ? c->reader_room + OVERHEAD : c->stride;
    int n;

    if (c->ahead.size > 0) {
        n = (int)tk_queue_take(&c->ahead, into, size);
    } else if (c->look != NULL && c->look->error != 0) {
        c->read_errno = c->look->error;
        n = -1;
    } else if (c->reader_room == 0 || reach <= size || c->header_size > 0) {
        n = take(c, into, size);
    } else {
        n = receive_ahead(c, reach);
        if (n > 0)
            n = (int)tk_queue_take(&c->ahead, into, size);
    }
    return n;
}

int tk_read_ahead_holds_record(const tk_conn *c)
{
    return c->ahead.size >= HEADER && c->ahead.size >= record_size(tk_queue_front(&c->ahead));
}

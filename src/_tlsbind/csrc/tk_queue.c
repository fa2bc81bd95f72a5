/* A byte queue that holds no memory while it is empty, so that an idle connection costs nothing
   here.

   Large buffers come from a few blocks that the process keeps. The allocator would get a block of
   that size from the kernel each time, and its fresh pages cost more than TLS does. */
#include "tk_queue.h"

enum {
    BLOCK = 320 << 10,     /* bytes: what asyncio reads or writes at once, encrypted */
    BLOCK_FROM = 24 << 10, /* a queue that needs as much gets a block */
    BLOCKS_KEPT = 4,
    FREED_ONCE = 640 << 10
};

static void *kept[BLOCKS_KEPT];
static int32_t settled;

/* The GNU C library gives free memory at the end of its heap back to the kernel when it is more
   than twice the largest block that was ever mapped and freed: 256 KiB at first. What an event loop
   holds of one large message is twice that, as are the buffers of asyncio's two ends of a
   connection, and would come as fresh pages from the kernel each time: a third of the work of such
   a message, a tenth of that of a connection. One larger block that is freed ends that. */
void tk_queue_settle_heap(void)
{
    void *volatile block;

    if (tk_atomic_load32(&settled) != 0)
        return;
    if (tk_atomic_add(&settled, 1) == 1 && (block = malloc(FREED_ONCE)) != NULL)
        free(block);
    else
        tk_atomic_add(&settled, -1);
}

static uint8_t *allocate(size_t *room)
{
    int i;

    if (*room < BLOCK_FROM || *room > BLOCK)
        return malloc(*room);
    *room = BLOCK;
    tk_queue_settle_heap();
    for (i = 0; i < BLOCKS_KEPT; i++) {
        void *block = tk_atomic_swap(&kept[i], NULL);
        if (block != NULL)
            return block;
    }
    return malloc(BLOCK);
}

static void release(uint8_t *data, size_t room)
{
    void *block = data;
    int i;

    for (i = 0; i < BLOCKS_KEPT && room == BLOCK && block != NULL; i++)
        block = tk_atomic_swap(&kept[i], block); /* what was there goes on to the next place */
    free(block);
}

static void give_back(tk_queue *q)
{
    if (q->in_clear)
        OPENSSL_cleanse(q->data, q->room);
    release(q->data, q->room);
}

uint8_t *tk_queue_reserve(tk_queue *q, size_t more)
{
    if (q->start + q->size + more > q->room) {
        if (q->size + more <= q->room) {
            memmove(q->data, q->data + q->start, q->size);
        } else {
            size_t room = q->size + more;
            uint8_t *data;

            if (room < 2 * q->size)
                room = 2 * q->size;
            if ((data = allocate(&room)) == NULL)
                return NULL;
            if (q->size > 0)
                memcpy(data, q->data + q->start, q->size);
            give_back(q);
            q->data = data;
            q->room = room;
        }
        q->start = 0;
    }
    return q->data + q->start + q->size;
}

int tk_queue_put(tk_queue *q, const void *data, size_t size)
{
    uint8_t *end = tk_queue_reserve(q, size);

    if (end == NULL)
        return 0;
    memcpy(end, data, size);
    q->size += size;
    return 1;
}

void tk_queue_drop(tk_queue *q, size_t size)
{
    q->start += size;
    q->size -= size;
    if (q->size == 0)
        tk_queue_clear(q);
}

size_t tk_queue_take(tk_queue *q, void *into, size_t room)
{
    size_t n = room < q->size ? room : q->size;

    if (n > 0) {
        memcpy(into, q->data + q->start, n);
        tk_queue_drop(q, n);
    }
    return n;
}

void tk_queue_clear(tk_queue *q)
{
    give_back(q);
    q->data = NULL;
    q->start = q->size = q->room = 0;
}

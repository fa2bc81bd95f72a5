/* A byte queue: tk_queue.c. */
#ifndef TK_QUEUE_H
#define TK_QUEUE_H

#include "tk_base.h"

typedef struct {
    uint8_t *data;
    size_t start, size, room;
    uint8_t in_clear; /* it holds what nobody else may read: cleanse it before it is given back */
} tk_queue;

uint8_t *tk_queue_reserve(tk_queue *q, size_t more); /* where the next bytes go; NULL: no memory */
int tk_queue_put(tk_queue *q, const void *data, size_t size);
size_t tk_queue_take(tk_queue *q, void *into, size_t room);
void tk_queue_drop(tk_queue *q, size_t size); /* gives the memory back when nothing is left */
void tk_queue_clear(tk_queue *q);
void tk_queue_settle_heap(void); /* once, before connections in memory are made */
static inline const uint8_t *tk_queue_front(const tk_queue *q) { return q->data + q->start; }

#endif

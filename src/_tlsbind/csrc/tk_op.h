/* An operation on a connection, and the loop that runs it: tk_op.c. */
#ifndef TK_OP_H
#define TK_OP_H

#include "tk_conn.h"

enum { TK_TURN = -100 }; /* a status of a step: another write has to end first */

typedef struct tk_op {
    int64_t (*step)(tk_conn *c, struct tk_op *op);
    uint8_t *into;       /* read */
    const uint8_t *data; /* write */
    size_t size;
    size_t taken;        /* write: encrypted so far */
    size_t done;         /* read or on the wire so far */
    uint64_t number;     /* write: among those that have had the turn; 0: it has not */
    int may_wait, limited, waited; /* limited: not for ever */
    int kind;            /* TK_HANDSHAKE ... */
    int zeros;           /* shutdown: answers of 0 so far */
    int again;           /* stream: the next call has something to say without waiting */
    int ssl_error;
} tk_op;

int64_t tk_op_run(tk_conn *c, tk_op *op, int64_t timeout); /* with the lock held */
int64_t tk_op_do(tk_conn *c, tk_op *op, int64_t timeout);  /* takes the lock */
void tk_op_take_fault(tk_conn *c, const tk_op *op); /* of a step that failed */
int64_t tk_op_classify(tk_conn *c, tk_op *op, int result);
/* send on what libssl has written meanwhile */
int64_t tk_op_flush(tk_conn *c, tk_op *op, int64_t status);
static inline int tk_is_failure(int64_t status) { return status == TK_SYSCALL || status == TK_SSL; }

#endif

/* An operation on a connection, and the loop that runs it: tk_op.c. */
#ifndef TK_OP_H
#define TK_OP_H

#include "tk_conn.h"

/* The outcome of a step: for the loop alone, which turns it into a status for callers. */
typedef enum {
    TK_STEP_NONE,
    TK_STEP_DONE,
    TK_STEP_ENDED,       /* the transport has ended between two records: tk_stream.c */
    TK_STEP_EOF,         /* the peer has closed its side cleanly */
    TK_STEP_ZERO_RETURN, /* both sides are closed already */
    TK_STEP_WANT_READ,
    TK_STEP_WANT_WRITE,
    TK_STEP_WANT_TURN,   /* another write must end first */
    TK_STEP_WANT_DOOR,   /* another thread's callback must return first */
    TK_STEP_MORE,        /* more can be done at once, but others come first */
    TK_STEP_PAUSED,
    TK_STEP_UNWANTED,    /* the handshake does not meet a requirement: tk_groups.c */
    TK_STEP_SYSCALL,
    TK_STEP_SSL
} tk_outcome;

typedef struct tk_op {
    tk_outcome (*step)(tk_conn *c, struct tk_op *op);
    uint8_t *into;       /* read */
    const uint8_t *data; /* write */
    size_t size;
    size_t taken;        /* write: encrypted so far */
    size_t done;         /* read or on the wire so far */
    uint64_t number;     /* write: its number, once it has had the turn; otherwise 0 */
    int may_wait, limited, waited; /* limited: has a deadline */
    int kind;            /* TK_HANDSHAKE ... */
    int counts;          /* the result is a count */
    int zeros;           /* shutdown: answers of 0 so far */
    int begun;           /* new keys: libssl has been asked, however often it has to wait */
    int again;           /* stream: the next call returns without waiting */
    int ssl_error;
} tk_op;

int64_t tk_op_run(tk_conn *c, tk_op *op, int64_t timeout); /* with the lock held */
int64_t tk_op_do(tk_conn *c, tk_op *op, int64_t timeout);  /* takes the lock */
void tk_op_take_fault(tk_conn *c, const tk_op *op); /* of a failed step */
void tk_op_refill(tk_conn *c); /* a new budget: at the start of a step, and after data */
tk_outcome tk_op_classify(tk_conn *c, tk_op *op, int result);
tk_outcome tk_op_cut(tk_op *op);
/* send what libssl has written meanwhile */
tk_outcome tk_op_flush(tk_conn *c, tk_op *op, tk_outcome outcome);
static inline int tk_is_failure(tk_outcome outcome)
{
    return outcome == TK_STEP_SYSCALL || outcome == TK_STEP_SSL;
}

#endif

/* Waiting in the kernel: tk_wait.c. */
#ifndef TK_WAIT_H
#define TK_WAIT_H

#include "tk_op.h"

/* lets go of the lock meanwhile: TK_DONE or a status */
int tk_op_wait(tk_conn *c, const tk_op *op, tk_outcome wanted, int64_t left, tk_look *look);
int tk_op_leaves_reading(const tk_conn *c, const tk_op *op);
void tk_op_hand_over(tk_conn *c); /* at the end of an operation that has waited */

#endif

/* The buffers of an event loop's connections: tk_stage.c. */
#ifndef TK_STAGE_H
#define TK_STAGE_H

#include "tk_op.h"

int tk_stage_init(void);
void tk_stage_begin(tk_conn *c); /* an operation enters the stage, and must leave it */
/* the outcome is the step's, or a failure to send or to keep what is left */
tk_outcome tk_stage_end(tk_conn *c, tk_op *op, tk_outcome outcome);
void tk_stage_last(tk_conn *c, int last); /* whether no record follows the next one */
/* whether the loop may stop telling of a socket that has more: tk_stage_new */
int tk_stage_forgets(const tk_stage *s);
int tk_stage_holds_bytes(const tk_conn *c); /* whether libssl could have more without the socket */
int tk_stage_receives_on(const tk_conn *c); /* ... or this operation may ask the socket again */

#endif

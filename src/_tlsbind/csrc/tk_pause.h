/* Pauses of an operation, for Python to answer: tk_pause.c. */
#ifndef TK_PAUSE_H
#define TK_PAUSE_H

#include "tk_conn.h"

typedef enum { TK_ANSWER_WAIT, TK_ANSWER_GO_ON, TK_ANSWER_REFUSE } tk_answer;

/* In a callback of libssl that can be called again: ask Python. TK_ANSWER_WAIT: there is no answer
   yet, so tell libssl to retry. TK_ANSWER_REFUSE: with the alert c->refusal. */
tk_answer tk_pause_ask(tk_conn *c, int reason);

/* libssl will not call that callback again: drop an answer that nobody has asked for. */
void tk_pause_end(tk_conn *c, int reason);

#endif

/* Pauses, in which an operation waits for a decision of Python's.

   libssl can be stopped in the middle of a handshake and called again later: one of its callbacks
   says "retry", and the operation ends with TK_PAUSED. No lock is held meanwhile, and no thread is
   inside, so the decision may take any time: Python may query a database, or let an event loop
   continue with other connections. The answer is stored in the connection, the operation is
   repeated, and libssl calls the same callback again, which finds the answer.

   The reason for a pause is one of TK_PAUSE_...; a new reason needs a line there, and a callback
   that calls tk_pause_ask. */
#include "tk_pause.h"
#include "tk_lock.h"

tk_answer tk_pause_ask(tk_conn *c, int reason)
{
    if (c->answered != reason) {
        c->unanswered = (uint8_t)reason;
        return TK_ANSWER_WAIT;
    }
    c->answered = TK_PAUSE_NONE;
    return c->refusal < 0 ? TK_ANSWER_GO_ON : TK_ANSWER_REFUSE;
}

void tk_pause_end(tk_conn *c, int reason)
{
    if (c->answered == reason)
        c->answered = TK_PAUSE_NONE;
}

static void answer(tk_conn *c, int refusal)
{
    tk_conn_lock(c);
    c->answered = c->unanswered;
    c->unanswered = TK_PAUSE_NONE;
    c->refusal = (int16_t)refusal;
    tk_conn_unlock(c);
}

void tk_conn_pause(tk_conn *c)
{
    tk_conn_lock(c);
    c->unanswered = SSL_in_before(c->ssl) ? TK_PAUSE_BEFORE : TK_PAUSE_NONE;
    tk_conn_unlock(c);
}

void tk_conn_go_on(tk_conn *c) { answer(c, -1); }

void tk_conn_refuse(tk_conn *c, int alert) { answer(c, alert & 0xff); }

int tk_conn_paused(tk_conn *c)
{
    int reason;

    tk_conn_lock(c);
    reason = c->unanswered;
    tk_conn_unlock(c);
    return reason;
}

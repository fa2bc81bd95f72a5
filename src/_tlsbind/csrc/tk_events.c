/* New sessions, from a handshake or later from the peer: queued until Python fetches them. */
#include "tk_events.h"
#include "tk_lock.h"

enum { EVENTS_MOST = 64 }; /* a peer may send tickets without end: the newest are worth more */

int tk_conn_events(tk_conn *c)
{
    int n;

    tk_conn_lock(c);
    n = c->events;
    tk_conn_unlock(c);
    return n;
}

static SSL_SESSION *pop(tk_conn *c)
{
    tk_event *e = c->first_event;
    SSL_SESSION *session;

    if (e == NULL)
        return NULL;
    session = e->session;
    c->first_event = e->next;
    c->events--;
    free(e);
    return session;
}

static SSL_SESSION *next_event(tk_conn *c)
{
    SSL_SESSION *session;

    tk_conn_lock(c);
    session = pop(c);
    tk_conn_unlock(c);
    return session;
}

/* A copy: libssl withdraws its own when the connection is cut off later. Not made before it is
   asked for, when all has been noted that there is to know of the handshake. */
SSL_SESSION *tk_conn_next_session(tk_conn *c)
{
    SSL_SESSION *session, *copy = NULL;

    while (copy == NULL && (session = next_event(c)) != NULL) {
        tk_fork_enter(c); /* both take a lock of libcrypto's, and the connection's is not held */
        copy = SSL_SESSION_dup(session);
        SSL_SESSION_free(session);
        tk_fork_leave(c);
    }
    return copy;
}

void tk_events_push(tk_conn *c, SSL_SESSION *session)
{
    tk_event *e = calloc(1, sizeof *e);

    if (e == NULL) {
        SSL_SESSION_free(session);
        return;
    }
    if (c->events >= EVENTS_MOST)
        SSL_SESSION_free(pop(c));
    e->session = session;
    if (c->first_event == NULL)
        c->first_event = e;
    else
        c->last_event->next = e;
    c->last_event = e;
    c->events++;
}

void tk_events_clear(tk_conn *c)
{
    SSL_SESSION *session;

    while ((session = pop(c)) != NULL)
        SSL_SESSION_free(session);
}

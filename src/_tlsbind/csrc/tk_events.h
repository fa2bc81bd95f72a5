/* Sessions that wait for Python to fetch them: tk_events.c. */
#ifndef TK_EVENTS_H
#define TK_EVENTS_H

#include "tk_base.h"

typedef struct tk_event {
    struct tk_event *next;
    SSL_SESSION *session;
} tk_event;

void tk_events_push(tk_conn *c, SSL_SESSION *session);
void tk_events_clear(tk_conn *c);

#endif

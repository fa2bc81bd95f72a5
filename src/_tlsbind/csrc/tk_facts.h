/* What was negotiated: tk_facts.c. */
#ifndef TK_FACTS_H
#define TK_FACTS_H

#include "tk_conn.h"

/* the application protocol: its length, 0 when there is none */
unsigned int tk_facts_protocol(const tk_conn *c, const unsigned char **protocol);
void tk_facts_negotiated(tk_conn *c, tk_conn_facts *out);

#endif

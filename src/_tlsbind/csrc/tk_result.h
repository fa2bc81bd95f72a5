/* The result of a handshake remains valid to the end of the connection: tk_result.c. */
#ifndef TK_RESULT_H
#define TK_RESULT_H

#include "tk_conn.h"

struct tk_earlier {
    uint8_t counts;          /* a renegotiation is under way, or has failed */
    SSL_SESSION *session;
    tk_info *info;
    tk_conn_facts facts;
    char *psk_identity;      /* NULL: there was none */
    uint8_t finished[2][64]; /* this side's, the peer's */
    size_t finished_size[2];
};

void tk_result_watch(tk_conn *c, int where, int value); /* in the info callback, before all else */
void tk_result_free(tk_conn *c);
int tk_result_is_cut(const tk_conn *c); /* the peer has ended without close_notify */
SSL_SESSION *tk_result_session(const tk_conn *c); /* borrowed */
tk_info *tk_result_info(const tk_conn *c);
int tk_result_reused(const tk_conn *c);
X509 *tk_result_peer(const tk_conn *c); /* borrowed */
/* what is not asked of libssl while a renegotiation is under way; NULL: none is */
const tk_earlier *tk_result_earlier(const tk_conn *c);

#endif

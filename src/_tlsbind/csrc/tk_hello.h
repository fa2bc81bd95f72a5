/* The received ClientHello, for Python: tk_hello.c. */
#ifndef TK_HELLO_H
#define TK_HELLO_H

#include "tk_conn.h"

enum { TK_HELLO_HOOKS = TK_HOOK_HELLO | TK_HOOK_NAME_AHEAD };

int tk_hello_wanted(const tk_conn *c);
/* in the message callback */
void tk_hello_keep(tk_conn *c, int sent, int content_type, const void *data, size_t size);
/* in the ClientHello callback: what that returns */
int tk_hello_ask(tk_conn *c, SSL *ssl, int *alert);
void tk_hello_end(tk_conn *c);

#endif

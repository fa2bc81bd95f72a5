/* From libssl's objects to ours: which tk_conn has an SSL, and which tk_ctx an SSL_CTX. */
#include "tk_owner.h"

int tk_ctx_index = -1, tk_conn_index = -1;

int tk_owner_init(void)
{
    tk_ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    tk_conn_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return tk_ctx_index >= 0 && tk_conn_index >= 0;
}

tk_conn *tk_conn_of(const SSL *ssl) { return SSL_get_ex_data(ssl, tk_conn_index); }
tk_ctx *tk_ctx_of(const SSL_CTX *ctx) { return SSL_CTX_get_ex_data(ctx, tk_ctx_index); }

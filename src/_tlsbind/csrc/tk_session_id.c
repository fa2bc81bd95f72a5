/* The ids of a server's new sessions: with the application's prefix, or made by it as a whole. */
#include <openssl/rand.h>

#include "tk_session_id.h"
#include "tk_cache.h"
#include "tk_door.h"

static int ask_id(tk_conn *c, SSL *ssl, unsigned char *id, unsigned int *size)
{
    int error = tk_door_open(c, TK_DOOR_SESSION_ID);
    int made = tk_door_answer(c, error, tk_py_session_id(c->handle, id, (int)*size));

    if (made <= 0)
        return 0;
    *size = (unsigned int)made;
    /* libssl would look for it in the connection's own SSL_CTX, and sessions are not there */
    if (!tk_cache_has(c->cache, ssl, id, *size))
        return 1;
    ERR_raise(ERR_LIB_SSL, SSL_R_SSL_SESSION_ID_CONFLICT);
    return 0;
}

static int on_id(SSL *ssl, unsigned char *id, unsigned int *size)
{
    const tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(ssl));
    tk_conn *c = tk_conn_of(ssl);

    /* in TLS 1.3 an id may be a ticket, for which libssl needs all 32 bytes */
    if (x != NULL && (x->hooks & TK_HOOK_SESSION_ID) && SSL_version(ssl) < TLS1_3_VERSION)
        return c != NULL && c->handle != NULL && ask_id(c, ssl, id, size);
    if (*size < 2 * TK_ID_PREFIX_MOST || RAND_bytes(id, (int)*size) != 1)
        return 0;
    if (x != NULL)
        memcpy(id, x->id_prefix, x->id_prefix_size);
    return 1;
}

void tk_session_id_install(tk_ctx *c)
{
    int own = c->id_prefix_size > 0 || (c->hooks & TK_HOOK_SESSION_ID);

    SSL_CTX_set_generate_session_id(c->ctx, own ? on_id : NULL);
}

void tk_ctx_set_id_prefix(tk_ctx *c, const void *prefix, size_t size)
{
    c->id_prefix_size = (uint8_t)(size < TK_ID_PREFIX_MOST ? size : TK_ID_PREFIX_MOST);
    memcpy(c->id_prefix, prefix, c->id_prefix_size);
    tk_session_id_install(c);
}

/* Pre-shared keys: libssl's two callbacks, and who answers them. The same callbacks serve TLS 1.2
   and 1.3; in 1.3 the key is for SHA-256, and there is no hint. */
#include "tk_psk.h"
#include "tk_door.h"
#include "tk_result.h"

static unsigned int on_client(SSL *ssl, const char *hint, char *identity,
                              unsigned int identity_room, unsigned char *key, unsigned int key_room)
{
    tk_conn *c = tk_conn_of(ssl);
    int size, error;

    if (c == NULL || c->handle == NULL)
        return 0;
    error = tk_door_open(c, TK_DOOR_PSK);
    size = tk_py_psk_client(c->handle, hint, identity, (int)identity_room, key, (int)key_room);
    tk_door_close(c, error);
    if (size < 0)
        c->interrupted = 1;
    return size > 0 ? (unsigned int)size : 0;
}

static unsigned int on_server(SSL *ssl, const char *identity, unsigned char *key,
                              unsigned int key_room)
{
    tk_conn *c = tk_conn_of(ssl);
    int size, error;

    if (c == NULL || c->handle == NULL)
        return 0;
    error = tk_door_open(c, TK_DOOR_PSK);
    size = tk_py_psk_server(c->handle, identity, key, (int)key_room);
    tk_door_close(c, error);
    if (size < 0)
        c->interrupted = 1;
    return size > 0 ? (unsigned int)size : 0;
}

void tk_psk_install(tk_ctx *c)
{
    SSL_CTX_set_psk_client_callback(c->ctx, c->hooks & TK_HOOK_PSK_CLIENT ? on_client : NULL);
    SSL_CTX_set_psk_server_callback(c->ctx, c->hooks & TK_HOOK_PSK_SERVER ? on_server : NULL);
}

int tk_ctx_set_psk_hint(tk_ctx *c, const char *hint)
{
    int ok = SSL_CTX_use_psk_identity_hint(c->ctx, hint);

    ERR_clear_error();
    return ok;
}

int tk_conn_psk_identity(tk_conn *c, char *into, size_t room)
{
    const tk_earlier *e;
    const char *identity;
    size_t size = 0;

    tk_conn_lock(c);
    e = tk_result_earlier(c);
    identity = e != NULL ? e->psk_identity : SSL_get_psk_identity(c->ssl);
    if (identity != NULL && (size = strlen(identity)) <= room)
        memcpy(into, identity, size);
    tk_conn_unlock(c);
    return size <= room ? (int)size : 0;
}

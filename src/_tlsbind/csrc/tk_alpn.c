/* Application protocols (RFC 7301). */
#include "tk_alpn.h"
#include "tk_door.h"

/* Where a name stands in a list of names with their lengths before them; NULL: it does not. */
static const uint8_t *name_in(const uint8_t *list, size_t size, const uint8_t *name,
                              size_t name_size)
{
    size_t at;

    for (at = 0; at < size && list[at] < size - at; at += (size_t)list[at] + 1)
        if (list[at] == name_size && memcmp(list + at + 1, name, name_size) == 0)
            return list + at + 1;
    return NULL;
}

int tk_ctx_set_alpn(tk_ctx *c, const void *list, size_t size)
{
    uint8_t *copy = malloc(size + 1), *before = copy;
    int ok = copy != NULL && size <= UINT_MAX;

    if (ok) {
        memcpy(copy, list, size);
        ok = SSL_CTX_set_alpn_protos(c->ctx, copy, (unsigned int)size) == 0;
    }
    if (ok) {
        before = c->alpn;
        c->alpn = copy;
        c->alpn_size = size;
        tk_alpn_install(c);
    }
    free(before);
    return ok ? TK_DONE : TK_SSL;
}

/* Python's choice. */
static int ask(SSL *ssl, const unsigned char **out, unsigned char *out_size,
               const unsigned char *offered, unsigned int offered_size)
{
    tk_conn *c = tk_conn_of(ssl);
    int at, error;

    if (c == NULL || c->handle == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    error = tk_door_open(c, TK_DOOR_ALPN);
    at = tk_py_alpn(c->handle, offered, offered_size,
                    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    tk_door_close(c, error);
    if (at == 0)
        return SSL_TLSEXT_ERR_NOACK;
    if (at < 0 || (unsigned int)at > offered_size || offered[at - 1] > offered_size - at)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* with no_application_protocol */
    *out = offered + at;
    *out_size = offered[at - 1];
    return SSL_TLSEXT_ERR_OK;
}

/* A server's choice: Python's, or the first of its own that the client offers. What is given to
   libssl is the client's, which stays where it is for long enough. */
int tk_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *offered, unsigned int offered_size, void *argument)
{
    tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(ssl));
    const uint8_t *found = NULL;
    size_t at;

    (void)argument;
    if (x == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    if (x->hooks & TK_HOOK_ALPN)
        return ask(ssl, out, out_size, offered, offered_size);
    for (at = 0; found == NULL && at < x->alpn_size; at += (size_t)x->alpn[at] + 1)
        found = name_in(offered, offered_size, x->alpn + at + 1, x->alpn[at]);
    if (found == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    *out = found;
    *out_size = found[-1];
    return SSL_TLSEXT_ERR_OK;
}

void tk_alpn_install(tk_ctx *c)
{
    int chooses = c->alpn != NULL || (c->hooks & TK_HOOK_ALPN) != 0;

    SSL_CTX_set_alpn_select_cb(c->ctx, chooses ? tk_alpn_select : NULL, NULL);
}

/* Whether a connection's context has this protocol in its list. */
int tk_conn_speaks(tk_conn *c, const void *name, size_t size)
{
    tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(c->ssl));

    return x != NULL && name_in(x->alpn, x->alpn_size, name, size) != NULL;
}

/* Pre-shared keys: libssl's four callbacks, and who answers them.

   Up to TLS 1.2, a callback returns a key. In TLS 1.3 a key belongs to the hash of a cipher suite,
   and an identity may have any bytes, so there the callback returns an SSL_SESSION that was never
   one, which libssl handles as a session to resume. */
#include "tk_psk.h"
#include "tk_door.h"
#include "tk_result.h"

enum { IDENTITY_MOST = 4096, KEY_MOST = 512 };

static int ask_client(tk_conn *c, const char *hint, void *identity, tk_psk_room *room,
                      unsigned char *key)
{
    int error = tk_door_open(c, TK_DOOR_PSK);
    int size = tk_door_answer(c, error, tk_py_psk_client(c->handle, hint, identity, room, key));

    return size > 0 ? size : 0;
}

static int ask_server(tk_conn *c, const void *identity, tk_psk_room *room, unsigned char *key)
{
    int error = tk_door_open(c, TK_DOOR_PSK);
    int size = tk_door_answer(c, error, tk_py_psk_server(c->handle, identity, room, key));

    return size > 0 ? size : 0;
}

/* ---- up to TLS 1.2 ---- */

/* For a ClientHello that offers TLS 1.3, use_session was asked. */
static unsigned int on_client(SSL *ssl, const char *hint, char *identity,
                              unsigned int identity_room, unsigned char *key, unsigned int key_room)
{
    tk_conn *c = tk_conn_of(ssl);
    tk_psk_room room = { .identity = (int32_t)identity_room, .key = (int32_t)key_room };

    if (c == NULL || c->handle == NULL || SSL_get_state(ssl) == TLS_ST_CW_CLNT_HELLO)
        return 0;
    return (unsigned int)ask_client(c, hint, identity, &room, key);
}

/* In TLS 1.3, find_session was asked. */
static unsigned int on_server(SSL *ssl, const char *identity, unsigned char *key,
                              unsigned int key_room)
{
    tk_conn *c = tk_conn_of(ssl);
    tk_psk_room room = { .key = (int32_t)key_room };

    if (c == NULL || c->handle == NULL || SSL_version(ssl) >= TLS1_3_VERSION)
        return 0;
    room.identity = identity != NULL ? (int32_t)strlen(identity) : 0;
    return (unsigned int)ask_server(c, identity, &room, key);
}

/* ---- TLS 1.3 ---- */

/* A hash, as Python knows it; 0: none. */
static int hash_of(const EVP_MD *md)
{
    return md == NULL ? 0 : EVP_MD_get_type(md) == NID_sha384 ? TK_PSK_SHA384 : TK_PSK_SHA256;
}

static SSL_SESSION *session_of(SSL *ssl, const unsigned char *key, int size, int hash)
{
    static const unsigned char suites[][2] = { { 0x13, 0x01 }, { 0x13, 0x02 } };
    const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, suites[hash == TK_PSK_SHA384]);
    SSL_SESSION *s = SSL_SESSION_new();

    if (s != NULL && suite != NULL && SSL_SESSION_set1_master_key(s, key, (size_t)size) &&
        SSL_SESSION_set_cipher(s, suite) && SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION))
        return s;
    SSL_SESSION_free(s);
    return NULL;
}

/* `md`: after a HelloRetryRequest, the hash of the suite that the server has chosen. */
static int on_use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_size,
                          SSL_SESSION **session)
{
    tk_conn *c = tk_conn_of(ssl);
    tk_psk_room room = { .identity = IDENTITY_MOST, .key = KEY_MOST, .modern = 1 };
    unsigned char key[KEY_MOST];
    int size, fits;

    *session = NULL;
    if (c == NULL || c->handle == NULL)
        return 1;
    if (c->psk_identity == NULL && (c->psk_identity = malloc(IDENTITY_MOST)) == NULL)
        return 0;
    size = ask_client(c, NULL, c->psk_identity, &room, key);
    fits = md == NULL || hash_of(md) == room.hash;
    if (size > 0 && fits)
        *session = session_of(ssl, key, size, room.hash);
    OPENSSL_cleanse(key, sizeof key);
    *id = c->psk_identity;
    *id_size = (size_t)room.identity;
    return size == 0 || !fits || *session != NULL;
}

static int on_find_session(SSL *ssl, const unsigned char *identity, size_t size,
                           SSL_SESSION **session)
{
    tk_conn *c = tk_conn_of(ssl);
    tk_psk_room room = { .identity = (int32_t)size, .key = KEY_MOST, .modern = 1 };
    unsigned char key[KEY_MOST];
    const SSL_CIPHER *suite;
    int key_size;

    *session = NULL;
    if (c == NULL || c->handle == NULL || size > UINT16_MAX)
        return 1;
    suite = SSL_get_pending_cipher(ssl);
    room.hash = hash_of(suite != NULL ? SSL_CIPHER_get_handshake_digest(suite) : NULL);
    key_size = ask_server(c, identity, &room, key);
    if (key_size > 0)
        *session = session_of(ssl, key, key_size, room.hash);
    OPENSSL_cleanse(key, sizeof key);
    return key_size == 0 || *session != NULL;
}

void tk_psk_install(tk_ctx *c)
{
    int client = c->hooks & TK_HOOK_PSK_CLIENT, server = c->hooks & TK_HOOK_PSK_SERVER;

    SSL_CTX_set_psk_client_callback(c->ctx, client ? on_client : NULL);
    SSL_CTX_set_psk_use_session_callback(c->ctx, client ? on_use_session : NULL);
    SSL_CTX_set_psk_server_callback(c->ctx, server ? on_server : NULL);
    SSL_CTX_set_psk_find_session_callback(c->ctx, server ? on_find_session : NULL);
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

/* What a ticket says about where it comes from, in the session's own room for that, inside what is
   encrypted: when the full handshake was, and for which name before which certificate. Contexts
   that share a ring need not be alike: without this, whoever can send a connection elsewhere gets
   it resumed by a server that the client did not mean. */
#include "tk_mark.h"
#include "tk_ring.h"

static const uint8_t HEAD[4] = { 't', 'k', 'T', '1' };

enum { MARK_SIZE = sizeof HEAD + 8 + TK_SCOPE };

static int scope_of(const tk_conn *c, const char *name, size_t size, uint8_t *out)
{
    uint8_t both[TK_SCOPE + 256];
    size_t i;

    if (size > 255)
        return 0;
    memcpy(both, c->names, TK_SCOPE);
    for (i = 0; i < size; i++)
        both[TK_SCOPE + i] = (uint8_t)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A')
                                                                        : name[i]);
    return EVP_Digest(both, TK_SCOPE + size, out, NULL, EVP_sha256(), NULL);
}

/* A time that no clock shows is one long ago: such a session has a mark, and has ended. */
int64_t tk_mark_begun(SSL_SESSION *s)
{
    uint8_t *data;
    size_t size, i;
    uint64_t n = 0;

    if (!SSL_SESSION_get0_ticket_appdata(s, (void **)&data, &size) || size < MARK_SIZE ||
        memcmp(data, HEAD, sizeof HEAD) != 0)
        return -1;
    for (i = 0; i < 8; i++)
        n = n << 8 | data[sizeof HEAD + i];
    return n <= INT64_MAX ? (int64_t)n : 0;
}

size_t tk_mark_size(SSL_SESSION *s) { return tk_mark_begun(s) >= 0 ? MARK_SIZE : 0; }

/* Where a session comes from a full handshake: what is resumed has its mark, and keeps it. */
int tk_mark_set(tk_conn *c, SSL_SESSION *s, int64_t begun)
{
    const char *name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
    uint8_t data[MARK_SIZE];
    int i;

    memcpy(data, HEAD, sizeof HEAD);
    for (i = 7; i >= 0; i--, begun >>= 8)
        data[sizeof HEAD + (size_t)i] = (uint8_t)begun;
    return scope_of(c, name, name != NULL ? strlen(name) : 0, data + sizeof HEAD + 8) &&
           SSL_SESSION_set1_ticket_appdata(s, data, sizeof data);
}

/* The name in a ClientHello that is being read (RFC 6066, 3): SSL_get_servername(3) does not know
   it yet. */
static int asked_for(SSL *ssl, const char **name, size_t *size)
{
    const uint8_t *p;
    size_t n;

    *name = NULL;
    *size = 0;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n))
        return 1; /* for none */
    if (n < 5 || p[2] != TLSEXT_NAMETYPE_host_name || (size_t)(p[3] << 8 | p[4]) != n - 5)
        return 0;
    *name = (const char *)p + 5;
    *size = n - 5;
    return 1;
}

/* Whether a session was made for the name that is asked for now, before a certificate for the same
   names. One without a mark is from another program that has our keys. */
int tk_mark_fits(tk_conn *c, SSL_SESSION *s)
{
    uint8_t scope[TK_SCOPE], *data;
    const char *name;
    size_t size;

    if (tk_mark_begun(s) < 0)
        return 1;
    if (!asked_for(c->ssl, &name, &size) || !scope_of(c, name, size, scope))
        return 0;
    return SSL_SESSION_get0_ticket_appdata(s, (void **)&data, &size) &&
           !memcmp(data + sizeof HEAD + 8, scope, sizeof scope);
}

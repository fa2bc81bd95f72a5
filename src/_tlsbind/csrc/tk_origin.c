/* A ticket's record of its origin, in the session's own field for application data, inside what is
   encrypted: when the full handshake was, and for which name and which certificate. Contexts that
   share a ring, or the 80 bytes of libssl's own key, may differ: without this, an attacker who can
   divert a connection could have it resumed by a server that the client did not mean. */
#include "tk_origin.h"
#include "tk_hash.h"
#include "tk_ring.h"

static const uint8_t HEAD[4] = { 't', 'k', 'T', '1' };

enum {
    MARK_SIZE = sizeof HEAD + 8 + TK_SCOPE,
    WEEK = 7 * 86400 /* RFC 8446, 4.6.1: the longest lifetime of a ticket */
};

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
    return tk_sha256(both, TK_SCOPE + size, out);
}

/* A time that no clock shows is one long ago: such a session has a mark, and has ended. */
static int64_t begun(SSL_SESSION *s)
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

size_t tk_origin_size(SSL_SESSION *s) { return begun(s) >= 0 ? MARK_SIZE : 0; }

/* Where a session comes from a full handshake: what is resumed has its mark, and keeps it. */
static int set(tk_conn *c, SSL_SESSION *s, int64_t time)
{
    const char *name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
    uint8_t data[MARK_SIZE];
    int i;

    memcpy(data, HEAD, sizeof HEAD);
    for (i = 7; i >= 0; i--, time >>= 8)
        data[sizeof HEAD + (size_t)i] = (uint8_t)time;
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

/* One without a mark is from another program that has our keys, or was put into the cache by
   hand. */
int tk_origin_fits(tk_conn *c, SSL_SESSION *s)
{
    uint8_t scope[TK_SCOPE], *data;
    const char *name;
    size_t size;

    if (begun(s) < 0)
        return 1;
    if (!asked_for(c->ssl, &name, &size) || !scope_of(c, name, size, scope))
        return 0;
    return SSL_SESSION_get0_ticket_appdata(s, (void **)&data, &size) &&
           !memcmp(data + sizeof HEAD + 8, scope, sizeof scope);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* How far the clock that tickets go by runs ahead. */
static int64_t shift_of(tk_conn *c)
{
    return c->ring != NULL ? tk_atomic_load(&c->ring->shift) : 0;
}

int tk_origin_here(tk_conn *c, SSL_SESSION *s)
{
    return begun(s) >= 0 || set(c, s, (int64_t)SSL_SESSION_get_time_ex(s) + shift_of(c));
}

/* A ticket's lifetime hint never exceeds the time for which there are keys to read it, nor a week
   after the full handshake (RFC 8446, 4.6.1). */
int tk_origin_put(tk_conn *c, SSL_SESSION *s)
{
    int64_t made = (int64_t)SSL_SESSION_get_time_ex(s) + shift_of(c), first = begun(s), most;

    if (first < 0 && !set(c, s, first = made))
        return 0;
    most = least(c->ring != NULL ? c->ring->lifetime : WEEK, first + WEEK - made);
    if (SSL_SESSION_get_timeout(s) > most)
        SSL_SESSION_set_timeout(s, (long)(most > 0 ? most : 0));
    return 1;
}

static int has_ended(const X509 *x, int64_t now)
{
    /* also when there is no telling */
    return x != NULL && ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), (time_t)now) <= 0;
}

/* What speaks against a ticket that could be opened. */
uint8_t tk_origin_objection(tk_conn *c, SSL_SESSION *s)
{
    int64_t first = begun(s), now = (int64_t)time(NULL) + shift_of(c);

    if ((first >= 0 && first + WEEK <= now) || has_ended(SSL_SESSION_get0_peer(s), now))
        return TK_TICKET_EXPIRED;
    return tk_origin_fits(c, s) ? TK_TICKET_FINE : TK_TICKET_ELSEWHERE;
}

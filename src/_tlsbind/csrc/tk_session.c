/* Sessions, which a handshake leaves for later ones. An SSL_SESSION never changes once libssl has
   passed it on: to change its times, it is copied. */
#include "tk_cipher.h"
#include "tk_fault.h"
#include "tk_hash.h"
#include "tk_info.h"
#include "tk_records.h"
#include "tk_session.h"

SSL_SESSION *tk_session_from_der(const void *der, size_t size, tk_fault *fault)
{
    const unsigned char *p = der;
    SSL_SESSION *s = NULL;

    tk_fault_begin();
    if (size <= LONG_MAX)
        s = d2i_SSL_SESSION(NULL, &p, (long)size);
    /* bytes after the end: not what was written */
    if (s != NULL && p != (const unsigned char *)der + size) {
        SSL_SESSION_free(s);
        s = NULL;
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    }
    if (s == NULL)
        tk_fail(fault);
    return s;
}

int tk_session_der(SSL_SESSION *s, tk_records *out)
{
    unsigned char *der = NULL;
    int size = i2d_SSL_SESSION(s, &der);

    if (size <= 0)
        return 0;
    tk_records_add(out, 0, der, (size_t)size);
    OPENSSL_clear_free(der, (size_t)size);
    return 1;
}

SSL_SESSION *tk_session_with_times(SSL_SESSION *s, int64_t time, int64_t timeout, tk_fault *fault)
{
    SSL_SESSION *copy;

    tk_fault_begin();
    if ((copy = SSL_SESSION_dup(s)) == NULL) {
        tk_fail(fault);
        return NULL;
    }
    if (time >= 0)
        SSL_SESSION_set_time_ex(copy, (time_t)time);
    if (timeout >= 0)
        SSL_SESSION_set_timeout(copy, (long)timeout);
    return copy;
}

void tk_session_free(SSL_SESSION *s) { SSL_SESSION_free(s); }

int tk_session_is_resumable(SSL_SESSION *s) { return SSL_SESSION_is_resumable(s); }

static int64_t not_after(const X509 *x)
{
    int days, seconds;

    if (x == NULL || !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)))
        return -1;
    return (int64_t)time(NULL) + (int64_t)days * 86400 + seconds;
}

void tk_session_facts_of(SSL_SESSION *s, tk_session_facts *out)
{
    const unsigned char *bytes;
    const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(s);
    unsigned int size;
    size_t length;

    memset(out, 0, sizeof *out);
    out->time = (int64_t)SSL_SESSION_get_time_ex(s);
    out->timeout = SSL_SESSION_get_timeout(s);
    out->lifetime_hint = (int64_t)SSL_SESSION_get_ticket_lifetime_hint(s);
    out->max_early_data = SSL_SESSION_get_max_early_data(s);
    out->version = SSL_SESSION_get_protocol_version(s);
    out->has_ticket = SSL_SESSION_has_ticket(s);
    out->peer_not_after = not_after(SSL_SESSION_get0_peer(s));
    bytes = SSL_SESSION_get_id(s, &size);
    memcpy(out->id, bytes, out->id_size = size < sizeof out->id ? size : sizeof out->id);
    bytes = SSL_SESSION_get0_id_context(s, &size);
    memcpy(out->id_context, bytes,
           out->id_context_size = size < sizeof out->id_context ? size : sizeof out->id_context);
    SSL_SESSION_get0_ticket(s, &out->ticket, &length);
    out->ticket_size = out->ticket != NULL ? (uint32_t)length : 0;
    SSL_SESSION_get0_alpn_selected(s, &out->alpn, &length);
    out->alpn_size = out->alpn != NULL ? (uint32_t)length : 0;
    out->hostname = SSL_SESSION_get0_hostname(s);
    out->cipher = cipher != NULL ? SSL_CIPHER_get_name(cipher) : NULL;
}

X509 *tk_session_peer(SSL_SESSION *s)
{
    X509 *x = SSL_SESSION_get0_peer(s);

    if (x != NULL)
        X509_up_ref(x);
    return x;
}

int tk_session_digest(SSL_SESSION *s, void *into)
{
    uint8_t secret[256];
    size_t size = SSL_SESSION_get_master_key(s, secret, sizeof secret);
    int ok = size > 0 && tk_sha256(secret, size, into);

    OPENSSL_cleanse(secret, sizeof secret);
    return ok;
}

int tk_session_secret(SSL_SESSION *s, void *into, size_t room)
{
    return (int)SSL_SESSION_get_master_key(s, into, room);
}

void tk_session_cipher(SSL_SESSION *s, tk_records *out)
{
    const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(s);

    if (cipher != NULL)
        tk_cipher_facts(out, cipher);
}

/* libssl marks what has left a cache as not resumable, and the mark goes into a copy, but not into
   DER. */
SSL_SESSION *tk_session_resumable_copy(SSL_SESSION *s)
{
    SSL_SESSION *copy = SSL_SESSION_dup(s), *clean;
    unsigned char *der = NULL;
    const unsigned char *p;
    int size;

    if (copy == NULL || SSL_SESSION_is_resumable(copy) || (size = i2d_SSL_SESSION(s, &der)) <= 0)
        return copy;
    p = der;
    clean = d2i_SSL_SESSION(NULL, &p, size);
    OPENSSL_clear_free(der, (size_t)size);
    if (clean == NULL || (tk_info_of(s) != NULL && !tk_info_attach(clean, tk_info_of(s)))) {
        SSL_SESSION_free(clean);
        return copy;
    }
    SSL_SESSION_free(copy);
    return clean;
}

/* A certificate in memory takes about ten times as much as in DER, with many names in it. */
static size_t size_of(X509 *x)
{
    int size = x != NULL ? i2d_X509(x, NULL) : 0;

    return size > 0 ? 10 * (size_t)size : 0;
}

static int holds(const STACK_OF(X509) *chain, const X509 *x)
{
    int i;

    for (i = 0; i < sk_X509_num(chain); i++)
        if (sk_X509_value(chain, i) == x)
            return 1;
    return 0;
}

size_t tk_session_size(SSL_SESSION *s)
{
    const tk_info *f = tk_info_of(s);
    const unsigned char *ticket;
    size_t all = sizeof(void *) * 128, size;
    int i;

    SSL_SESSION_get0_ticket(s, &ticket, &size);
    all += ticket != NULL ? size : 0;
    if (f == NULL)
        return all + size_of(SSL_SESSION_get0_peer(s));
    all += f->notes.size;
    for (i = 0; i < sk_X509_num(f->peers); i++)
        all += size_of(sk_X509_value(f->peers, i));
    for (i = 0; i < sk_X509_num(f->verified); i++)
        if (!holds(f->peers, sk_X509_value(f->verified, i)))
            all += size_of(sk_X509_value(f->verified, i));
    return all;
}

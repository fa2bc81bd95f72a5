/* What a ticket carries beside the session: what was known of the client's certificate.

   A ticket holds the client's own certificate and the result of its verification, but neither the
   chain nor that there was a verification at all; programs decide by these who may do what. So a
   server writes them into the tickets of clients with certificates, behind the mark of a keyring
   (tk_origin.c), and hangs them onto the session when the ticket comes back, as notes of the
   handshake that showed them (tk_info.c). The ticket's key protects them, as it does the session.

       "TK1"  verified 1  verify_code 4  made 8  digest of this side's certificate 32
       then certificates: kind 1 ('P': of the chain that was sent, 'V': of the verified one, 'B': of
       both), length 4, DER. The client's own is not repeated. Numbers are big-endian. */
#include "tk_ticket_data.h"
#include "tk_app_data.h"
#include "tk_notes.h"
#include "tk_records.h"

enum {
    HEAD = 3 + 1 + 4 + 8 + 32,
    MOST = 8192 /* so that a ClientHello with the ticket still fits into a record */
};

typedef struct {
    uint8_t bytes[MOST];
    size_t size;
    int full;
} sheet;

static void put_number(uint8_t *at, uint64_t value, int width)
{
    while (width-- > 0) {
        at[width] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get_number(const uint8_t *at, int width)
{
    uint64_t value = 0;

    while (width-- > 0)
        value = value << 8 | *at++;
    return value;
}

static int in_chain(const STACK_OF(X509) *chain, const X509 *x)
{
    int i;

    for (i = 1; i < sk_X509_num(chain); i++)
        if (X509_cmp(sk_X509_value(chain, i), x) == 0)
            return 1;
    return 0;
}

static void put_certificate(sheet *s, uint8_t kind, X509 *x)
{
    int size = i2d_X509(x, NULL);
    uint8_t *at = s->bytes + s->size;

    if (size <= 0 || s->full || (size_t)size + 5 > MOST - s->size) {
        s->full = 1;
        return;
    }
    at[0] = kind;
    put_number(at + 1, (uint64_t)size, 4);
    at += 5;
    (void)i2d_X509(x, &at);
    s->size += (size_t)size + 5;
}

static void put_chains(sheet *s, const tk_info *f)
{
    int i;

    for (i = 1; i < sk_X509_num(f->peers); i++) {
        X509 *x = sk_X509_value(f->peers, i);
        put_certificate(s, in_chain(f->verified, x) ? 'B' : 'P', x);
    }
    for (i = 1; i < sk_X509_num(f->verified); i++) {
        X509 *x = sk_X509_value(f->verified, i);
        if (!in_chain(f->peers, x))
            put_certificate(s, 'V', x);
    }
}

static void digest_of(X509 *x, uint8_t *into)
{
    unsigned int size = 32;

    memset(into, 0, 32);
    if (x != NULL)
        (void)X509_digest(x, EVP_sha256(), into, &size);
}

/* Without memory for it, the ticket goes without. */
static void put_behind_the_mark(SSL_SESSION *session, const sheet *s)
{
    size_t mark = tk_app_data_end(session), size = 0;
    uint8_t *all = malloc(mark + s->size);
    void *before = NULL;

    if (all == NULL)
        return;
    if (mark > 0 && SSL_SESSION_get0_ticket_appdata(session, &before, &size))
        memcpy(all, before, mark);
    memcpy(all + mark, s->bytes, s->size);
    (void)SSL_SESSION_set1_ticket_appdata(session, all, mark + s->size);
    free(all);
}

void tk_ticket_data_put(SSL *ssl)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    tk_info *f = tk_info_of(session);
    int64_t verified, code, made;
    sheet s; /* not cleared: 8 KiB for each ticket, and few have something to carry */

    if (session == NULL || f == NULL || SSL_SESSION_get0_peer(session) == NULL)
        return;
    if (!tk_info_number(f, TK_INFO_VERIFIED, &verified) ||
        !tk_info_number(f, TK_INFO_VERIFY_CODE, &code) || !tk_info_number(f, TK_INFO_MADE, &made))
        return;
    s.size = HEAD;
    s.full = 0;
    memcpy(s.bytes, "TK1", 3);
    s.bytes[3] = verified != 0;
    put_number(s.bytes + 4, (uint64_t)code, 4);
    put_number(s.bytes + 8, (uint64_t)made, 8);
    digest_of(sk_X509_num(f->own) > 0 ? sk_X509_value(f->own, 0) : NULL, s.bytes + 16);
    put_chains(&s, f);
    if (s.full) /* rather no chain than half a chain */
        s.size = HEAD;
    put_behind_the_mark(session, &s);
}

/* ---- and back ---- */

static void add(STACK_OF(X509) *chain, X509 *x)
{
    if (x != NULL && X509_up_ref(x) && sk_X509_push(chain, x) <= 0)
        X509_free(x);
}

static int take_certificates(tk_info *f, const uint8_t *at, const uint8_t *end)
{
    while (end - at > 5) {
        uint8_t kind = at[0];
        const uint8_t *der = at + 5;
        size_t size = (size_t)get_number(at + 1, 4);
        X509 *x;

        if (size > (size_t)(end - der) || (x = d2i_X509(NULL, &der, (long)size)) == NULL)
            return 0;
        if (kind == 'P' || kind == 'B')
            add(f->peers, x);
        if (kind == 'V' || kind == 'B')
            add(f->verified, x);
        X509_free(x);
        at += 5 + size;
    }
    return at == end;
}

/* What this side showed: known if it is what it would show now. */
static void take_own(tk_info *f, SSL *ssl, const uint8_t *digest)
{
    uint8_t now[32];

    digest_of(SSL_get_certificate(ssl), now);
    if (SSL_get_certificate(ssl) != NULL && memcmp(now, digest, sizeof now) == 0)
        tk_notes_own(ssl, f);
}

static void take(SSL *ssl, SSL_SESSION *s, const uint8_t *data, size_t size)
{
    tk_info *f;
    int whole = 1;

    if (size < HEAD || memcmp(data, "TK1", 3) != 0 || SSL_SESSION_get0_peer(s) == NULL ||
        (f = tk_info_create()) == NULL)
        return;
    f->used = (int64_t)get_number(data + 8, 8);
    tk_info_add_number(f, TK_INFO_MADE, f->used);
    tk_info_add_number(f, TK_INFO_SERVER, 1);
    tk_info_add_number(f, TK_INFO_VERIFIED, data[3]);
    tk_info_add_number(f, TK_INFO_VERIFY_CODE, (int64_t)get_number(data + 4, 4));
    if (size > HEAD) {
        f->peers = sk_X509_new_null();
        f->verified = sk_X509_new_null();
        whole = f->peers != NULL && f->verified != NULL;
        add(f->peers, SSL_SESSION_get0_peer(s));
        if (data[3])
            add(f->verified, SSL_SESSION_get0_peer(s));
        whole = whole && take_certificates(f, data + HEAD, data + size);
    }
    take_own(f, ssl, data + 16);
    f->complete = 1;
    if (whole && !f->notes.failed)
        (void)tk_info_attach(s, f);
    tk_info_free(f);
}

/* For the end of the handshake, which may have to say why the session was not resumed. */
static void remember(tk_conn *c, const SSL_SESSION *s)
{
    unsigned int size;
    const unsigned char *id = SSL_SESSION_get0_id_context(s, &size);

    memcpy(c->shown_context, id, size);
    c->shown_context_size = (uint8_t)(size + 1);
    c->shown_end = (int64_t)SSL_SESSION_get_time_ex(s) + SSL_SESSION_get_timeout(s);
}

void tk_ticket_data_take(tk_conn *c, SSL_SESSION *s)
{
    size_t mark = tk_app_data_end(s), size = 0;
    void *data = NULL;

    if (SSL_SESSION_get0_ticket_appdata(s, &data, &size) && data != NULL && size >= mark)
        take(c->ssl, s, (uint8_t *)data + mark, size - mark);
    remember(c, s);
}

/* Why a ticket that could be opened was not resumed, as far as can be told. */
uint8_t tk_ticket_data_why(tk_conn *c)
{
    const SSL_SESSION *s = SSL_get_session(c->ssl);
    unsigned int size = 0;
    const unsigned char *id;

    if (c->shown_context_size == 0 || s == NULL) /* libssl may stop for early data without one */
        return TK_TICKET_FINE;
    id = SSL_SESSION_get0_id_context(s, &size);
    if (size + 1 != c->shown_context_size || memcmp(id, c->shown_context, size) != 0)
        return TK_TICKET_CONTEXT;
    return c->shown_end < (int64_t)time(NULL) ? TK_TICKET_EXPIRED : TK_TICKET_FINE;
}

/* The facts of a handshake, kept for later queries.

   libssl forgets most of them: after a resumption it has neither the verified chain nor what the
   peer offered, and DER keeps only the peer's own certificate. So every connection takes notes of
   its handshake in a tk_info. If the handshake was a full one, the notes are also attached to its
   SSL_SESSION, and stay with it: libssl passes them on from each copy of a session to the next (a
   new ticket, SSL_SESSION_dup), so a session that was resumed ten times still has the notes of the
   one handshake in which certificates were sent. The notes hold references and raw lists; nothing
   is formatted before it is needed. Once complete they never change, except for the time of the
   last use.

   An imported session has its notes as bytes, which Python wrote and will parse. */
#include "tk_info.h"
#include "tk_cipher.h"
#include "tk_lock.h"
#include "tk_records.h"

static int session_index = -1;

/* ---- life ---- */

void tk_info_free(tk_info *f)
{
    if (f == NULL || tk_atomic_add(&f->references, -1) > 0)
        return;
    tk_records_free(&f->notes);
    free(f->extensions);
    sk_X509_pop_free(f->own, X509_free);
    sk_X509_pop_free(f->peers, X509_free);
    sk_X509_pop_free(f->verified, X509_free);
    free(f);
}

tk_info *tk_info_create(void)
{
    tk_info *f = calloc(1, sizeof *f);

    if (f != NULL)
        f->references = 1;
    return f;
}

static int on_copy(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **slot, int index, long l,
                   void *p)
{
    (void)to, (void)from, (void)index, (void)l, (void)p;
    if (*slot != NULL)
        tk_atomic_add(&((tk_info *)*slot)->references, 1);
    return 1;
}

static void on_free(void *session, void *f, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    (void)session, (void)data, (void)index, (void)l, (void)p;
    tk_info_free(f);
}

int tk_info_init(void)
{
    session_index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, on_copy, on_free);
    return session_index >= 0;
}

tk_info *tk_info_of(const SSL_SESSION *s)
{
    return s != NULL ? SSL_SESSION_get_ex_data(s, session_index) : NULL;
}

int tk_info_attach(SSL_SESSION *s, tk_info *f)
{
    tk_info *before = tk_info_of(s);

    tk_atomic_add(&f->references, 1);
    if (!SSL_SESSION_set_ex_data(s, session_index, f)) {
        tk_info_free(f);
        return 0;
    }
    tk_info_free(before);
    return 1;
}

void tk_info_begin(tk_conn *c)
{
    tk_info_free(c->info);
    c->info = tk_info_create(); /* without memory for it, nothing is noted */
}

void tk_info_end(tk_conn *c)
{
    tk_info_free(c->info);
    c->info = NULL;
}

/* ---- reading them ---- */

static void add_chain(tk_records *out, uint32_t tag, STACK_OF(X509) *chain)
{
    int i;

    for (i = 0; i < sk_X509_num(chain); i++) {
        unsigned char *der = NULL;
        int size = i2d_X509(sk_X509_value(chain, i), &der);
        if (size < 0)
            out->failed = 1;
        else
            tk_records_add(out, tag, der, (size_t)size);
        OPENSSL_free(der);
    }
}

void tk_info_write(tk_records *out, tk_info *f)
{
    int64_t used = tk_atomic_load(&f->used);
    uint32_t head[2];
    size_t at;

    for (at = 0; at < f->notes.size; at += sizeof head + head[1]) {
        memcpy(head, f->notes.data + at, sizeof head);
        tk_records_add(out, head[0], f->notes.data + at + sizeof head, head[1]);
    }
    if (used > 0)
        tk_records_add(out, TK_INFO_USED, &used, sizeof used);
    if (f->notes.failed)
        out->failed = 1;
    add_chain(out, TK_INFO_OWN, f->own);
    add_chain(out, TK_INFO_PEERS, f->peers);
    add_chain(out, TK_INFO_CHAIN, f->verified);
}

void tk_session_info(SSL_SESSION *s, tk_records *out)
{
    tk_info *f = tk_info_of(s);

    if (f != NULL)
        tk_info_write(out, f);
}

/* Nearly all are small, and every connection keeps a dozen: a small one takes a byte. */
void tk_info_add_number(tk_info *f, uint32_t tag, int64_t value)
{
    int8_t small = (int8_t)value;

    if (small == value)
        tk_records_add(&f->notes, tag, &small, sizeof small);
    else
        tk_records_add(&f->notes, tag, &value, sizeof value);
}

int tk_info_number(const tk_info *f, uint32_t tag, int64_t *value)
{
    uint32_t head[2];
    const uint8_t *body;
    size_t at;

    for (at = 0; at < f->notes.size; at += sizeof head + head[1]) {
        memcpy(head, f->notes.data + at, sizeof head);
        body = f->notes.data + at + sizeof head;
        if (head[0] != tag)
            continue;
        if (head[1] == sizeof *value)
            memcpy(value, body, sizeof *value);
        else
            *value = (int8_t)*body;
        return 1;
    }
    return 0;
}

int tk_session_set_info(SSL_SESSION *s, const void *blob, size_t size)
{
    tk_info *f = tk_info_create();

    if (f == NULL)
        return TK_SSL;
    tk_records_add(&f->notes, TK_INFO_BLOB, blob, size);
    f->complete = 1;
    if (f->notes.failed || !tk_info_attach(s, f)) {
        tk_info_free(f);
        return TK_SSL;
    }
    tk_info_free(f); /* the session has it now */
    return TK_DONE;
}

static void add_shared(SSL *ssl, const SSL_CIPHER *cipher, tk_records *out)
{
    if (cipher != NULL && sk_SSL_CIPHER_find(SSL_get_ciphers(ssl), (SSL_CIPHER *)cipher) >= 0)
        tk_cipher_record(cipher, out);
}

/* What the client has just offered and this side has: libssl itself forgets it in a TLS 1.2
   resumption. */
void tk_info_shared(tk_conn *c, tk_records *out)
{
    const uint8_t *at = c->info != NULL ? c->info->notes.data : NULL;
    const uint8_t *end = at != NULL ? at + c->info->notes.size : NULL;
    uint32_t head[2];
    size_t i;

    for (; at < end; at += sizeof head + head[1]) {
        memcpy(head, at, sizeof head);
        if (head[0] != TK_INFO_CIPHERS)
            continue;
        for (i = 0; i + 1 < head[1]; i += 2)
            add_shared(c->ssl, SSL_CIPHER_find(c->ssl, at + sizeof head + i), out);
    }
}

/* Encrypted ClientHello (ECH, RFC 9849) on clients: the real ClientHello, with the server's name in
   it, is encrypted inside an outer one, with the name of a provider that serves many names.

   A server that rejects it answers the outer one. libssl then verifies the certificate against the
   outer name, and fails the handshake in any case: its only use is to learn the server's new
   configurations. Such a connection has TLS 1.3 as its lowest version, which the inner ClientHello
   must have (6.1), so nothing else can come of an answer to the outer one. */
#include "tk_ech.h"
#include "tk_info.h"
#include "tk_lock.h"
#include "tk_records.h"

#if TK_HAS_ECH

#include <openssl/ech.h>

int tk_ech_usable(const void *list, size_t size)
{
    OSSL_ECHSTORE *store = OSSL_ECHSTORE_new(NULL, NULL);
    BIO *in = tk_bio_over(list, size);
    int count = 0;

    ERR_set_mark();
    if (store == NULL || in == NULL || OSSL_ECHSTORE_read_echconfiglist(store, in) != 1 ||
        OSSL_ECHSTORE_num_entries(store, &count) != 1)
        count = 0;
    ERR_pop_to_mark();
    BIO_free(in);
    OSSL_ECHSTORE_free(store);
    return count;
}

static int has_modern(SSL *ssl)
{
    long most = SSL_get_max_proto_version(ssl);

    return (most == 0 || most >= TLS1_3_VERSION) && !(SSL_get_options(ssl) & SSL_OP_NO_TLSv1_3);
}

static int encrypt(SSL *ssl, const void *list, size_t size, const char *outer)
{
    if (!has_modern(ssl))
        return -1;
    return SSL_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_set1_ech_config_list(ssl, list, size) == 1 &&
           (outer == NULL || SSL_ech_set1_outer_server_name(ssl, outer, 0) == 1);
}

static void grease(SSL *ssl)
{
    if (has_modern(ssl))
        SSL_set_options(ssl, SSL_OP_ECH_GREASE);
}

static int status_of(SSL *ssl, char **outer)
{
    char *inner = NULL;
    int status = SSL_ech_get1_status(ssl, &inner, outer);

    OPENSSL_free(inner);
    switch (status) {
    case SSL_ECH_STATUS_GREASE:
    case SSL_ECH_STATUS_GREASE_ECH:
        return TK_ECH_GREASE;
    case SSL_ECH_STATUS_SUCCESS:
    case SSL_ECH_STATUS_BAD_NAME: /* accepted, and the certificate has not passed */
        return TK_ECH_ACCEPTED;
    case SSL_ECH_STATUS_FAILED:
    case SSL_ECH_STATUS_FAILED_ECH:
    case SSL_ECH_STATUS_FAILED_ECH_BAD_NAME:
        return TK_ECH_REJECTED;
    default:
        return TK_ECH_NONE;
    }
}

static int retry(tk_conn *c, unsigned char **list, size_t *size)
{
    return c->alert_sent == SSL_AD_ECH_REQUIRED && SSL_get0_peer_certificate(c->ssl) != NULL &&
           SSL_get_verify_result(c->ssl) == X509_V_OK &&
           SSL_ech_get1_retry_config(c->ssl, list, size) == 1;
}

#else /* Python does not call what follows, except for the status */

int tk_ech_usable(const void *list, size_t size)
{
    (void)list, (void)size;
    return 0;
}

static int encrypt(SSL *ssl, const void *list, size_t size, const char *outer)
{
    (void)ssl, (void)list, (void)size, (void)outer;
    return 0;
}

static void grease(SSL *ssl) { (void)ssl; }

static int status_of(SSL *ssl, char **outer)
{
    (void)ssl, (void)outer;
    return TK_ECH_NONE;
}

static int retry(tk_conn *c, unsigned char **list, size_t *size)
{
    (void)c, (void)list, (void)size;
    return 0;
}

#endif

/* ---- of a connection ---- */

int tk_conn_encrypt_hello(tk_conn *c, const void *list, size_t size, const char *outer)
{
    int ok;

    tk_conn_lock(c);
    ERR_set_mark();
    if ((ok = encrypt(c->ssl, list, size, outer)) == 1)
        c->ech = c->demanding = 1;
    ERR_pop_to_mark();
    tk_conn_unlock(c);
    return ok;
}

void tk_conn_grease_hello(tk_conn *c)
{
    tk_conn_lock(c);
    grease(c->ssl);
    tk_conn_unlock(c);
}

int tk_conn_encrypts_hello(tk_conn *c)
{
    int on;

    tk_conn_lock(c);
    on = c->ech;
    tk_conn_unlock(c);
    return on;
}

int tk_ech_rejected(tk_conn *c)
{
    char *outer = NULL;
    int rejected;

    if (!c->ech)
        return 0;
    ERR_set_mark();
    rejected = status_of(c->ssl, &outer) != TK_ECH_ACCEPTED;
    ERR_pop_to_mark();
    OPENSSL_free(outer);
    return rejected;
}

void tk_ech_note(tk_conn *c, tk_info *f)
{
    char *outer = NULL;
    int status = status_of(c->ssl, &outer);

    if (status != TK_ECH_NONE)
        tk_info_add_number(f, TK_INFO_ECH, status);
    if (outer != NULL)
        tk_records_text(&f->notes, TK_INFO_ECH_OUTER, outer);
    OPENSSL_free(outer);
}

void tk_conn_ech(tk_conn *c, tk_ech *out)
{
    char *outer = NULL;

    memset(out, 0, sizeof *out);
    tk_conn_lock(c);
    ERR_set_mark();
    out->status = status_of(c->ssl, &outer);
    if (outer != NULL)
        strncpy(out->outer, outer, sizeof out->outer - 1);
    OPENSSL_free(outer);
    ERR_pop_to_mark();
    tk_conn_unlock(c);
}

int tk_conn_ech_retry(tk_conn *c, tk_records *out)
{
    unsigned char *list = NULL;
    size_t size = 0;
    int ok;

    tk_conn_lock(c);
    ERR_set_mark();
    ok = c->ech && retry(c, &list, &size);
    if (ok && list != NULL)
        tk_records_add(out, 0, list, size);
    OPENSSL_free(list);
    ERR_pop_to_mark();
    tk_conn_unlock(c);
    return ok;
}

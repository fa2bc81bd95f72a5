/* Tickets: libssl's callbacks for creating one and for accepting one. All is answered here, from
   the ring that the connection's context had when the connection was made. */
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "tk_ticket.h"
#include "tk_app_data.h"
#include "tk_origin.h"
#include "tk_ring.h"
#include "tk_ticket_data.h"

enum { /* tk_conn.ticket */
    TICKET_NONE = 0, TICKET_NO_KEY, TICKET_NEWEST, TICKET_OLDER
};

/* ---- counting ---- */

/* A client may show several tickets, and has to show them again when it is asked for another
   ClientHello: each kind is counted once in a handshake. */
static void count_once(tk_conn *c, int64_t *counter)
{
    uint8_t bit = (uint8_t)(1u << (counter - &c->ring->stats.resumed));

    if (!(c->tickets_counted & bit)) {
        c->tickets_counted |= bit;
        tk_atomic_add64(counter, 1);
    }
}

static int64_t *refusals(tk_ring_stats *s, uint8_t why)
{
    switch (why) {
    case TK_TICKET_UNKNOWN:
        return &s->unknown;
    case TK_TICKET_RETIRED:
        return &s->retired;
    case TK_TICKET_TAMPERED:
        return &s->tampered;
    default:
        return &s->refused;
    }
}

/* ... and say why, for as long as the connection is there. */
static void refuse(tk_conn *c, uint8_t why)
{
    c->refused_ticket = why;
    if (c->ring != NULL)
        count_once(c, refusals(&c->ring->stats, why));
}

/* That a ticket could be opened does not mean that its session is resumed: it may have expired, or
   have been made under another policy, version or cipher. So this waits for the end of the
   handshake. */
void tk_tickets_count(tk_conn *c)
{
    if (c->refused_ticket == TK_TICKET_FINE && !SSL_session_reused(c->ssl))
        c->refused_ticket = tk_ticket_data_why(c);
    if (c->ring != NULL && (c->ticket == TICKET_NEWEST || c->ticket == TICKET_OLDER)) {
        int reused = SSL_session_reused(c->ssl);
        count_once(c, reused ? &c->ring->stats.resumed : &c->ring->stats.refused);
        if (reused && c->ticket == TICKET_OLDER)
            count_once(c, &c->ring->stats.renewed);
    }
    c->ticket = TICKET_NONE;
    c->tickets_counted = 0;
}

/* ---- keys ---- */

static const EVP_CIPHER *cipher_of(const tk_ticket_key *key)
{
    return key->size == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
}

static int set_mac(EVP_MAC_CTX *mac, const tk_ticket_key *key)
{
    OSSL_PARAM params[3];

    params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac,
                                                  (size_t)key->size);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
    params[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, params);
}

static int encrypt(tk_conn *c, const tk_keys *k, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac)
{
    const tk_ticket_key *key = &k->key[0];

    memcpy(name, key->name, sizeof key->name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher_of(key))) != 1)
        return -1;
    if (!EVP_EncryptInit_ex(cipher, cipher_of(key), NULL, key->aes, iv) || !set_mac(mac, key))
        return -1;
    tk_atomic_add64(&c->ring->stats.made, 1);
    return 1;
}

static const tk_ticket_key *find(tk_conn *c, const tk_keys *k, const uint8_t *name, int64_t now)
{
    int32_t i;

    for (i = 0; i < k->count; i++)
        if (!memcmp(k->key[i].name, name, sizeof k->key[i].name)) {
            if (k->key[i].until > now)
                return &k->key[i];
            refuse(c, TK_TICKET_RETIRED);
            return NULL;
        }
    for (i = 0; i < k->gone_count; i++)
        if (!memcmp(k->gone[i], name, sizeof k->gone[i])) {
            refuse(c, TK_TICKET_RETIRED);
            return NULL;
        }
    refuse(c, TK_TICKET_UNKNOWN);
    return NULL;
}

/* 1: go on; 2: go on, and make a new ticket; 0: a full handshake. In TLS 1.3 a ticket is for one
   use, so there is always a new one. */
static int decrypt(tk_conn *c, const tk_keys *k, const uint8_t *name, const uint8_t *iv,
                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int64_t now)
{
    const tk_ticket_key *key = find(c, k, name, now);

    c->ticket = TICKET_NO_KEY;
    if (key == NULL)
        return 0;
    if (!set_mac(mac, key) || !EVP_DecryptInit_ex(cipher, cipher_of(key), NULL, key->aes, iv))
        return -1;
    c->ticket = key->newest ? TICKET_NEWEST : TICKET_OLDER;
    return key->newest && SSL_version(c->ssl) != TLS1_3_VERSION ? 1 : 2;
}

static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int encrypts)
{
    tk_conn *c = tk_conn_of(ssl);
    tk_keys *k;
    int64_t now;
    int answer;

    if (c == NULL || c->ring == NULL)
        return 0;
    now = tk_ring_clock(c->ring);
    if ((k = tk_ring_take(c->ring, now)) == NULL)
        return 0;
    answer = encrypts ? encrypt(c, k, name, iv, cipher, mac)
                      : decrypt(c, k, name, iv, cipher, mac, now);
    tk_ring_give_back(k);
    return answer;
}

/* ---- tickets ---- */

static int on_ticket_made(SSL *ssl, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);
    SSL_SESSION *s = SSL_get_session(ssl);

    (void)argument;
    if (c != NULL && s != NULL && (!tk_origin_put(c, s) || !tk_app_data_put(c, s)))
        return 0;
    tk_ticket_data_put(ssl);
    return 1;
}

static int was_opened(SSL_TICKET_STATUS status)
{
    return status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
}

/* Whether a ticket may be resumed. */
static int passes(tk_conn *c, SSL_SESSION *s, SSL_TICKET_STATUS status)
{
    uint8_t why = TK_TICKET_FINE;

    if (was_opened(status))
        why = tk_origin_objection(c, s);
    else if (c->ring != NULL && status == SSL_TICKET_NO_DECRYPT && c->ticket != TICKET_NO_KEY)
        why = TK_TICKET_TAMPERED; /* we have the key, and yet: or there was no room for a name */
    if (why != TK_TICKET_FINE)
        refuse(c, why);
    return why == TK_TICKET_FINE && (was_opened(status) || c->ring == NULL);
}

/* What libssl does by itself. */
static SSL_TICKET_RETURN usual(SSL_TICKET_STATUS status)
{
    switch (status) {
    case SSL_TICKET_SUCCESS:
        return SSL_TICKET_RETURN_USE;
    case SSL_TICKET_SUCCESS_RENEW:
        return SSL_TICKET_RETURN_USE_RENEW;
    case SSL_TICKET_EMPTY:
    case SSL_TICKET_NO_DECRYPT:
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_NONE:
        return SSL_TICKET_RETURN_IGNORE;
    default:
        return SSL_TICKET_RETURN_ABORT;
    }
}

static SSL_TICKET_RETURN on_ticket_opened(SSL *ssl, SSL_SESSION *s, const unsigned char *name,
                                          size_t name_size, SSL_TICKET_STATUS status,
                                          void *argument)
{
    tk_conn *c = tk_conn_of(ssl);

    (void)name, (void)name_size, (void)argument;
    if (c == NULL)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (!passes(c, s, status)) {
        c->ticket = TICKET_NONE;
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    if (was_opened(status))
        tk_ticket_data_take(c, s);
    return usual(status);
}

/* ---- contexts ---- */

void tk_conn_take_ring(tk_conn *c, tk_ctx *x)
{
    tk_ring_lock();
    memcpy(c->names, x->names, sizeof c->names);
    if ((c->ring = x->ring) != NULL)
        c->ring->references++;
    tk_ring_unlock();
}

void tk_ctx_set_ring(tk_ctx *c, tk_ring *r)
{
    tk_ring *before;

    tk_ring_up_ref(r);
    tk_ring_lock();
    before = c->ring;
    c->ring = r;
    tk_ring_unlock();
    tk_ring_free(before);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ctx, r != NULL ? on_ticket_key : NULL);
}

void tk_tickets_install(tk_ctx *c)
{
    SSL_CTX_set_session_ticket_cb(c->ctx, on_ticket_made, on_ticket_opened, NULL);
}

void tk_tickets_remove(tk_ctx *c) { SSL_CTX_set_session_ticket_cb(c->ctx, NULL, NULL, NULL); }

int tk_ctx_ticket_keys(tk_ctx *c, void *into)
{
    return SSL_CTX_get_tlsext_ticket_keys(c->ctx, into, TK_KEY_SIZE) == 1 ? TK_DONE : TK_SSL;
}

int tk_ctx_set_ticket_keys(tk_ctx *c, const void *keys)
{
    return SSL_CTX_set_tlsext_ticket_keys(c->ctx, (void *)keys, TK_KEY_SIZE) == 1 ? TK_DONE
                                                                                  : TK_SSL;
}

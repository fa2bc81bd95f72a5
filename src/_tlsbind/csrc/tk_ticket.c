/* Tickets: what libssl asks when it makes one and when a client shows one. All is answered here,
   from the ring that the connection's context had when the connection was made. */
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "tk_ticket.h"
#include "tk_mark.h"
#include "tk_ring.h"
#include "tk_ticket_data.h"

enum { WEEK = 7 * 86400 }; /* RFC 8446, 4.6.1: the longest lifetime of a ticket */

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

/* ... and say why, for as long as the connection is there. */
static void refuse(tk_conn *c, uint8_t why, int64_t *counter)
{
    c->refused_ticket = why;
    count_once(c, counter);
}

/* That a ticket could be opened does not mean that its session is resumed: it may have expired, or
   have been made under another policy, version or cipher. So this waits for the end of the
   handshake. */
void tk_tickets_settle(tk_conn *c)
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
            refuse(c, TK_TICKET_RETIRED, &c->ring->stats.retired);
            return NULL;
        }
    for (i = 0; i < k->gone_count; i++)
        if (!memcmp(k->gone[i], name, sizeof k->gone[i])) {
            refuse(c, TK_TICKET_RETIRED, &c->ring->stats.retired);
            return NULL;
        }
    refuse(c, TK_TICKET_UNKNOWN, &c->ring->stats.unknown);
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

/* ---- what a ticket says, and how long it counts ---- */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Nobody is told that a ticket is good for longer than there are keys to read it, nor for more than
   a week after the full handshake (RFC 8446, 4.6.1). */
static int mark_and_limit(tk_conn *c, SSL_SESSION *s)
{
    int64_t time, first, most;

    /* by the ring's clock */
    time = (int64_t)SSL_SESSION_get_time_ex(s) + tk_atomic_load(&c->ring->shift);
    if ((first = tk_mark_begun(s)) < 0 && !tk_mark_set(c, s, first = time))
        return 0;
    most = least(c->ring->lifetime, first + WEEK - time);
    if (SSL_SESSION_get_timeout(s) > most)
        SSL_SESSION_set_timeout(s, (long)(most > 0 ? most : 0));
    return 1;
}

static int on_ticket_made(SSL *ssl, void *argument)
{
    tk_conn *c = tk_conn_of(ssl);
    SSL_SESSION *s = SSL_get_session(ssl);

    (void)argument;
    if (c != NULL && c->ring != NULL && s != NULL && !mark_and_limit(c, s))
        return 0;
    tk_ticket_data_put(ssl);
    return 1;
}

static int has_ended(const X509 *x, int64_t now)
{
    /* also when there is no telling */
    return x != NULL && ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), (time_t)now) <= 0;
}

/* A ticket of this connection's ring: whether it may be resumed. */
static int passes(tk_conn *c, SSL_SESSION *s, SSL_TICKET_STATUS status)
{
    int64_t first, now;

    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
        /* we have the key, and yet: or there was no room for a name */
        if (status == SSL_TICKET_NO_DECRYPT && c->ticket != TICKET_NO_KEY)
            refuse(c, TK_TICKET_TAMPERED, &c->ring->stats.tampered);
        return 0;
    }
    first = tk_mark_begun(s);
    now = tk_ring_clock(c->ring);
    if ((first >= 0 && first + WEEK <= now) || has_ended(SSL_SESSION_get0_peer(s), now)) {
        refuse(c, TK_TICKET_EXPIRED, &c->ring->stats.refused);
        return 0;
    }
    if (!tk_mark_fits(c, s)) {
        refuse(c, TK_TICKET_ELSEWHERE, &c->ring->stats.refused);
        return 0;
    }
    return 1;
}

/* What libssl does by itself where there is no ring. */
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
    SSL_TICKET_RETURN answer;

    (void)name, (void)name_size, (void)argument;
    if (c == NULL)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (c->ring != NULL && !passes(c, s, status)) {
        c->ticket = TICKET_NONE;
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    answer = usual(status);
    if (answer == SSL_TICKET_RETURN_USE || answer == SSL_TICKET_RETURN_USE_RENEW)
        tk_ticket_data_take(c, s);
    return answer;
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

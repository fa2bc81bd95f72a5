/* Drop the keys of a key exchange at the end of the handshake.

   libssl needs its own ephemeral key and the peer's only for the handshake, and keeps them until
   the connection ends. With X25519MLKEM768, the default from OpenSSL 3.5 on, they take 14 KiB of an
   idle connection's memory. The private one is also a secret: with it, and a recording of the
   traffic, everything that the connection has sent can be decrypted. So once a handshake is
   complete, both are emptied, and libssl wipes them. Nothing needs them afterwards: TLS 1.3 has no
   second key exchange, and TLS 1.2 creates new keys when it renegotiates.

   libssl lends these keys (SSL_get_tmp_key(3)) but does not take them back. Giving a key another
   type empties it. */
#include "tk_key_shares.h"

static void empty(EVP_PKEY *key)
{
    if (key != NULL)
        (void)EVP_PKEY_set_type(key, EVP_PKEY_RSA);
    EVP_PKEY_free(key);
}

/* A client that offers several shares can show the first one now, and later only the one that the
   server has chosen; with TLS 1.2, which has no shares, the first one stays. */
void tk_key_shares_watch(tk_conn *c, int where)
{
    if (where == SSL_CB_CONNECT_LOOP && c->share == NULL && !c->done &&
        !SSL_get_tmp_key(c->ssl, &c->share))
        c->share = NULL;
}

void tk_key_shares_drop(tk_conn *c)
{
    EVP_PKEY *own = NULL, *peer = NULL;

    ERR_set_mark();
    if (SSL_get_tmp_key(c->ssl, &own))
        empty(own);
    if (SSL_get_peer_tmp_key(c->ssl, &peer))
        empty(peer);
    empty(c->share);
    c->share = NULL;
    ERR_pop_to_mark();
}

/* What a handshake has negotiated, according to libssl. All under the connection's lock. */
#include "tk_facts.h"
#include "tk_result.h"

static void cipher_facts(const SSL_CIPHER *cipher, tk_conn_facts *out)
{
    if (cipher == NULL)
        return;
    out->cipher_id = (int32_t)SSL_CIPHER_get_protocol_id(cipher);
    out->cipher_bits = SSL_CIPHER_get_bits(cipher, NULL);
    out->cipher_name = SSL_CIPHER_get_name(cipher);
    out->cipher_standard_name = SSL_CIPHER_standard_name(cipher);
    out->cipher_protocol = SSL_CIPHER_get_version(cipher);
}

static void group_facts(SSL *ssl, tk_conn_facts *out)
{
    /* OpenSSL 3.0 looks for the group there, whether there is one or not */
    if (SSL_get_session(ssl) == NULL)
        return;
    out->group_id = (int32_t)SSL_get_negotiated_group(ssl);
    if (out->group_id != 0)
        out->group_name = SSL_group_to_name(ssl, out->group_id);
}

/* Not negotiated again in a renegotiation, which leaves libssl without it. */
unsigned int tk_facts_protocol(const tk_conn *c, const unsigned char **protocol)
{
    unsigned int size;

    SSL_get0_alpn_selected(c->ssl, protocol, &size);
    if (*protocol == NULL && c->earlier != NULL) {
        *protocol = c->earlier->facts.alpn;
        size = c->earlier->facts.alpn_size;
    }
    return *protocol != NULL ? size : 0;
}

void tk_facts_negotiated(tk_conn *c, tk_conn_facts *out)
{
    const COMP_METHOD *compression;
    const unsigned char *protocol;
    const char *name;
    SSL_SESSION *s = SSL_get_session(c->ssl);
    unsigned int size;

    if (s != NULL)
        out->session_time = (int64_t)SSL_SESSION_get_time_ex(s);
    out->completed = c->completed;
    out->reused_last = SSL_session_reused(c->ssl);
    out->version = SSL_version(c->ssl);
    out->version_name = SSL_get_version(c->ssl);
    out->extended_master_secret = (int32_t)SSL_get_extms_support(c->ssl);
    out->verify_code = (int32_t)SSL_get_verify_result(c->ssl);
    out->verify_depth = out->verify_code == X509_V_OK ? -1
                        : c->verdict != X509_V_OK     ? c->verdict_depth
                                                      : c->verify_depth;
    cipher_facts(SSL_get_current_cipher(c->ssl), out);
    group_facts(c->ssl, out);
    if ((compression = SSL_get_current_compression(c->ssl)) != NULL)
        out->compression = SSL_COMP_get_name(compression);
    if ((size = tk_facts_protocol(c, &protocol)) > 0 && size <= sizeof out->alpn) {
        memcpy(out->alpn, protocol, size);
        out->alpn_size = size;
    }
    if ((name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name)) != NULL)
        strncpy(out->server_name, name, sizeof out->server_name - 1);
}

/* Take notes of a handshake (see tk_info.c): some while it runs, the rest when it is complete. */
#include "tk_notes.h"
#include "tk_ech.h"
#include "tk_facts.h"
#include "tk_records.h"
#include "tk_signature.h"

enum { LIST_MOST = 1024 }; /* bytes of one list that a peer may make us keep */

static int has_extension(const tk_info *f, int type)
{
    size_t i;

    for (i = 0; i < f->extension_count; i++)
        if (f->extensions[i] == type)
            return 1;
    return 0;
}

static void note_extension(tk_info *f, int type)
{
    if (f->extensions == NULL &&
        (f->extensions = calloc(TK_EXTENSIONS_MOST, sizeof *f->extensions)) == NULL)
        return;
    if (f->extension_count < TK_EXTENSIONS_MOST && !has_extension(f, type))
        f->extensions[f->extension_count++] = (uint16_t)type;
}

/* A list inside an extension, without the length before it. One that is odd or too long is not
   noted. */
static void note_list(tk_info *f, int type, const unsigned char *data, size_t size)
{
    size_t head = type == TLSEXT_TYPE_ec_point_formats ? 1 : 2;
    uint32_t tag = type == TLSEXT_TYPE_supported_groups ? TK_INFO_GROUPS
                 : type == TLSEXT_TYPE_signature_algorithms ? TK_INFO_SIGALGS
                 : type == TLSEXT_TYPE_ec_point_formats ? TK_INFO_FORMATS : 0;
    size_t length;

    if (tag == 0 || size < head || size > LIST_MOST)
        return;
    length = head == 1 ? data[0] : (size_t)data[0] << 8 | data[1];
    if (length == size - head && length % head == 0)
        tk_records_add(&f->notes, tag, data + head, length);
}

/* The first name of the list that server_name is (RFC 6066, 3): libssl forgets it when it resumes
   with TLS 1.2. */
static void note_server_name(tk_info *f, const unsigned char *data, size_t size)
{
    size_t length = size >= 5 ? (size_t)data[3] << 8 | data[4] : 0;

    if (length > 0 && length <= TLSEXT_MAXLEN_host_name && length <= size - 5 &&
        data[2] == TLSEXT_NAMETYPE_host_name)
        tk_records_add(&f->notes, TK_INFO_SERVER_NAME, data + 5, length);
}

/* On a server, in its ClientHello callback. */
void tk_notes_hello(tk_conn *c)
{
    static const int lists[] = { TLSEXT_TYPE_supported_groups, TLSEXT_TYPE_signature_algorithms,
                                 TLSEXT_TYPE_ec_point_formats };
    tk_info *f = c->info;
    const unsigned char *data;
    size_t size, i;
    int *types = NULL;

    if (f == NULL || f->complete)
        return;
    f->notes.size = f->extension_count = 0; /* after a HelloRetryRequest, the second one counts */
    if (SSL_client_hello_get1_extensions_present(c->ssl, &types, &size))
        for (i = 0; i < size; i++)
            note_extension(f, types[i]);
    OPENSSL_free(types);
    for (i = 0; i < sizeof lists / sizeof *lists; i++)
        if (SSL_client_hello_get0_ext(c->ssl, (unsigned int)lists[i], &data, &size))
            note_list(f, lists[i], data, size);
    if (SSL_client_hello_get0_ext(c->ssl, TLSEXT_TYPE_server_name, &data, &size))
        note_server_name(f, data, size);
    size = SSL_client_hello_get0_ciphers(c->ssl, &data);
    if (size > 0 && size <= LIST_MOST && size % 2 == 0)
        tk_records_add(&f->notes, TK_INFO_CIPHERS, data, size);
}

/* On a client: every extension that the server sends. */
static void on_extension(SSL *ssl, int from_server, int type, const unsigned char *data, int size,
                         void *argument)
{
    tk_conn *c = tk_conn_of(ssl);

    (void)argument;
    if (c == NULL || c->info == NULL || c->info->complete || !from_server)
        return;
    note_extension(c->info, type);
    note_list(c->info, type, data, size > 0 ? (size_t)size : 0);
}

void tk_notes_watch(tk_conn *c)
{
    if (!SSL_is_server(c->ssl))
        SSL_set_tlsext_debug_callback(c->ssl, on_extension);
}

static int is_stream(int nid)
{
    return nid == NID_rc4 || nid == NID_gost89_cnt || nid == NID_gost89_cnt_12;
}

/* libssl answers SSL_get_extms_support outside of a handshake only. TLS 1.3 has nothing else. */
static int extended_master_secret(SSL *ssl, const tk_info *f)
{
    if (SSL_version(ssl) >= TLS1_3_VERSION)
        return 1;
    return has_extension(f, TLSEXT_TYPE_extended_master_secret)
        && !(SSL_is_server(ssl) && SSL_get_options(ssl) & SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

/* What libssl agrees on without letting anybody ask: -1 when there is no telling. */
static int encrypt_then_mac(SSL *ssl, const tk_info *f)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

    if (cipher == NULL)
        return -1;
    if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_CIPHER_is_aead(cipher))
        return 0;
    if (!SSL_is_server(ssl))
        return has_extension(f, TLSEXT_TYPE_encrypt_then_mac);
    return has_extension(f, TLSEXT_TYPE_encrypt_then_mac) &&
           !(SSL_get_options(ssl) & SSL_OP_NO_ENCRYPT_THEN_MAC) &&
           SSL_version(ssl) > SSL3_VERSION && !is_stream(SSL_CIPHER_get_cipher_nid(cipher));
}

static void note_sigalgs(SSL *ssl, tk_info *f)
{
    uint8_t list[LIST_MOST];
    int i, n = SSL_get_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);

    for (i = 0; i < n && i < LIST_MOST / 2; i++)
        SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &list[2 * i + 1], &list[2 * i]);
    if (i > 0)
        tk_records_add(&f->notes, TK_INFO_SIGALGS, list, 2 * (size_t)i);
}

static void note_shared(SSL *ssl, tk_info *f)
{
    STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(ssl), *theirs = SSL_get_client_ciphers(ssl);
    uint8_t list[LIST_MOST];
    size_t n = 0;
    int i;

    for (i = 0; i < sk_SSL_CIPHER_num(theirs) && n < LIST_MOST; i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(theirs, i);
        unsigned int id = SSL_CIPHER_get_protocol_id(cipher);
        if (sk_SSL_CIPHER_find(ours, (SSL_CIPHER *)cipher) < 0)
            continue;
        list[n++] = (uint8_t)(id >> 8);
        list[n++] = (uint8_t)id;
    }
    if (n > 0)
        tk_records_add(&f->notes, TK_INFO_SHARED, list, n);
}

void tk_notes_own(SSL *ssl, tk_info *f)
{
    X509 *leaf = SSL_get_certificate(ssl);
    EVP_PKEY *key = SSL_get_privatekey(ssl);
    STACK_OF(X509) *chain = NULL;
    int i;

    if (leaf == NULL || (f->own = sk_X509_new_null()) == NULL)
        return;
    SSL_get0_chain_certs(ssl, &chain);
    if (chain == NULL)
        SSL_CTX_get_extra_chain_certs(SSL_get_SSL_CTX(ssl), &chain);
    for (i = -1; i < (chain == NULL ? 0 : sk_X509_num(chain)); i++) {
        X509 *x = i < 0 ? leaf : sk_X509_value(chain, i);
        if (sk_X509_push(f->own, x) > 0)
            X509_up_ref(x);
    }
    if (key == NULL)
        return;
    tk_records_text(&f->notes, TK_INFO_KEY_TYPE, EVP_PKEY_get0_type_name(key));
    tk_info_add_number(f, TK_INFO_KEY_BITS, EVP_PKEY_get_bits(key));
}

static void note_peer(SSL *ssl, tk_info *f)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl), *verified = SSL_get0_verified_chain(ssl);
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    const tk_conn *c = tk_conn_of(ssl);

    if (leaf == NULL)
        return;
    f->peers = sent != NULL ? X509_chain_up_ref(sent) : sk_X509_new_null();
    /* there, libssl keeps it apart */
    if (SSL_is_server(ssl) && f->peers != NULL && sk_X509_unshift(f->peers, leaf) > 0)
        X509_up_ref(leaf);
    if (verified != NULL)
        f->verified = X509_chain_up_ref(verified);
    tk_info_add_number(f, TK_INFO_VERIFIED,
                (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) &&
                    SSL_get_verify_result(ssl) == X509_V_OK);
    tk_info_add_number(f, TK_INFO_VERIFY_CODE, SSL_get_verify_result(ssl));
    tk_records_text(&f->notes, TK_INFO_MATCHED,
                    c != NULL && c->matched != NULL ? c->matched : SSL_get0_peername(ssl));
}

static void note_agreement(SSL *ssl, tk_info *f)
{
    static const int fragments[] = { 16384, 512, 1024, 2048, 4096 };
    SSL_SESSION *s = SSL_get_session(ssl);
    const unsigned char *alpn;
    unsigned int alpn_size;
    int group = SSL_get_negotiated_group(ssl), fragment = SSL_SESSION_get_max_fragment_length(s);

    tk_info_add_number(f, TK_INFO_SERVER, SSL_is_server(ssl));
    tk_info_add_number(f, TK_INFO_EMS, extended_master_secret(ssl, f));
    tk_info_add_number(f, TK_INFO_ETM, encrypt_then_mac(ssl, f));
    tk_info_add_number(f, TK_INFO_FRAGMENT,
                       fragment >= 0 && fragment <= 4 ? fragments[fragment] : 0);
    tk_info_add_number(f, TK_INFO_COMPRESSION, SSL_SESSION_get_compress_id(s));
    if (group != 0)
        tk_records_text(&f->notes, TK_INFO_GROUP, SSL_group_to_name(ssl, group));
    alpn_size = tk_facts_protocol(tk_conn_of(ssl), &alpn);
    if (alpn_size > 0)
        tk_records_add(&f->notes, TK_INFO_ALPN, alpn, alpn_size);
    if (!SSL_is_server(ssl)) {
        tk_records_text(&f->notes, TK_INFO_SERVER_NAME,
                        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
        tk_ech_note(tk_conn_of(ssl), f);
    }
    tk_info_add_number(f, TK_INFO_ACKNOWLEDGED,
                SSL_is_server(ssl) ? SSL_SESSION_get0_hostname(s) != NULL
                                   : has_extension(f, TLSEXT_TYPE_server_name));
    tk_records_add(&f->notes, TK_INFO_EXTENSIONS, f->extensions,
                   f->extension_count * sizeof *f->extensions);
}

static int noted(const tk_info *f, uint32_t tag)
{
    size_t at = 0;
    uint32_t head[2];

    for (; at < f->notes.size; at += sizeof head + head[1]) {
        memcpy(head, f->notes.data + at, sizeof head);
        if (head[0] == tag)
            return 1;
    }
    return 0;
}

/* The handshake is over, or as good as over: called before anybody else can get hold of a session
   that is new. */
void tk_notes_take(tk_conn *c)
{
    SSL_SESSION *s = SSL_get_session(c->ssl);
    tk_info *f = c->info, *before = tk_info_of(s);
    int64_t now = (int64_t)time(NULL);
    uint8_t *tight;
    int nid;

    if (f == NULL || f->complete || s == NULL)
        return;
    ERR_set_mark();
    tk_info_add_number(f, TK_INFO_MADE, now);
    note_agreement(c->ssl, f);
    if (!noted(f, TK_INFO_SIGALGS))
        note_sigalgs(c->ssl, f);
    if (!SSL_session_reused(c->ssl)) {
        note_shared(c->ssl, f);
        tk_records_text(&f->notes, TK_INFO_SIGNED, tk_signature_name(c->ssl, 0));
        tk_records_text(&f->notes, TK_INFO_PEER_SIGNED, tk_signature_name(c->ssl, 1));
        if (SSL_get_signature_nid(c->ssl, &nid)) /* a client shows one only when it signs with it */
            tk_notes_own(c->ssl, f);
        note_peer(c->ssl, f);
    } else if (SSL_get0_peer_certificate(c->ssl) != NULL) {
        tk_info_add_number(f, TK_INFO_VERIFY_CODE, SSL_get_verify_result(c->ssl));
    }
    if ((tight = realloc(f->notes.data, f->notes.size)) != NULL) {
        f->notes.data = tight;
        f->notes.room = f->notes.size;
    }
    free(f->extensions); /* they are among the notes now, and the notes may live long */
    f->extensions = NULL;
    f->extension_count = 0;
    f->used = now;
    f->complete = 1;
    if (!SSL_session_reused(c->ssl))
        tk_info_attach(s, f);
    else if (before != NULL)
        tk_atomic_store(&before->used, now);
    ERR_pop_to_mark();
}

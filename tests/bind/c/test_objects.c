/* What connections are made from: trust, certificates, credentials, contexts; and sessions as
   bytes. */
#include <stdio.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include "tk_distrust.h"
#include "tk_test.h"

static const char GARBAGE[] =
    "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
static const char NOT_PEM[] = "this is no PEM at all\n";

/* ---- trust ---- */

static void trust_loads_pem(void)
{
    X509_STORE *store = tk_trust_new(), *copy;
    tk_records r = { 0 };
    tk_fault fault;
    int32_t certificates, crls, authorities;
    uint8_t digest[32], again[32];
    char *both = malloc(root.pem_size + server_identity.pem_size + strlen(crl_pem) + 1);

    sprintf(both, "%s%s%s", root.pem, server_identity.pem, crl_pem);
    CHECK_EQUAL(tk_trust_add_pem(store, both, strlen(both), &fault), 3);
    tk_trust_count(store, &certificates, &crls, &authorities);
    CHECK(certificates == 2 && crls == 1 && authorities == 1);
    CHECK((copy = tk_trust_new()) != NULL && tk_trust_merge(copy, store, &fault) == 0);
    CHECK(tk_trust_digest(store, digest) && tk_trust_digest(copy, again));
    CHECK(memcmp(digest, again, sizeof digest) == 0);
    tk_trust_free(store);
    tk_trust_count(copy, &certificates, &crls, &authorities);
    CHECK(certificates == 2 && crls == 1 && authorities == 1);
    tk_trust_authorities(copy, &r);
    CHECK(r.size == 8 + root.der_size && !memcmp(r.data + 8, root.der, root.der_size));
    tk_records_free(&r);
    tk_trust_free(copy);
    free(both);
}

/* As many certificates as a bundle needs: the same few, again and again. */
static char *many(int n, const char *more)
{
    size_t each = root.pem_size + server_identity.pem_size;
    char *all = malloc((size_t)n * each + strlen(more) + 1), *end = all;

    for (; n > 0; n--)
        end += sprintf(end, "%s%s", root.pem, server_identity.pem);
    strcpy(end, more);
    return all;
}

static void bundles_are_like_stores(void)
{
    X509_STORE *parsed = tk_trust_new(), *searching = tk_trust_new();
    char *pem = many(10, "");
    tk_directory *bundle = tk_bundle_read(pem, strlen(pem));
    int32_t certificates, crls, authorities;
    uint8_t digest[32], again[32];
    tk_fault fault;

    CHECK(bundle != NULL);
    CHECK(tk_trust_add_pem(parsed, pem, strlen(pem), &fault) == 20);
    CHECK(tk_trust_digest(parsed, digest));
    tk_directory_digest(bundle, again);
    CHECK(memcmp(digest, again, sizeof digest) == 0);
    CHECK_DONE(tk_trust_add_directory(searching, bundle, &fault), &fault);
    tk_trust_count(searching, &certificates, &crls, &authorities);
    CHECK_EQUAL(certificates, 0);
    CHECK_DONE(tk_trust_complete(searching, bundle, &fault), &fault);
    tk_trust_count(searching, &certificates, &crls, &authorities);
    CHECK(certificates == 2 && crls == 0 && authorities == 1);
    CHECK(tk_trust_digest(searching, again) && memcmp(digest, again, sizeof digest) == 0);
    tk_directory_free(bundle);
    tk_trust_free(searching);
    tk_trust_free(parsed);
    free(pem);
}

static void bundles_are_certificates_alone(void)
{
    const char *const others[] = { GARBAGE, crl_pem, "-----BEGIN CERTIFICATE-----\nMII" };
    char *few = many(1, "");
    size_t i;

    CHECK(tk_bundle_read("", 0) == NULL && tk_bundle_read(NOT_PEM, sizeof NOT_PEM - 1) == NULL);
    CHECK(tk_bundle_read(few, strlen(few)) == NULL);
    free(few);
    for (i = 0; i < sizeof others / sizeof *others; i++) {
        char *pem = many(10, others[i]);
        CHECK(tk_bundle_read(pem, strlen(pem)) == NULL);
        free(pem);
    }
}

static void trust_refuses_what_it_cannot_read(void)
{
    X509_STORE *store = tk_trust_new();
    tk_directory *nowhere;
    tk_fault fault;
    uint8_t cut[64];

    CHECK(tk_trust_add_pem(store, "", 0, &fault) <= 0 && fault.count > 0);
    CHECK(has_error(&fault, "X509", "NO_CERTIFICATE_OR_CRL_FOUND"));
    CHECK(tk_trust_add_pem(store, NOT_PEM, sizeof NOT_PEM - 1, &fault) <= 0 &&
          fault.count > 0);
    CHECK(tk_trust_add_pem(store, GARBAGE, sizeof GARBAGE - 1, &fault) <= 0 &&
          fault.count > 0);
    CHECK(tk_trust_add_pem(store, root.pem, root.pem_size - 20, &fault) <=
              0 &&
          fault.count > 0);
    memcpy(cut, root.der, sizeof cut);
    CHECK(tk_trust_add_der(store, cut, sizeof cut, &fault) <= 0 && fault.count > 0);
    CHECK(tk_trust_add_der(store, "no", 2, &fault) <= 0 && fault.count > 0);
    CHECK_EQUAL(tk_trust_add_der(store, root.der, root.der_size, &fault), 1);
    /* as OpenSSL: it is looked for later */
    CHECK((nowhere = tk_directory_read("/nowhere/at/all", &fault)) != NULL);
    CHECK(!tk_directory_doubtful(nowhere));
    CHECK_DONE(tk_trust_add_directory(store, nowhere, &fault), &fault);
    tk_directory_free(nowhere);
    tk_trust_free(store);
}

/* ---- certificates ---- */

static int fields_with(const tk_records *r, uint32_t tag, const char *text)
{
    size_t at = 0, found = 0;
    uint32_t head[2];

    while (at < r->size) {
        memcpy(head, r->data + at, sizeof head);
        at += sizeof head;
        if (head[0] == tag &&
            (text == NULL || (head[1] == strlen(text) && !memcmp(r->data + at, text, head[1]))))
            found++;
        at += head[1];
    }
    return (int)found;
}

/* The public key of an authority that was lost: "EM OV TLS CA - G3C" of eMudhra. */
static void trust_ends_at_a_distrusted_key(void)
{
    static const unsigned char lost[] =
        "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62"
        "\x00\x04\x13\x82\x51\xcd\x52\xac"
        "\x92\x98\xc1\xc8\xaa\xd9\x77\x32\x1d\xeb\x97\xe7\x09\xbd\x0b\x4c\xa0\xac\xa5\x5d\xc8\xad"
        "\x51\xdc\xfc\x9d\x15\x89\xa1\x59"
        "\x7e\x3a\x51\x20\xe1\xef\xd6\x31\xc6\x3e\x18\x35\xca\xca\xe2\x98\x69\xa6\x2e\x16\x31\xe8"
        "\xa2\x81\x81\xab\x56\x61\x6d\xc4"
        "\x5d\x91\x8a\xbc\x09\xf3\xab\x0e\x63\xcf\x79\x2a\xa4\xdc\xed\x73\x87\xbe\x37\xbb\xa5\x69"
        "\x54\x9f\x1c\x02\xb2\x70\xed\x67";
    const unsigned char *p = lost;
    EVP_PKEY *keys[] = { EVP_EC_gen("P-384"), d2i_PUBKEY(NULL, &p, sizeof lost - 1) };
    int i;

    for (i = 0; i < 2; i++) {
        X509 *leaf = X509_dup(server_identity.x509);
        X509_STORE *store = X509_STORE_new();
        X509_STORE_CTX *v = X509_STORE_CTX_new();

        CHECK(keys[i] != NULL && X509_set_pubkey(leaf, keys[i]) &&
              X509_sign(leaf, root.key, EVP_sha256()));
        CHECK(X509_STORE_add_cert(store, root.x509) && X509_STORE_CTX_init(v, store, leaf, NULL));
        X509_STORE_CTX_set_verify_cb(v, tk_distrust);
        CHECK_EQUAL(X509_verify_cert(v), i == 0);
        CHECK_EQUAL(X509_STORE_CTX_get_error(v), i == 0 ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
        X509_STORE_CTX_free(v);
        X509_STORE_free(store);
        X509_free(leaf);
        EVP_PKEY_free(keys[i]);
    }
}

static void certificate_shows_every_field(void)
{
    tk_records r = { 0 };
    tk_fault fault;
    X509 *x = tk_x509_from_der(full.der, full.der_size, &fault);

    CHECK(x != NULL);
    CHECK_DONE(tk_x509_fields(x, &r, &fault), &fault);
    CHECK_EQUAL(fields_with(&r, TK_X509_VERSION, NULL), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_SERIAL, "05"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_SUBJECT_RDN, NULL), 2);
    CHECK_EQUAL(fields_with(&r, TK_X509_SUBJECT_VALUE, "full"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ISSUER_VALUE, "root"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_EMAIL, "a@example.org"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_DNS, "full.example"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_URI, "https://full.example/"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_IP, NULL), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_RID, "1.2.3.4.5"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_DIRNAME, NULL), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_VALUE, "full"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_ALT_OTHER, NULL), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_OCSP, "http://ocsp.example/"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_CA_ISSUERS, "http://ca.example/"), 1);
    CHECK_EQUAL(fields_with(&r, TK_X509_CRL_POINT, "http://crl.example/"), 1);
    CHECK_EQUAL(ERR_peek_error(), 0);
    tk_records_free(&r);
    tk_x509_free(x);
}

static void certificate_refuses_what_it_cannot_read(void)
{
    tk_fault fault;
    size_t size;
    X509 *x;

    for (size = 0; size < full.der_size; size += 7)
        CHECK(tk_x509_from_der(full.der, size, &fault) == NULL && (fault.count > 0 || size == 0));
    CHECK(tk_x509_from_pem(NOT_PEM, sizeof NOT_PEM - 1, &fault) == NULL &&
          has_error(&fault, "PEM", "NO_START_LINE"));
    CHECK(tk_x509_from_pem(GARBAGE, sizeof GARBAGE - 1, &fault) == NULL && fault.count > 0);
    CHECK((x = tk_x509_from_pem(root.pem, root.pem_size, &fault)) != NULL);
    tk_x509_free(x);
}

/* A byte changed here and there: whatever is still a certificate must be shown without harm. */
static void certificate_survives_damage(void)
{
    uint8_t *copy = malloc(full.der_size);
    size_t i;

    for (i = 0; i < full.der_size; i++) {
        tk_records r = { 0 };
        tk_fault fault;
        X509 *x;
        memcpy(copy, full.der, full.der_size);
        copy[i] ^= (uint8_t)(1 + i % 255);
        if ((x = tk_x509_from_der(copy, full.der_size, &fault)) != NULL)
            tk_x509_fields(x, &r, &fault);
        tk_records_free(&r);
        tk_x509_free(x);
    }
    free(copy);
}

/* ---- credentials ---- */

static int use(tk_ctx *c, const char *chain, const char *key, const char *password, tk_fault *fault)
{
    return use_chain(c, chain, strlen(chain), key, strlen(key), password, fault);
}

static void credentials_load_whole_or_not_at_all(void)
{
    tk_fault fault;
    tk_ctx *c = tk_ctx_new(TK_ROLE_SERVER, &fault);
    char *chain = malloc(server_identity.pem_size + root.pem_size + sizeof GARBAGE + 1);
    char *password = malloc(4097);

    memset(password, 'p', 4096);
    password[4096] = '\0';
    sprintf(chain, "%s%s", server_identity.pem, root.pem);
    CHECK_DONE(use(c, chain, server_identity.key_pem, NULL, &fault), &fault);
    CHECK_DONE(use(c, chain, server_identity.key_pem, "not needed", &fault), &fault);
    CHECK_DONE(use(c, chain, encrypted_key_pem, "secret", &fault), &fault);

    CHECK_EQUAL(use(c, client_identity.pem, server_identity.key_pem, NULL, &fault), TK_SSL);
    CHECK(has_error(&fault, "X509", "KEY_VALUES_MISMATCH"));
    CHECK_EQUAL(use(c, chain, encrypted_key_pem, NULL, &fault), TK_PASSWORD);
    CHECK_EQUAL(use(c, chain, encrypted_key_pem, "wrong", &fault), TK_PASSWORD_WRONG);
    CHECK_EQUAL(use(c, chain, encrypted_key_pem, password, &fault), TK_PASSWORD_LONG);
    CHECK_EQUAL(use(c, NOT_PEM, server_identity.key_pem, NULL, &fault), TK_SSL);
    CHECK_EQUAL(use(c, "", "", NULL, &fault), TK_SSL);
    CHECK_EQUAL(use(c, chain, NOT_PEM, NULL, &fault), TK_SSL);
    CHECK_EQUAL(use(c, chain, server_identity.pem, NULL, &fault), TK_SSL);
    sprintf(chain, "%s%s", server_identity.pem, GARBAGE);
    CHECK_EQUAL(use(c, chain, server_identity.key_pem, NULL, &fault), TK_SSL);
    CHECK_EQUAL(ERR_peek_error(), 0);

    /* the first one is still in force */
    CHECK(X509_cmp(SSL_CTX_get0_certificate(c->ctx), server_identity.x509) == 0);
    tk_ctx_free(c);
    free(chain);
    free(password);
}

/* ---- contexts ---- */

static void context_takes_a_setting_or_keeps_the_old_one(void)
{
    tk_fault fault;
    tk_ctx *c = tk_ctx_new(TK_ROLE_ANY, &fault);
    tk_records before = { 0 }, after = { 0 };

    CHECK_DONE(tk_ctx_set_ciphers(c, "ECDHE+AESGCM", &fault), &fault);
    tk_ctx_ciphers(c, &before);
    CHECK_EQUAL(tk_ctx_set_ciphers(c, "NOTHING-OF-THAT-NAME", &fault), TK_SSL);
    CHECK(has_error(&fault, "SSL", "NO_CIPHER_MATCH"));
    tk_ctx_ciphers(c, &after);
    CHECK(before.size == after.size && !memcmp(before.data, after.data, after.size));
    tk_records_free(&before);
    tk_records_free(&after);
    CHECK_DONE(tk_ctx_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256", &fault), &fault);
    CHECK_EQUAL(tk_ctx_set_ciphersuites(c, "TLS_NOT_A_SUITE", &fault), TK_SSL);
    CHECK_DONE(tk_ctx_set_groups(c, "X25519:P-256", &fault), &fault);
    CHECK_EQUAL(tk_ctx_set_groups(c, "no-such-group", &fault), TK_SSL);
    CHECK_DONE(tk_ctx_set_versions(c, ONLY_12, 0, &fault), &fault);
    CHECK_EQUAL(tk_ctx_set_versions(c, ONLY_13, 0x999, &fault), TK_SSL);
    CHECK_EQUAL(tk_ctx_min_version(c), ONLY_12);
    CHECK_DONE(tk_ctx_set_alpn(c, "\2h2\10http/1.1", 12), NULL);
    CHECK_DONE(tk_ctx_set_alpn(c, "", 0), NULL);
    tk_ctx_free(c);
    tk_ctx_free(NULL);
}

static void context_takes_parameters(void)
{
    tk_fault fault;
    tk_ctx *c = tk_ctx_new(TK_ROLE_SERVER, &fault);
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    char group[] = "ffdhe2048";
    OSSL_PARAM wanted[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                            OSSL_PARAM_construct_end() };
    EVP_PKEY *parameters = NULL;
    BIO *b = BIO_new(BIO_s_mem());
    char *pem;
    long size;

    CHECK(EVP_PKEY_paramgen_init(maker) > 0 && EVP_PKEY_CTX_set_params(maker, wanted) &&
          EVP_PKEY_paramgen(maker, &parameters) > 0);
    CHECK(PEM_write_bio_Parameters(b, parameters));
    size = BIO_get_mem_data(b, &pem);
    CHECK_DONE(tk_ctx_set_dh(c, pem, (size_t)size, 0, &fault), &fault);
    CHECK_EQUAL(tk_ctx_set_dh(c, NOT_PEM, sizeof NOT_PEM - 1, 0, &fault), TK_SSL);
    CHECK(has_error(&fault, "PEM", "NO_START_LINE"));
    CHECK_EQUAL(tk_ctx_set_dh(c, pem, (size_t)size / 2, 0, &fault), TK_SSL);
    CHECK_EQUAL(tk_ctx_set_dh(c, server_identity.pem, server_identity.pem_size, 0, &fault), TK_SSL);
    EVP_PKEY_free(parameters);
    EVP_PKEY_CTX_free(maker);
    BIO_free(b);
    tk_ctx_free(c);
}

static void context_remembers_numbers(void)
{
    tk_fault fault;
    tk_ctx *c = tk_ctx_new(TK_ROLE_SERVER, &fault);
    tk_policy policy;
    tk_session_stats stats;

    tk_ctx_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    CHECK_EQUAL(tk_ctx_options(c), SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    tk_ctx_set_options(c, 0);
    CHECK_EQUAL(tk_ctx_options(c), 0);
    CHECK_DONE(tk_ctx_set_verify_flags(c, X509_V_FLAG_PARTIAL_CHAIN, &fault), &fault);
    tk_ctx_set_verify_mode(c, SSL_VERIFY_PEER);
    tk_ctx_set_verify_depth(c, 3);
    tk_ctx_set_security_level(c, 2);
    tk_ctx_policy(c, &policy);
    CHECK(policy.verify_mode == SSL_VERIFY_PEER && policy.verify_depth == 3 &&
          policy.security_level == 2);
    CHECK_EQUAL(policy.verify_flags, tk_ctx_verify_flags(c));
    tk_ctx_set_cache_size(c, 5);
    tk_ctx_set_session_timeout(c, 77);
    CHECK(tk_ctx_cache_size(c) == 5 && tk_ctx_session_timeout(c) == 77);
    CHECK_EQUAL(tk_ctx_set_id_context(c, root.pem, 33, 0), TK_SSL);
    CHECK(tk_ctx_set_num_tickets(c, 4) && tk_ctx_num_tickets(c) == 4);
    tk_ctx_session_stats(c, &stats);
    CHECK(stats.number == 0 && stats.hits == 0);
    tk_ctx_flush_sessions(c, 0);
    tk_ctx_free(c);
}

static void context_logs_keys(void)
{
    char path[] = "/tmp/tk_test.XXXXXX";
    int fd = mkstemp(path);
    contexts c = contexts_new(ONLY_13);
    tk_keylog *file;
    tk_fault fault;
    pair p;
    FILE *f;
    char line[256];
    int lines = 0;

    CHECK(fd >= 0);
    CHECK(tk_keylog_new("/nowhere/at/all", &fault) == NULL);
    CHECK((file = tk_keylog_new(path, &fault)) != NULL);
    tk_ctx_set_keylog(c.client, file);
    tk_keylog_free(file);
    p = pair_in_memory(&c, NULL, NULL);
    pair_shake(&p);
    tk_ctx_set_keylog(c.client, NULL);
    f = fdopen(fd, "r");
    while (fgets(line, sizeof line, f) != NULL)
        lines++;
    CHECK(lines >= 5);
    fclose(f);
    unlink(path);
    pair_free(&p);
    contexts_free(&c);
}

/* ---- sessions ---- */

static void session_goes_through_der(int version)
{
    contexts c = contexts_new(version);
    pair p;
    tk_fault fault;
    tk_records r = { 0 }, again = { 0 };
    tk_session_facts facts;
    SSL_SESSION *session, *copy, *older;
    X509 *x;

    servername_answer = TK_ACKNOWLEDGED; /* acknowledge the name: the session has it then */
    tk_ctx_set_hooks(c.server, TK_HOOK_SERVERNAME);
    p = pair_in_memory(&c, NULL, "localhost");
    pair_shake(&p);
    CHECK((session = newest_session(&p)) != NULL);
    CHECK(tk_session_der(session, &r));
    CHECK((copy = tk_session_from_der(r.data + 8, r.size - 8, &fault)) != NULL);
    CHECK(tk_session_der(copy, &again) && again.size == r.size &&
          !memcmp(again.data, r.data, r.size));
    tk_session_facts_of(copy, &facts);
    CHECK(facts.version == version && facts.has_ticket && facts.ticket_size > 0 &&
          facts.id_size > 0);
    CHECK(facts.peer_not_after > 0 && facts.cipher != NULL && facts.hostname != NULL &&
          !strcmp(facts.hostname, "localhost"));
    CHECK((x = tk_session_peer(copy)) != NULL && X509_cmp(x, server_identity.x509) == 0);
    tk_x509_free(x);
    CHECK((older = tk_session_with_times(copy, 1000, 50, &fault)) != NULL);
    tk_session_facts_of(older, &facts);
    CHECK(facts.time == 1000 && facts.timeout == 50);

    CHECK(tk_session_from_der(r.data + 8, r.size - 9, &fault) == NULL && fault.count > 0);
    CHECK(tk_session_from_der(r.data + 8, 0, &fault) == NULL);
    tk_records_add(&r, 0, "x", 1);
    CHECK(tk_session_from_der(r.data + 8, r.size - 8, &fault) == NULL &&
          has_error(&fault, "SSL", "BAD_LENGTH"));
    tk_session_free(session);
    tk_session_free(copy);
    tk_session_free(older);
    tk_session_free(NULL);
    tk_records_free(&r);
    tk_records_free(&again);
    pair_free(&p);
    contexts_free(&c);
}

static void session_without_anything_in_it(void)
{
    SSL_SESSION *empty = SSL_SESSION_new();
    tk_session_facts facts;
    tk_records r = { 0 };

    tk_session_facts_of(empty, &facts);
    CHECK(facts.id_size == 0 && facts.ticket_size == 0 && facts.cipher == NULL &&
          facts.peer_not_after == -1);
    CHECK(!tk_session_der(empty, &r) && tk_session_peer(empty) == NULL);
    ERR_clear_error();
    tk_session_free(empty);
}

void test_objects(void)
{
    trust_loads_pem();
    bundles_are_like_stores();
    bundles_are_certificates_alone();
    trust_refuses_what_it_cannot_read();
    trust_ends_at_a_distrusted_key();
    certificate_shows_every_field();
    certificate_refuses_what_it_cannot_read();
    certificate_survives_damage();
    credentials_load_whole_or_not_at_all();
    context_takes_a_setting_or_keeps_the_old_one();
    context_takes_parameters();
    context_remembers_numbers();
    context_logs_keys();
    session_goes_through_der(ONLY_12);
    session_goes_through_der(ONLY_13);
    session_without_anything_in_it();
}

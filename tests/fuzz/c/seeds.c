/* The first corpus: what the library itself sends and writes. */
#include <openssl/ocsp.h>

#include "fuzz.h"
#include "tk_origin.h"
#include "tk_response.h"

static void seed(const char *target, const char *name, int how, const void *data, size_t size)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s/%s", getenv("FUZZ_SEEDS"), target, name);
    CHECK((file = fopen(path, "wb")) != NULL);
    if (how >= 0)
        fputc(how, file);
    CHECK(fwrite(data, 1, size, file) == size);
    fclose(file);
}

static void seed_flights(contexts *c, SSL_SESSION *s, const char *name, int how)
{
    pair p = pair_in_memory(c, s, "localhost");
    tk_fault fault;
    int64_t n;

    do_handshake(p.client, 0, &fault);
    n = tk_mem_read(p.to_server, into, ROOM);
    seed("hello", name, how, into, (size_t)n);
    tk_mem_write(p.to_server, into, (size_t)n);
    do_handshake(p.server, 0, &fault);
    n = tk_mem_read(p.to_client, into, ROOM);
    seed("reply", name, s != NULL, into, (size_t)n);
    pair_free(&p);
}

static void seed_session(SSL_SESSION *s, const char *name)
{
    tk_records r = { 0 };

    CHECK(tk_session_der(s, &r));
    seed("session", name, -1, r.data + 8, r.size - 8);
    tk_records_free(&r);
}

/* What the library itself puts into tickets: with the mark of a keyring before it, and without. */
static void seed_ticket_data(void)
{
    tk_fault fault;
    SSL_SESSION *s = tk_session_from_der(clients.data + 8, clients.size - 8, &fault);
    void *data = NULL;
    size_t size = 0, mark;

    CHECK(s != NULL && SSL_SESSION_get0_ticket_appdata(s, &data, &size));
    mark = tk_origin_size(s);
    CHECK(mark > 0 && size > mark);
    seed("ticket_data", "marked", -1, data, size);
    seed("ticket_data", "plain", -1, (uint8_t *)data + mark, size - mark);
    tk_session_free(s);
}

static void seed_sealed(void)
{
    tk_fault fault;

    CHECK_DONE(tk_seal_close(seal_of_tests, "about", 5, "plain", 5, into + 5, &fault), &fault);
    memcpy(into, "about", 5);
    seed("sealed", "one", 5, into, 5 + 5 + TK_SEAL_OVERHEAD);
}

static void seed_key_files(void)
{
    seed("key_files", "chain", 2, server_identity.pem, server_identity.pem_size);
    seed("key_files", "der", 3, server_identity.der, server_identity.der_size);
    seed("key_files", "key", 0, server_identity.key_pem, server_identity.key_pem_size);
    seed("key_files", "encrypted", 0, encrypted_key_pem, strlen(encrypted_key_pem));
    seed("key_files", "crl", 2, crl_pem, strlen(crl_pem));
}

static void seed_response(void)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), server_identity.x509, root.x509);
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *later = X509_gmtime_adj(NULL, 86400);
    OCSP_RESPONSE *made;
    uint8_t *der = NULL;
    int64_t until;
    int size;

    CHECK(basic != NULL && id != NULL && now != NULL && later != NULL);
    CHECK(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, later) != NULL);
    CHECK(OCSP_basic_sign(basic, root.x509, root.key, EVP_sha256(), NULL, 0));
    CHECK((made = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)) != NULL);
    CHECK((size = i2d_OCSP_RESPONSE(made, &der)) > 0);
    CHECK_EQUAL(tk_response_judge(der, (size_t)size, server_identity.x509, root.x509, &until),
                TK_STAPLE_GOOD);
    seed("response", "good", -1, der, (size_t)size);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(made);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(now);
    ASN1_TIME_free(later);
}

void seeds(void)
{
    static const uint8_t acts[] = { 0, 9, 2, 4, 0, 200, 2, 255, 7, 9, 4, 3, 2, 50, 5, 0, 2, 9 };

    seed_flights(&with_ring, NULL, "full", 0);
    seed_flights(&with_ring, ticket, "ticket", 2);
    seed_flights(&with_store, stateful, "stateful", 9);
    seed_flights(&with_eyes, NULL, "shown", 16);
    seed_session(ticket, "ticket");
    seed_session(stateful, "stateful");
    seed("certificate", "full", -1, full.der, full.der_size);
    seed("certificate", "pem", -1, full.pem, full.pem_size);
    seed("transport", "acts", -1, acts, sizeof acts);
    seed_ticket_data();
    seed_sealed();
    seed_key_files();
    seed_response();
}

/* Chains whose signatures are known to be valid. */
#include "tk_chains.h"
#include "tk_test.h"

enum { DAY = 86400 };

static tk_chains *chains;
static int known; /* whether the chain was known when the last one came to its signatures */

static int look(X509_STORE_CTX *v)
{
    known = tk_chains_know(&chains, v);
    return 1;
}

static int keep(X509_STORE_CTX *v)
{
    tk_chains_keep(&chains, v);
    return 1;
}

static void build(const unsigned char *der, size_t size, unsigned long flags, time_t at,
                  X509_STORE_CTX_verify_fn check)
{
    X509 *leaf = d2i_X509(NULL, &der, (long)size);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *v = X509_STORE_CTX_new();

    CHECK(leaf != NULL && X509_STORE_add_cert(store, root.x509));
    CHECK(X509_STORE_CTX_init(v, store, leaf, NULL));
    X509_STORE_CTX_set_flags(v, flags);
    if (at != 0)
        X509_STORE_CTX_set_time(v, 0, at);
    X509_STORE_CTX_set_verify(v, check);
    CHECK_EQUAL(X509_verify_cert(v), 1);
    X509_STORE_CTX_free(v);
    X509_STORE_free(store);
    X509_free(leaf);
}

static int knows(const identity *i, unsigned long flags, time_t at)
{
    build(i->der, i->der_size, flags, at, look);
    return known;
}

static void remember(const identity *i, time_t at) { build(i->der, i->der_size, 0, at, keep); }

static void forget(void)
{
    tk_chains_free(chains);
    chains = NULL;
}

static void a_chain_is_known_once_it_was_kept(void)
{
    CHECK(!knows(&server_identity, 0, 0));
    remember(&server_identity, 0);
    CHECK(knows(&server_identity, 0, 0));
    CHECK(!knows(&client_identity, 0, 0));
    remember(&client_identity, 0);
    CHECK(knows(&client_identity, 0, 0) && knows(&server_identity, 0, 0));
    CHECK(!knows(&server_identity, X509_V_FLAG_PARTIAL_CHAIN, 0));
    forget();
    CHECK(!knows(&server_identity, 0, 0));
}

static void a_chain_with_one_other_byte_is_another(void)
{
    unsigned char *der = malloc(server_identity.der_size);

    remember(&server_identity, 0);
    memcpy(der, server_identity.der, server_identity.der_size);
    der[server_identity.der_size - 1] ^= 1; /* in the signature */
    build(der, server_identity.der_size, 0, 0, look);
    CHECK(!known);
    free(der);
    forget();
}

static void a_chain_is_known_while_it_is_valid(void)
{
    time_t now = time(NULL);

    remember(&server_identity, now);
    CHECK(knows(&server_identity, 0, now) && knows(&server_identity, 0, now + DAY / 2));
    CHECK(!knows(&server_identity, 0, now + DAY + 60) && !knows(&server_identity, 0, now - DAY));
    CHECK(!knows(&server_identity, X509_V_FLAG_NO_CHECK_TIME, now));
    forget();
}

static X509 *renewed(int serial)
{
    X509 *x = X509_dup(server_identity.x509);

    CHECK(x != NULL && ASN1_INTEGER_set(X509_get_serialNumber(x), serial) &&
          X509_sign(x, root.key, EVP_sha256()));
    return x;
}

static void the_oldest_makes_room(void)
{
    int i, n = 0;

    remember(&server_identity, 0);
    remember(&server_identity, 0); /* is there already */
    for (i = 1; i <= TK_CHAINS_MOST; i++) {
        X509 *x = renewed(100 + i);
        identity other = { 0 };
        other.der_size = (size_t)i2d_X509(x, &other.der);
        remember(&other, 0);
        n += knows(&other, 0, 0);
        CHECK_EQUAL(knows(&server_identity, 0, 0), i < TK_CHAINS_MOST);
        OPENSSL_free(other.der);
        X509_free(x);
    }
    CHECK_EQUAL(n, TK_CHAINS_MOST);
    forget();
}

void test_chains(void)
{
    a_chain_is_known_once_it_was_kept();
    a_chain_with_one_other_byte_is_another();
    a_chain_is_known_while_it_is_valid();
    the_oldest_makes_room();
}

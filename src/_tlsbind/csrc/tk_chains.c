/* Chains whose signatures are known to be valid.

   Verifying a signature again, of the same bytes by the same key, gives the same answer, and takes
   longer than all other checks of a certificate together. So each state of a context keeps the last
   chains that passed, and when a peer shows one of them again, their signatures are not verified
   again. Everything else is: libcrypto builds the chain and checks trust, purposes, key sizes,
   constraints, names, policies and revocation, the dates are compared here, and the peer proves by
   a new signature that it has the key.

   Two chains are the same if all their certificates are, byte for byte, and the flags of the
   verification too. A state is immutable: with other trust or other settings, its context has
   another state, which knows no chains yet. */
#include "tk_chains.h"
#include "tk_x509.h"

typedef struct {
    STACK_OF(X509) *chain; /* NULL: free */
    unsigned long flags;
    int64_t from, until;   /* when all its certificates are valid, in seconds since 1970 */
} known;

struct tk_chains {
    uint32_t kept; /* how many were kept so far: each takes the place of the oldest */
    known rows[TK_CHAINS_MOST];
};

static tk_mutex mutex; /* of all states; held while one's chains are compared */

int tk_chains_init(void)
{
    tk_mutex_init(&mutex);
    return 1;
}

void tk_chains_free(tk_chains *k)
{
    int i;

    for (i = 0; k != NULL && i < TK_CHAINS_MOST; i++)
        sk_X509_pop_free(k->rows[i].chain, X509_free);
    free(k);
}

static unsigned long flags_of(X509_STORE_CTX *v)
{
    return X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(v));
}

/* ---- dates ---- */

static void narrow(known *row, const X509 *x)
{
    int64_t from = tk_x509_seconds(X509_get0_notBefore(x));
    int64_t until = tk_x509_seconds(X509_get0_notAfter(x));

    if (from > row->from)
        row->from = from;
    if (until < row->until)
        row->until = until;
}

/* In doubt it is not, and libcrypto decides. */
static int is_current(const known *row, X509_STORE_CTX *v)
{
    int64_t now;

    if (row->flags & X509_V_FLAG_NO_CHECK_TIME)
        return 1;
    now = row->flags & X509_V_FLAG_USE_CHECK_TIME
              ? (int64_t)X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(v))
              : (int64_t)time(NULL);
    return row->from < now && now < row->until;
}

/* ---- chains ---- */

static int is_same(STACK_OF(X509) *a, STACK_OF(X509) *b)
{
    int i, n = sk_X509_num(a);

    if (sk_X509_num(b) != n)
        return 0;
    for (i = 0; i < n; i++)
        if (X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i)) != 0)
            return 0;
    return 1;
}

static known *find(tk_chains *k, STACK_OF(X509) *chain, unsigned long flags)
{
    int i;

    for (i = 0; k != NULL && i < TK_CHAINS_MOST; i++)
        if (k->rows[i].chain != NULL && k->rows[i].flags == flags &&
            is_same(k->rows[i].chain, chain))
            return &k->rows[i];
    return NULL;
}

int tk_chains_know(tk_chains **k, X509_STORE_CTX *v)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(v);
    const known *row;
    int current;

    if (sk_X509_num(chain) <= 0)
        return 0;
    tk_lock(&mutex);
    row = find(*k, chain, flags_of(v));
    current = row != NULL && is_current(row, v);
    tk_unlock(&mutex);
    return current;
}

void tk_chains_keep(tk_chains **k, X509_STORE_CTX *v)
{
    known row = { .flags = flags_of(v), .from = 0, .until = INT64_MAX }, *place;
    int i;

    if ((row.chain = X509_STORE_CTX_get1_chain(v)) == NULL)
        return;
    for (i = 0; i < sk_X509_num(row.chain); i++)
        narrow(&row, sk_X509_value(row.chain, i));
    tk_lock(&mutex);
    if ((*k != NULL || (*k = calloc(1, sizeof **k)) != NULL) &&
        find(*k, row.chain, row.flags) == NULL) {
        STACK_OF(X509) *before;
        place = &(*k)->rows[(*k)->kept++ % TK_CHAINS_MOST];
        before = place->chain;
        *place = row;
        row.chain = before;
    }
    tk_unlock(&mutex);
    sk_X509_pop_free(row.chain, X509_free);
}

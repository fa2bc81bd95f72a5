/* The library as a whole: objects that are created once, its version, its constants. */
#include "tk_cache.h"
#include "tk_chains.h"
#include "tk_directory.h"
#include "tk_fork.h"
#include "tk_hash.h"
#include "tk_owner.h"
#include "tk_records.h"
#include "tk_ring.h"
#include "tk_tally.h"
#include "tk_stage.h"
#include "tk_tables.h"
#include "tk_transport.h"

int tk_init(void)
{
    static int done;

    if (done)
        return 1;
    tk_ring_init();
    if (OPENSSL_init_ssl(0, NULL) != 1 || !tk_transport_init() || !tk_stage_init() ||
        !tk_info_init() || !tk_by_dir_init() || !tk_cache_init() || !tk_tally_init() ||
        !tk_chains_init() ||
        !tk_at_fork(tk_ring_lock, tk_ring_unlock, tk_ring_unlock) ||
        !tk_at_fork(tk_cache_lock, tk_cache_unlock, tk_cache_unlock) || !tk_fork_init())
        return 0;
    tk_hash_init();
    done = tk_owner_init();
    return done;
}

unsigned long tk_version_number(void) { return OpenSSL_version_num(); }
const char *tk_version_text(void) { return OpenSSL_version(OPENSSL_VERSION); }
const char *tk_verify_text(int32_t code) { return X509_verify_cert_error_string(code); }

void tk_constants(tk_records *out)
{
    const tk_constant *c;

    for (c = tk_constant_table; c->name != NULL; c++) {
        tk_records_text(out, 0, c->name);
        tk_records_add(out, 1, &c->value, sizeof c->value);
    }
}

void tk_features(tk_records *out)
{
    const tk_feature *f;

    for (f = tk_feature_table; f->name != NULL; f++) {
        tk_records_text(out, 0, f->name);
        tk_records_add(out, 1, &f->there, sizeof f->there);
        tk_records_text(out, 2, f->since);
    }
}

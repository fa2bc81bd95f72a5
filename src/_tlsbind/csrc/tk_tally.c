/* How often each group and each signature algorithm was negotiated, over all states of a context.
   Both sides count the server's signature. Rows without room are counted as "other": the peer
   chooses, within what this side offers. */
#include "tk_tally.h"
#include "tk_cache.h"
#include "tk_records.h"
#include "tk_signature.h"

static tk_mutex mutex; /* of all rows; held for a look through one context's */

int tk_tally_init(void)
{
    tk_mutex_init(&mutex);
    return 1;
}

static void count(tk_cache *k, int kind, const char *name)
{
    tk_tally *row = k->seen;
    size_t i;

    for (i = 0; i < TK_TALLY_MOST - 1 && row->count > 0; i++, row++)
        if (row->kind == kind && strcmp(row->name, name) == 0)
            break;
    if (row->count == 0 || i == TK_TALLY_MOST - 1) { /* a new one, or the last */
        row->kind = i == TK_TALLY_MOST - 1 ? TK_SEEN_OTHER : kind;
        OPENSSL_strlcpy(row->name, row->kind == TK_SEEN_OTHER ? "other" : name, sizeof row->name);
    }
    row->count++;
}

void tk_tally_count(tk_conn *c)
{
    SSL *ssl = c->ssl;
    int group = SSL_get_session(ssl) != NULL ? (int)SSL_get_negotiated_group(ssl) : 0;
    const char *signature, *name;

    /* a resumption up to TLS 1.2 has no key exchange: the session's group is not one more */
    if (group == 0 || (SSL_session_reused(ssl) && SSL_version(ssl) < TLS1_3_VERSION))
        name = NULL;
    else
        name = SSL_group_to_name(ssl, group);
    signature = SSL_session_reused(ssl) ? NULL : tk_signature_name(ssl, !SSL_is_server(ssl));
    if (name == NULL && signature == NULL)
        return;
    tk_lock(&mutex);
    if (name != NULL)
        count(c->cache, TK_SEEN_GROUP, name);
    if (signature != NULL)
        count(c->cache, TK_SEEN_SIGNATURE, signature);
    tk_unlock(&mutex);
}

void tk_ctx_seen(tk_ctx *c, tk_records *out)
{
    int i;

    tk_lock(&mutex);
    for (i = 0; i < TK_TALLY_MOST && c->cache->seen[i].count > 0; i++) {
        const tk_tally *row = &c->cache->seen[i];
        tk_records_text(out, (uint32_t)row->kind, row->name);
        tk_records_add(out, TK_SEEN_COUNT, &row->count, sizeof row->count);
    }
    tk_unlock(&mutex);
}

/* Groups and signature algorithms: which ones exist, are allowed, and were negotiated. */
#include "tk_fault.h"
#include "tk_lock.h"
#include "tk_records.h"
#include "tk_signature.h"

void tk_signature_algorithms(tk_records *out)
{
    char *list = SSL_get1_builtin_sigalgs(NULL), *name = list, *end;

    while (name != NULL && *name != '\0') { /* names with a colon between them */
        size_t size = (end = strchr(name, ':')) != NULL ? (size_t)(end - name) : strlen(name);
        tk_records_add(out, 0, name, size);
        name = end != NULL ? end + 1 : NULL;
    }
    OPENSSL_free(list);
}

void tk_ctx_groups(tk_ctx *c, int aliases, tk_records *out)
{
    STACK_OF(OPENSSL_CSTRING) *names = sk_OPENSSL_CSTRING_new_null();
    int i;

    if (names == NULL || !SSL_CTX_get0_implemented_groups(c->ctx, aliases, names))
        out->failed = 1;
    for (i = 0; names != NULL && i < sk_OPENSSL_CSTRING_num(names); i++)
        tk_records_text(out, 0, sk_OPENSSL_CSTRING_value(names, i));
    sk_OPENSSL_CSTRING_free(names);
}

int tk_ctx_set_sigalgs(tk_ctx *c, int of_clients, const char *list, tk_fault *fault)
{
    tk_fault_begin();
    if (of_clients ? SSL_CTX_set1_client_sigalgs_list(c->ctx, list)
                   : SSL_CTX_set1_sigalgs_list(c->ctx, list))
        return TK_DONE;
    return tk_fail(fault);
}

const char *tk_conn_signature(tk_conn *c, int peer)
{
    const char *name;

    tk_conn_lock(c);
    name = tk_signature_name(c->ssl, peer);
    tk_conn_unlock(c);
    return name;
}

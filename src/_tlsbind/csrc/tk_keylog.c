/* A file to which the secrets of connections are appended, for debugging: opened once, and shared
   by all states of a context. */
#include "tk_keylog.h"
#include "tk_door.h"
#include "tk_fault.h"

struct tk_keylog {
    int32_t references;
    tk_mutex mutex;
    BIO *file;
};

tk_keylog *tk_keylog_new(const char *path, tk_fault *fault)
{
    tk_keylog *k = calloc(1, sizeof *k);

    tk_fault_begin();
    if (k == NULL || (k->file = BIO_new_file(path, "a")) == NULL) {
        tk_fail(fault);
        free(k);
        return NULL;
    }
    k->references = 1;
    tk_mutex_init(&k->mutex);
    return k;
}

tk_keylog *tk_keylog_up_ref(tk_keylog *k)
{
    if (k != NULL)
        tk_atomic_add(&k->references, 1);
    return k;
}

void tk_keylog_free(tk_keylog *k)
{
    if (k == NULL || tk_atomic_add(&k->references, -1) > 0)
        return;
    BIO_free(k->file);
    tk_mutex_destroy(&k->mutex);
    free(k);
}

static void show(const SSL *ssl, const char *line)
{
    tk_conn *c = tk_conn_of(ssl);
    int error;

    if (c == NULL || c->handle == NULL)
        return;
    error = tk_door_open(c, TK_DOOR_KEYLOG);
    if (tk_py_keylog(c->handle, line) != 0)
        c->interrupted = 1;
    tk_door_close(c, error);
}

void tk_keylog_write(const SSL *ssl, const char *line)
{
    tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(ssl));
    tk_keylog *k = x != NULL ? x->keylog : NULL;

    if (x != NULL && x->hooks & TK_HOOK_KEYLOG)
        show(ssl, line);

    if (k == NULL)
        return;
    tk_lock(&k->mutex); /* whole lines, whatever the threads do */
    BIO_puts(k->file, line); /* BIO_printf would leave the secret on the stack */
    BIO_puts(k->file, "\n");
    (void)BIO_flush(k->file);
    tk_unlock(&k->mutex);
}

/* Hashed directories (openssl-rehash(1)), which a context trusts by `capath`.

   libssl searches such a directory in the middle of a handshake, and keeps what it finds as long as
   the trust store exists. So nobody can predict what a handshake will trust, or find out later what
   it has trusted; but a session may only be resumed where its own handshake would have been
   accepted.

   Therefore a directory is read completely, once, and a digest represents its content. Handshakes
   search in memory, and certificates are parsed when they are needed. A directory does not change
   after it was read: one that has changed on disk is another directory, and a trust store with it
   is another store. Changes are checked before each connection (tk_directory_doubtful), at the cost
   of one stat of the directory; its files are checked once a second.

   Files that are too large to keep in memory are left to libssl, and the digest is then a random
   number, so that sessions made with any other copy are not resumed. */
#include <openssl/rand.h>

#include "tk_directory.h"
#include "tk_fault.h"

enum {
    MOST_BYTES = 64 * 1024 * 1024,
    MOST_FILES = 65536,
    LOOK_AGAIN_MS = 1000,
    YOUNG_S = 3 /* a file system's clock may tick no faster, and times may be cut to seconds */
};

/* ---- names: 8 hexadecimal digits, a dot, an r for a CRL, a number without leading zeros ---- */

static int hexadecimal(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int understand(const char *name, tk_directory_entry *e)
{
    int i, digit;

    for (i = 0, e->hash = 0; i < 8; i++) {
        if ((digit = hexadecimal(name[i])) < 0)
            return 0;
        e->hash = e->hash << 4 | (uint32_t)digit;
    }
    if (name[8] != '.')
        return 0;
    e->crl = name[9] == 'r';
    name += e->crl ? 10 : 9;
    if (name[0] == '\0' || (name[0] == '0' && name[1] != '\0'))
        return 0;
    for (i = 0, e->suffix = 0; name[i] != '\0'; i++) {
        if (name[i] < '0' || name[i] > '9' || i >= 9)
            return 0;
        e->suffix = 10 * e->suffix + (uint32_t)(name[i] - '0');
    }
    return 1;
}

int tk_directory_compare(const void *a, const void *b)
{
    const tk_directory_entry *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->crl != y->crl)
        return x->crl - y->crl;
    return x->suffix < y->suffix ? -1 : x->suffix > y->suffix;
}

/* ---- reading ---- */

static char *joined(const char *directory, const char *name)
{
    size_t n = strlen(directory), m = strlen(name);
    char *path = malloc(n + m + 2);

    if (path != NULL) {
        memcpy(path, directory, n);
        path[n] = '/';
        memcpy(path + n + 1, name, m + 1);
    }
    return path;
}

tk_directory_entry *tk_directory_new_entry(tk_directory *d)
{
    if (d->count == d->room) {
        size_t room = d->room ? 2 * d->room : 64;
        tk_directory_entry *entries = realloc(d->entries, room * sizeof *entries);
        if (entries == NULL)
            return NULL;
        d->entries = entries;
        d->room = room;
    }
    return memset(&d->entries[d->count], 0, sizeof *d->entries);
}

static int on_name(void *argument, const char *name)
{
    tk_directory *d = argument;
    tk_directory_entry read, *e;

    if (!understand(name, &read))
        return 1;
    if (d->count == MOST_FILES) {
        d->whole = 0;
        return 0;
    }
    if ((e = tk_directory_new_entry(d)) == NULL || (e->path = joined(d->path, name)) == NULL) {
        d->failed = 1;
        return 0;
    }
    e->hash = read.hash;
    e->suffix = read.suffix;
    e->crl = read.crl;
    d->count++;
    return 1;
}

static int is_young(const tk_file_state *s)
{
    int64_t last = s->modified > s->changed ? s->modified : s->changed;

    return last > s->now - (int64_t)YOUNG_S * 1000000000;
}

static void read_entries(tk_directory *d)
{
    size_t i;

    for (i = 0; i < d->count && d->whole; i++) {
        tk_directory_entry *e = &d->entries[i];
        tk_file_look(e->path, &e->state);
        d->young |= is_young(&e->state);
        if (tk_content_read(e->path, MOST_BYTES - d->bytes, 1, &e->content) == EFBIG)
            d->whole = 0;
        d->bytes += (int64_t)e->content.size;
    }
}

static int add_number(EVP_MD_CTX *m, uint64_t n) { return EVP_DigestUpdate(m, &n, sizeof n); }

static int take_digest(tk_directory *d)
{
    EVP_MD_CTX *m;
    size_t i;
    int ok;

    if (!d->whole)
        return RAND_bytes(d->digest, TK_DIRECTORY_DIGEST) == 1;
    m = EVP_MD_CTX_new();
    ok = m != NULL && EVP_DigestInit_ex(m, EVP_sha256(), NULL);
    for (i = 0; ok && i < d->count; i++) {
        tk_directory_entry *e = &d->entries[i];
        if (e->content.size == 0)
            continue; /* it cannot be read, or is empty: it adds no trust */
        ok = add_number(m, (uint64_t)e->hash << 32 | e->suffix) &&
             add_number(m, (uint64_t)e->content.size << 1 | (uint64_t)e->crl) &&
             EVP_DigestUpdate(m, e->content.data, e->content.size);
    }
    ok = ok && EVP_DigestFinal_ex(m, d->digest, NULL);
    EVP_MD_CTX_free(m);
    return ok;
}

tk_directory *tk_directory_read(const char *path, tk_fault *fault)
{
    tk_directory *d = calloc(1, sizeof *d);

    tk_fault_begin();
    if (d != NULL) {
        d->references = 1;
        d->whole = 1;
        if ((d->path = OPENSSL_strdup(path)) != NULL) {
            tk_file_look(path, &d->state);
            d->young = is_young(&d->state);
            tk_names_walk(path, on_name, d);
            if (d->count > 0)
                qsort(d->entries, d->count, sizeof *d->entries, tk_directory_compare);
            read_entries(d);
            d->looked_at = tk_clock_ms();
            if (!d->failed && take_digest(d))
                return d;
        }
    }
    tk_directory_free(d);
    tk_fail(fault);
    return NULL;
}

static void free_parsed(void *parsed) { sk_X509_INFO_pop_free(parsed, X509_INFO_free); }

void tk_directory_free(tk_directory *d)
{
    size_t i;

    if (d == NULL || tk_atomic_add(&d->references, -1) > 0)
        return;
    for (i = 0; i < d->count; i++) {
        free(d->entries[i].path);
        tk_content_clear(&d->entries[i].content);
        free_parsed(d->entries[i].parsed);
    }
    free(d->entries);
    OPENSSL_free(d->path);
    free(d);
}

void tk_directory_digest(tk_directory *d, void *into)
{
    memcpy(into, d->digest, TK_DIRECTORY_DIGEST);
}

/* ---- whether it has changed ---- */

static int differs(const tk_file_state *a, const tk_file_state *b)
{
    return a->kind != b->kind || a->device != b->device || a->inode != b->inode ||
           a->size != b->size || a->modified != b->modified || a->changed != b->changed;
}

static int has_changed(const char *path, const tk_file_state *before)
{
    tk_file_state now;

    tk_file_look(path, &now);
    return differs(&now, before);
}

int tk_directory_doubtful(tk_directory *d)
{
    int64_t now = tk_clock_ms();
    size_t i;

    if ((d->young && d->whole) || has_changed(d->path, &d->state))
        return 1;
    if (!d->whole)
        return 0;
    if (now - tk_atomic_load(&d->looked_at) < LOOK_AGAIN_MS)
        return 0;
    for (i = 0; i < d->count; i++)
        if (has_changed(d->entries[i].path, &d->entries[i].state))
            return 1;
    tk_atomic_store(&d->looked_at, now);
    return 0;
}

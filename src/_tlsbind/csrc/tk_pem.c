/* PEM (RFC 7468) that contains private keys. libcrypto's reader frees the blocks that it has
   decoded, and those that it only skips, without wiping them, so a key could be read from that
   memory later. Therefore a key's block never gets there. It is cut out of the text that
   certificates are read from, and decoded here when the key is read. Only an encrypted key goes to
   libcrypto's reader. */
#include "tk_pem.h"

typedef tk_pem_block block;

/* Step over a line, and give it without what libcrypto cuts off at its end: white space, and bytes
   that are negative where `char` has a sign. */
static size_t next_line(const char **at, const char *end, const char **line)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t size;

    *line = *at;
    *at = stop != NULL ? stop + 1 : end;
    size = (size_t)(*at - *line);
    while (size > 0 && (*line)[size - 1] <= ' ')
        size--;
    return size;
}

/* Whether a line is `before`, a label, and five dashes. */
static int labels(const char *line, size_t size, const char *before, block *b)
{
    size_t n = strlen(before);

    if (size < n + 5 || memcmp(line, before, n) != 0 || memcmp(line + size - 5, "-----", 5) != 0)
        return 0;
    b->label = line + n;
    b->label_size = size - n - 5;
    return 1;
}

static int is_key(const block *b)
{
    static const char ending[] = "PRIVATE KEY";
    size_t n = sizeof ending - 1;

    return b->label_size >= n && memcmp(b->label + b->label_size - n, ending, n) == 0;
}

/* Go on to the end of a block that has begun. */
static int ends(const char *at, const char *end, block *b)
{
    const char *line;
    block other;

    b->body = at;
    while (at < end) {
        size_t size = next_line(&at, end, &line);
        if (labels(line, size, "-----BEGIN ", &other))
            return 0;
        if (labels(line, size, "-----END ", &other)) {
            b->body_end = line;
            b->end = at;
            return other.label_size == b->label_size &&
                   memcmp(other.label, b->label, b->label_size) == 0;
        }
    }
    return 0;
}

/* The six bits of a digit; -1: of none. */
static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64, and white space anywhere: how many bytes it stands for; -1: it is something else. Without
   `out` they are only counted. */
static long decode(const char *from, const char *to, uint8_t *out)
{
    uint32_t bits = 0;
    long size = 0, digits = 0, padding = 0;

    for (; from < to; from++) {
        int d;
        if ((unsigned char)*from <= ' ')
            continue;
        if (*from == '=') {
            padding++;
            continue;
        }
        if (padding > 0 || (d = digit(*from)) < 0)
            return -1;
        bits = bits << 6 | (uint32_t)d;
        if (++digits % 4 == 1)
            continue;
        if (out != NULL)
            out[size] = (uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
        size++;
    }
    return (digits + padding) % 4 == 0 && padding <= 2 ? size : -1;
}

int tk_pem_next(const char **at, const char *end, tk_pem_block *b)
{
    while (*at < end) {
        size_t size = next_line(at, end, &b->begin);
        if (!labels(b->begin, size, "-----BEGIN ", b))
            continue;
        if (!ends(*at, end, b))
            return -1;
        *at = b->end;
        return 1;
    }
    return 0;
}

/* The next private key that can be read. What cannot, or is encrypted in the old way, with headers,
   is left to libcrypto. */
static int next_key(const char *at, const char *end, block *b)
{
    while (at < end) {
        size_t size = next_line(&at, end, &b->begin);
        if (labels(b->begin, size, "-----BEGIN ", b) && is_key(b) && ends(at, end, b) &&
            decode(b->body, b->body_end, NULL) > 0)
            return 1;
    }
    return 0;
}

static int append(BIO *b, const char *from, const char *to)
{
    return from == to || BIO_write(b, from, (int)(to - from)) == to - from;
}

BIO *tk_pem_without_keys(const void *pem, size_t size)
{
    const char *at = pem, *end = at + size;
    block key;
    BIO *b;
    int ok = 1;

    if (size > INT_MAX)
        return NULL;
    if (size == 0 || !next_key(at, end, &key))
        return BIO_new_mem_buf(pem, (int)size);
    if ((b = BIO_new(BIO_s_mem())) == NULL)
        return NULL;
    BIO_set_mem_eof_return(b, 0);
    do {
        ok = append(b, at, key.begin);
        at = key.end;
    } while (ok && next_key(at, end, &key));
    if (ok && append(b, at, end))
        return b;
    BIO_free(b);
    return NULL;
}

static int is_plain(const block *b)
{
    static const char *const known[] = { "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY" };
    size_t i;

    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (b->label_size == strlen(known[i]) && !memcmp(b->label, known[i], b->label_size))
            return 1;
    return 0;
}

EVP_PKEY *tk_pem_plain_key(const void *pem, size_t size)
{
    const char *at = pem;
    EVP_PKEY *key = NULL;
    const uint8_t *p;
    uint8_t *der;
    size_t room;
    long n;
    block b;

    if (size == 0 || size > INT_MAX || !next_key(at, at + size, &b) || !is_plain(&b))
        return NULL;
    room = (size_t)(b.body_end - b.body) + 1;
    if ((p = der = OPENSSL_malloc(room)) == NULL)
        return NULL;
    ERR_set_mark();
    if ((n = decode(b.body, b.body_end, der)) > 0)
        key = d2i_AutoPrivateKey(NULL, &p, n);
    ERR_pop_to_mark();
    OPENSSL_clear_free(der, room);
    return key;
}

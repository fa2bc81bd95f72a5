/* Bundles: files of many authorities in PEM, such as the system's, or certifi's.

   To parse all 140 certificates of one takes 18 ms with OpenSSL 3.0, nearly all of it for the
   public keys, and a handshake needs one or two of them. So a bundle is kept in DER, by the hash of
   the subject, as a directory that was read (tk_directory.c), and handshakes search in that.

   Nevertheless, all of a file is trusted or none of it. Each certificate is parsed here except for
   what is inside of its public key, which libcrypto would not report either: the templates below
   are those of RFC 5280, section 4.1. If anything else is in the file, or anything is wrong, the
   caller has libcrypto parse all of it, and report the error. */
#include <openssl/asn1t.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "tk_directory.h"
#include "tk_pem.h"

enum {
    FEW = 16, /* they are parsed in no time, and an absent name is found out sooner */
    LINE_MOST = 76
};

/* ---- what a certificate consists of ---- */

typedef struct {
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *bits;
} public_key;

typedef struct {
    ASN1_INTEGER *version, *serial;
    X509_ALGOR *signature;
    X509_NAME *issuer, *subject;
    X509_VAL *validity;
    public_key *key;
    ASN1_BIT_STRING *issuer_id, *subject_id;
    STACK_OF(X509_EXTENSION) *extensions;
} content;

typedef struct {
    content *about;
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *signature;
} certificate;

ASN1_SEQUENCE(public_key) = {
    ASN1_SIMPLE(public_key, algorithm, X509_ALGOR),
    ASN1_SIMPLE(public_key, bits, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(public_key)

ASN1_SEQUENCE(content) = {
    ASN1_EXP_OPT(content, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(content, serial, ASN1_INTEGER),
    ASN1_SIMPLE(content, signature, X509_ALGOR),
    ASN1_SIMPLE(content, issuer, X509_NAME),
    ASN1_SIMPLE(content, validity, X509_VAL),
    ASN1_SIMPLE(content, subject, X509_NAME),
    ASN1_SIMPLE(content, key, public_key),
    ASN1_IMP_OPT(content, issuer_id, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(content, subject_id, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(content, extensions, X509_EXTENSION, 3)
} static_ASN1_SEQUENCE_END(content)

ASN1_SEQUENCE(certificate) = {
    ASN1_SIMPLE(certificate, about, content),
    ASN1_SIMPLE(certificate, algorithm, X509_ALGOR),
    ASN1_SIMPLE(certificate, signature, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(certificate)

/* Whether it can be parsed, and the hash of its subject. */
static int look_into(const tk_content *der, uint32_t *hash)
{
    const unsigned char *p = der->data;
    const ASN1_ITEM *what = ASN1_ITEM_rptr(certificate);
    ASN1_VALUE *parsed = ASN1_item_d2i(NULL, &p, (long)der->size, what);
    int ok = parsed != NULL && p == der->data + der->size;

    if (ok)
        *hash = (uint32_t)X509_NAME_hash_ex(((certificate *)parsed)->about->subject, NULL, NULL,
                                            &ok);
    ASN1_item_free(parsed, what);
    return ok;
}

/* ---- PEM ---- */

/* Whether libcrypto reads the same from it: no headers, no empty lines, and no white space within a
   line. */
static int is_plain(const tk_pem_block *b)
{
    static const char label[] = "CERTIFICATE";
    const char *p, *line = b->body;

    if (b->label_size != sizeof label - 1 || memcmp(b->label, label, b->label_size) != 0)
        return 0;
    for (p = b->body; p < b->body_end; p++) {
        if (*p == '\n') {
            int empty = p == line || (*line == '\r' && p == line + 1);
            if (empty || p - line > LINE_MOST)
                return 0;
            line = p + 1;
        } else if ((unsigned char)*p <= ' ' && (*p != '\r' || p[1] != '\n')) {
            return 0; /* (a line follows: the body's last byte is not the text's) */
        }
    }
    return 1;
}

/* As libcrypto's reader of PEM does it. 0: it is not in base64. */
static size_t decode(EVP_ENCODE_CTX *decoder, const tk_pem_block *b, uint8_t *out)
{
    int size, rest, ok;

    EVP_DecodeInit(decoder);
    ok = EVP_DecodeUpdate(decoder, out, &size, (const unsigned char *)b->body,
                          (int)(b->body_end - b->body)) >= 0 &&
         EVP_DecodeFinal(decoder, out + size, &rest) >= 0;
    return ok ? (size_t)(size + rest) : 0;
}

static int add(tk_directory *d, EVP_ENCODE_CTX *decoder, const tk_pem_block *b)
{
    tk_directory_entry *e;

    if (!is_plain(b) || (e = tk_directory_new_entry(d)) == NULL ||
        (e->content.data = OPENSSL_malloc((size_t)(b->body_end - b->body) + 1)) == NULL)
        return 0;
    e->der = 1;
    e->suffix = (uint32_t)d->count++;
    return (e->content.size = decode(decoder, b, e->content.data)) > 0 &&
           look_into(&e->content, &e->hash);
}

/* The digest that tk_trust_digest would give to a store with these certificates. */
static int take_digest(tk_directory *d)
{
    uint8_t *keys = calloc(d->count, TK_TRUST_KEY);
    size_t i;
    int ok = keys != NULL;

    for (i = 0; ok && i < d->count; i++) {
        const tk_content *der = &d->entries[i].content;
        uint8_t *key = keys + i * TK_TRUST_KEY;
        ok = EVP_Digest(der->data, der->size, key + 1, NULL, EVP_sha256(), NULL);
    }
    ok = ok && tk_trust_keys_digest(keys, d->count, d->digest);
    free(keys);
    return ok;
}

static void number(tk_directory *d)
{
    size_t i;

    qsort(d->entries, d->count, sizeof *d->entries, tk_directory_compare);
    for (i = 0; i < d->count; i++)
        d->entries[i].suffix = i > 0 && d->entries[i].hash == d->entries[i - 1].hash
                                   ? d->entries[i - 1].suffix + 1
                                   : 0;
}

tk_directory *tk_bundle_read(const void *pem, size_t size)
{
    tk_directory *d = calloc(1, sizeof *d);
    EVP_ENCODE_CTX *decoder = EVP_ENCODE_CTX_new();
    const char *at = pem, *end = at + size;
    tk_pem_block b;
    int more = -1;

    if (d == NULL)
        goto out;
    ERR_set_mark();
    d->references = d->whole = 1;
    if (size < INT_MAX && decoder != NULL && (d->path = OPENSSL_strdup("a bundle")) != NULL)
        while ((more = tk_pem_next(&at, end, &b)) > 0 && add(d, decoder, &b))
            ;
    if (more != 0 || d->count < FEW || !take_digest(d)) {
        tk_directory_free(d);
        d = NULL;
    } else {
        number(d);
    }
    ERR_pop_to_mark();
out:
    EVP_ENCODE_CTX_free(decoder);
    return d;
}

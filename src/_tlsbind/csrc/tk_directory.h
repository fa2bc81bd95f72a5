/* A hashed directory of certificates and CRLs, as it was when it was read: tk_directory.c. */
#ifndef TK_DIRECTORY_H
#define TK_DIRECTORY_H

#include "tk_files.h"

enum { TK_DIRECTORY_DIGEST = 32 };

typedef struct {
    uint32_t hash, suffix;
    int crl;
    char *path;
    tk_file_state state;
    tk_content content;
    int der;       /* the content is one certificate in DER; otherwise it is PEM */
    void *parsed;  /* STACK_OF(X509_INFO) *, once it was searched for */
} tk_directory_entry;

struct tk_directory {
    int32_t references;
    int whole;     /* everything is in memory */
    char *path;
    tk_file_state state;
    int young;     /* a change that followed would not show in its times */
    int64_t looked_at;
    uint8_t digest[TK_DIRECTORY_DIGEST];
    tk_directory_entry *entries; /* in the order of hash, kind, suffix */
    size_t count, room;
    int64_t bytes;
    int failed;
};

tk_directory_entry *tk_directory_new_entry(tk_directory *d); /* it is there once `count` grows */
int tk_directory_compare(const void *a, const void *b); /* of two entries */
/* The digest of a store: each of its objects has a key, which is whether it is a CRL, and a hash of
   its DER. They get sorted, and those that occur twice count once. tk_trust.c */
enum { TK_TRUST_KEY = 1 + 32 };
int tk_trust_keys_digest(uint8_t *keys, size_t n, void *into);
int tk_by_dir_init(void); /* call it once, first: tk_by_dir.c */

#endif

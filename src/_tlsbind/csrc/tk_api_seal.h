/* ---- sealing: authenticated encryption of what leaves the process (tk_seal.c) ---- */

typedef struct tk_seal tk_seal; /* the keys derived from one secret: immutable, for any thread */

enum {
    TK_SEAL_ID = 8,       /* bytes that identify a secret */
    TK_SEAL_OVERHEAD = 48 /* how many bytes sealing adds */
};

tk_seal *tk_seal_new(const void *secret, size_t size, tk_fault *fault);
void tk_seal_free(tk_seal *s);
void tk_seal_id(tk_seal *s, void *into); /* TK_SEAL_ID bytes */
int tk_seal_close(tk_seal *s, const void *about, size_t about_size, const void *plain, size_t size,
                  void *sealed, tk_fault *fault);
/* 0: it is not what was sealed */
int tk_seal_open(tk_seal *s, const void *about, size_t about_size, const void *sealed, size_t size,
                 void *plain);

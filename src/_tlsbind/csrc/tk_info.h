/* The facts of a handshake: tk_info.c has the theory. */
#ifndef TK_INFO_H
#define TK_INFO_H

#include "tk_base.h"

typedef struct tk_info tk_info;

enum { TK_EXTENSIONS_MOST = 64 }; /* how many of the peer's extensions are noted */

struct tk_info {
    int32_t references;
    uint8_t complete;
    int64_t used;        /* when a handshake of this session was made last; changes */
    tk_records notes;    /* numbers, texts and raw lists, under TK_INFO_ tags */
    uint16_t *extensions; /* while the handshake runs: room for TK_EXTENSIONS_MOST */
    size_t extension_count;
    STACK_OF(X509) *own, *peers, *verified;
};

void tk_info_begin(tk_conn *c); /* a handshake begins */
void tk_info_end(tk_conn *c);
void tk_info_free(tk_info *f); /* gives up one reference */
tk_info *tk_info_of(const SSL_SESSION *s);
int tk_info_attach(SSL_SESSION *s, tk_info *f);
void tk_info_shared(tk_conn *c, tk_records *out);
int tk_info_init(void);
void tk_info_write(tk_records *out, tk_info *f);
tk_info *tk_info_create(void); /* with one reference; NULL: no memory */
void tk_info_add_number(tk_info *f, uint32_t tag, int64_t value);
int tk_info_number(const tk_info *f, uint32_t tag, int64_t *value); /* 0: it was not noted */

#endif

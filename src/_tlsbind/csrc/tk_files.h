/* Files and directories, read without Python: tk_files.c; tk_file_state.c. */
#ifndef TK_FILES_H
#define TK_FILES_H

#include "tk_base.h"

typedef struct {
    uint8_t *data; /* from OPENSSL_malloc: it may hold a private key */
    size_t size;
} tk_content;

/* 0, or an errno. The content is the caller's to clear. */
int tk_content_read(const char *path, int64_t most, int regular, tk_content *into);
void tk_content_clear(tk_content *c);

/* Calls for each name in a directory until it answers 0; 0, or an errno. */
int tk_names_walk(const char *path, int (*each)(void *argument, const char *name), void *argument);

#ifdef _WIN32
/* A path, and what is added to it, as Windows wants it: free() it. NULL: it is not in UTF-8. */
wchar_t *tk_files_wide(const char *path, const char *more);
#endif

#endif

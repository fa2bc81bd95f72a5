/* Part of the border (tk_api.h): reading files without Python, so that nothing in Python blocks. */

enum { TK_FILE_NONE = 0, TK_FILE_REGULAR = 1, TK_FILE_DIRECTORY = 2, TK_FILE_OTHER = 3 };

typedef struct { /* the values that change when the file does */
    int64_t kind, device, inode, size;
    int64_t modified, changed; /* nanoseconds since the epoch */
    int64_t now;               /* ... of this check, by this machine's clock */
} tk_file_state;

int tk_file_look(const char *path, tk_file_state *into); /* 0, or an errno */
int tk_file_read(const char *path, int64_t most, tk_records *out); /* one record; 0, or an errno */
/* Open it to append, and write the text if the file is empty; 0, or an errno. */
int tk_file_begin(const char *path, const void *text, size_t size);

/* The border, as tk_api.h: the memory transport. */

tk_mem *tk_mem_new(void);
void tk_mem_free(tk_mem *m); /* gives up one reference */
int64_t tk_mem_read(tk_mem *m, void *into, size_t room);
int64_t tk_mem_write(tk_mem *m, const void *data, size_t size); /* -1: no memory */
int64_t tk_mem_pending(tk_mem *m);
void tk_mem_write_eof(tk_mem *m);
int tk_mem_ended(tk_mem *m); /* tk_mem_write_eof was called */
int tk_mem_eof(tk_mem *m); /* written to its end and read to its end */

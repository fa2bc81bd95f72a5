/* Part of the border (tk_api.h): the memory transport. */

tk_mem *tk_mem_new(void);
void tk_mem_free(tk_mem *m); /* drops one reference */
int64_t tk_mem_read(tk_mem *m, void *into, size_t room);
int64_t tk_mem_write(tk_mem *m, const void *data, size_t size); /* -1: no memory */
int64_t tk_mem_pending(tk_mem *m);
void tk_mem_write_eof(tk_mem *m);
int tk_mem_eof(tk_mem *m); /* the end was marked, and everything was read */

typedef struct { /* of a queue, readable without a call at any time */
    int64_t pending;
    int64_t ended;
} tk_mem_state;

const tk_mem_state *tk_mem_look(tk_mem *m); /* valid as long as the queue exists */
/* its whole content, in a new queue of the caller's; NULL without memory */
tk_mem *tk_mem_detach(tk_mem *m);
const void *tk_mem_front(tk_mem *m); /* the first byte of an unshared queue */

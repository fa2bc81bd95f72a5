/* Flat lists of (tag, length, bytes), in which lists of any kind are passed to Python in one call.
   Some contain sessions with their secrets, so all memory is wiped before it is freed. */
#include "tk_records.h"

void tk_records_free(tk_records *r)
{
    OPENSSL_cleanse(r->data, r->size);
    free(r->data);
    r->data = NULL;
    r->size = r->room = 0;
}

void tk_records_add(tk_records *r, uint32_t tag, const void *data, size_t size)
{
    uint32_t head[2] = { tag, (uint32_t)size };
    size_t need = r->size + sizeof head + size;

    if (r->failed)
        return;
    if (size > UINT32_MAX) {
        r->failed = 1;
        return;
    }
    if (need > r->room) {
        size_t room = need + need / 2 + 256;
        uint8_t *data_now = malloc(room);
        if (data_now == NULL) {
            r->failed = 1;
            return;
        }
        if (r->size > 0)
            memcpy(data_now, r->data, r->size);
        OPENSSL_cleanse(r->data, r->size);
        free(r->data);
        r->data = data_now;
        r->room = room;
    }
    memcpy(r->data + r->size, head, sizeof head);
    if (size > 0)
        memcpy(r->data + r->size + sizeof head, data, size);
    r->size = need;
}

void tk_records_text(tk_records *r, uint32_t tag, const char *text)
{
    if (text != NULL)
        tk_records_add(r, tag, text, strlen(text));
}

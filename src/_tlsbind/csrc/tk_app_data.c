/* The application's data in tickets.

   A session has one field for such data, inside what a ticket encrypts. It holds the mark of a
   keyring (tk_origin.c), then the application's data, then the facts about the client's certificate
   (tk_ticket_data.c). A resumed connection creates another ticket at once, so the data of the old
   one is copied before. */
#include "tk_app_data.h"
#include "tk_door.h"
#include "tk_origin.h"
#include "tk_records.h"
#include "tk_result.h"

static const uint8_t HEAD[3] = { 'T', 'K', 'A' };

enum { BEFORE = sizeof HEAD + 2 }; /* ... and the size, the high byte first */

struct tk_app_data {
    size_t size;
    uint8_t bytes[];
};

/* The user's data in a session; NULL: there is none. */
static const uint8_t *find(SSL_SESSION *s, size_t *size)
{
    size_t mark = tk_origin_size(s), all = 0;
    uint8_t *data = NULL;

    if (!SSL_SESSION_get0_ticket_appdata(s, (void **)&data, &all) || data == NULL ||
        all < mark + BEFORE || memcmp(data + mark, HEAD, sizeof HEAD) != 0)
        return NULL;
    data += mark + sizeof HEAD;
    *size = (size_t)data[0] << 8 | data[1];
    return *size <= all - mark - BEFORE ? data + 2 : NULL;
}

size_t tk_app_data_end(SSL_SESSION *s)
{
    size_t size = 0;

    return tk_origin_size(s) + (find(s, &size) != NULL ? BEFORE + size : 0);
}

static void put_aside(tk_conn *c, SSL_SESSION *s)
{
    size_t size = 0;
    const uint8_t *data = find(s, &size);

    if (c->app_data != NULL || !SSL_session_reused(c->ssl) ||
        (c->app_data = malloc(sizeof *c->app_data + (data != NULL ? size : 0))) == NULL)
        return;
    c->app_data->size = data != NULL ? size : 0;
    if (data != NULL)
        memcpy(c->app_data->bytes, data, size);
}

/* Replaces the data that is there; what follows it stays. */
static int replace(SSL_SESSION *s, const uint8_t *data, size_t size)
{
    size_t mark = tk_origin_size(s), end = tk_app_data_end(s), all = 0, head = 0;
    void *before = NULL;
    uint8_t *room;
    int ok;

    if (size == 0 && end == mark)
        return 1;
    (void)SSL_SESSION_get0_ticket_appdata(s, &before, &all);
    if (before == NULL)
        mark = end = all = 0;
    if ((room = malloc(all + BEFORE + size)) == NULL)
        return 0;
    if (mark > 0)
        memcpy(room, before, mark);
    if (size > 0) {
        head = BEFORE;
        memcpy(room + mark, HEAD, sizeof HEAD);
        room[mark + sizeof HEAD] = (uint8_t)(size >> 8);
        room[mark + sizeof HEAD + 1] = (uint8_t)size;
        memcpy(room + mark + head, data, size);
    }
    if (all > end)
        memcpy(room + mark + head + size, (uint8_t *)before + end, all - end);
    ok = SSL_SESSION_set1_ticket_appdata(s, room, mark + head + size + (all - end));
    free(room);
    return ok;
}

static int ask(tk_conn *c, uint8_t *into)
{
    int error;

    if (c->handle == NULL)
        return 0;
    error = tk_door_open(c, TK_DOOR_TICKET);
    return tk_door_answer(c, error, tk_py_ticket(c->handle, into, TK_APP_DATA_MOST));
}

int tk_app_data_put(tk_conn *c, SSL_SESSION *s)
{
    const tk_ctx *x = tk_ctx_of(SSL_get_SSL_CTX(c->ssl));
    uint8_t data[TK_APP_DATA_MOST];
    int size = 0;

    put_aside(c, s);
    if (((x != NULL ? x->hooks : 0) | c->hooks) & TK_HOOK_TICKET)
        size = ask(c, data);
    return size >= 0 && size <= TK_APP_DATA_MOST && replace(s, data, (size_t)size);
}

void tk_app_data_free(tk_conn *c)
{
    free(c->app_data);
}

void tk_conn_app_data(tk_conn *c, tk_records *out)
{
    const uint8_t *data;
    size_t size = 0;
    SSL_SESSION *s;

    tk_conn_lock(c);
    s = tk_result_session(c);
    if (SSL_is_server(c->ssl) && s != NULL && tk_result_reused(c)) {
        data = c->app_data != NULL ? c->app_data->bytes : find(s, &size);
        size = c->app_data != NULL ? c->app_data->size : size;
        if (data != NULL && size > 0)
            tk_records_add(out, 0, data, size);
    }
    tk_conn_unlock(c);
}

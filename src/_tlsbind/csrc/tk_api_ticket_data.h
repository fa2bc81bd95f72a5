/* Part of the border (tk_api.h): an application's data in a server's tickets and session ids. */

enum { TK_ID_PREFIX_MOST = 16, TK_APP_DATA_MOST = 4096 }; /* bytes */

void tk_ctx_set_id_prefix(tk_ctx *c, const void *prefix, size_t size);
/* on a server, the application's data in the ticket that was resumed, or nothing */
void tk_conn_app_data(tk_conn *c, tk_records *out);

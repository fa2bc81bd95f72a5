/* The fault record: everything that OpenSSL and the system know about a failure, collected in the
   call that failed. Between two calls from Python a finaliser may run, use OpenSSL, and leave its
   own errors behind. */
#include "tk_fault.h"
#include "tk_conn.h"
#include "tk_tables.h"

enum { ENTRIES = sizeof ((tk_fault *)0)->error / sizeof ((tk_fault *)0)->error[0] };

static const char *name_of(const tk_name *table, int library, int reason)
{
    for (; table->name != NULL; table++)
        if (table->library == library && table->reason == reason)
            return table->name;
    return NULL;
}

static void take_entry(tk_error *e, unsigned long code, const char *data, int flags)
{
    memset(e, 0, sizeof *e);
    e->code = code;
    e->library = ERR_GET_LIB(code);
    e->reason = ERR_GET_REASON(code);
    e->library_name = name_of(tk_library_names, e->library, 0);
    e->reason_name = name_of(tk_reason_names, e->library, e->reason);
    e->text = ERR_reason_error_string(code);
    if (data != NULL && (flags & ERR_TXT_STRING)) {
        strncpy(e->data, data, sizeof e->data - 1);
        e->data[sizeof e->data - 1] = '\0';
    }
}

void tk_fault_begin(void)
{
    if (ERR_peek_error() != 0) /* clearing an empty queue costs more than looking at it */
        ERR_clear_error();
    errno = 0;
}

void tk_fault_capture(tk_fault *fault, tk_conn *c, int ssl_error, int sys_errno)
{
    unsigned long code;
    const char *data;
    int flags;

    memset(fault, 0, sizeof *fault);
    fault->ssl_error = ssl_error;
    fault->sys_errno = sys_errno;
    fault->verify_depth = fault->alert_sent = fault->alert_received = -1;
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        if (fault->count < ENTRIES)
            fault->count++;
        else
            fault->dropped++; /* the last one names the failure, so it takes the last place */
        take_entry(&fault->error[fault->count - 1], code, data, flags);
    }
    if (c != NULL) {
        fault->verify_code = (int32_t)SSL_get_verify_result(c->ssl);
        fault->verify_depth = fault->verify_code == X509_V_OK ? -1 : c->verify_depth;
        fault->alert_sent = c->alert_sent;
        fault->alert_received = c->alert_received;
    }
}

int tk_fail(tk_fault *fault)
{
    tk_fault_capture(fault, NULL, SSL_ERROR_SSL, 0);
    return TK_SSL;
}

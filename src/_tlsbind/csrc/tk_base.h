/* Included first by every C file: the system's and OpenSSL's headers, and the border to Python. */
#ifndef TK_BASE_H
#define TK_BASE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tk_features.h"
#include "tk_os.h"
#include "tk_api.h"
#include "tk_api_algorithms.h"
#include "tk_api_conn.h"
#include "tk_api_context.h"
#include "tk_api_ech.h"
#include "tk_api_explain.h"
#include "tk_api_export.h"
#include "tk_api_files.h"
#include "tk_api_mem.h"
#include "tk_api_openssl.h"
#include "tk_api_pause.h"
#include "tk_api_peer.h"
#include "tk_api_require.h"
#include "tk_api_seal.h"
#include "tk_api_send_cert.h"
#include "tk_api_sessions.h"
#include "tk_api_sources.h"
#include "tk_api_staple.h"
#include "tk_api_stream.h"
#include "tk_api_ticket_data.h"
#include "tk_api_tickets.h"
#include "tk_api_trust.h"
#include "tk_api_tuning.h"
#include "tk_api_verify.h"
#include "tk_api_x509.h"

/* NULL, too, if that is more than a BIO takes. */
static inline BIO *tk_bio_over(const void *data, size_t size)
{
    return size > INT_MAX ? NULL : BIO_new_mem_buf(data, (int)size);
}

/* ---- what later OpenSSL versions call otherwise ---- */

#if OPENSSL_VERSION_NUMBER < 0x30400000L
#define SSL_CTX_flush_sessions_ex(c, t) SSL_CTX_flush_sessions(c, (long)(t))
#define SSL_SESSION_get_time_ex(s) SSL_SESSION_get_time(s)
#define SSL_SESSION_set_time_ex(s, t) SSL_SESSION_set_time(s, (long)(t))
#endif

#endif

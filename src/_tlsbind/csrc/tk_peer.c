/* Further queries about a peer, and close_notify without waiting for the peer's. */
#include "tk_fault.h"
#include "tk_lock.h"
#include "tk_op.h"
#include "tk_records.h"
#include "tk_x509.h"

void tk_x509_rfc4514(X509 *x, tk_records *out)
{
    unsigned long how = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    BIO *b = BIO_new(BIO_s_mem());
    char *text;
    long size;

    if (b != NULL && X509_NAME_print_ex(b, X509_get_subject_name(x), 0, how) >= 0 &&
        (size = BIO_get_mem_data(b, &text)) > 0)
        tk_records_add(out, 0, text, (size_t)size);
    BIO_free(b);
}

void tk_conn_ca_names(tk_conn *c, tk_records *out)
{
    const STACK_OF(X509_NAME) *names;
    int i;

    tk_conn_lock(c);
    names = SSL_is_server(c->ssl) ? NULL : SSL_get0_peer_CA_list(c->ssl);
    for (i = 0; i < sk_X509_NAME_num(names); i++) {
        tk_records_add(out, TK_NAME_BEGIN, NULL, 0);
        tk_x509_name(out, sk_X509_NAME_value(names, i), TK_NAME_RDN, TK_NAME_KEY, TK_NAME_VALUE);
    }
    tk_conn_unlock(c);
}

int64_t tk_conn_round_trip(tk_conn *c)
{
    uint64_t time = 0;
    int known;

    tk_conn_lock(c);
    known = SSL_get_handshake_rtt(c->ssl, &time) == 1;
    tk_conn_unlock(c);
    return known ? (int64_t)time : -1;
}

int tk_conn_parted(tk_conn *c)
{
    int parted;

    tk_conn_lock(c);
    parted = c->parted;
    tk_conn_unlock(c);
    return parted;
}

static tk_outcome step_close_notify(tk_conn *c, tk_op *op)
{
    int result;

    if (c->shutdown_sent)
        return tk_op_flush(c, op, TK_STEP_DONE);
    tk_op_refill(c);
    result = SSL_shutdown(c->ssl);
    if (result < 0)
        return tk_op_flush(c, op, tk_op_classify(c, op, result));
    c->shutdown_sent = 1;
    return tk_op_flush(c, op, TK_STEP_DONE);
}

int64_t tk_conn_close_notify(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = step_close_notify, .kind = TK_SHUTDOWN };

    return tk_op_do(c, &op, timeout);
}

int tk_conn_request_certificate(tk_conn *c, tk_fault *fault)
{
    int ok;

    tk_conn_lock_outside(c);
    if (c->inside || c->orphaned) {
        tk_conn_unlock(c);
        return TK_REENTERED;
    }
    tk_fault_begin();
    if (!(ok = SSL_verify_client_post_handshake(c->ssl)))
        tk_fail(fault);
    tk_conn_unlock(c);
    return ok ? TK_DONE : TK_SSL;
}

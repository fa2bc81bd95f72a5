/* Settings of the record layer and of messages, each a number; and the two ways in which a
   connection gets new keys. */
#include "tk_lock.h"
#include "tk_op.h"

static int set_mode(SSL_CTX *ctx, long bit, int on)
{
    if (on)
        SSL_CTX_set_mode(ctx, bit);
    else
        SSL_CTX_clear_mode(ctx, bit);
    return 1;
}

static int tune(SSL_CTX *ctx, int what, size_t value)
{
    switch (what) {
    case TK_TUNE_FALLBACK:
        return set_mode(ctx, SSL_MODE_SEND_FALLBACK_SCSV, value != 0);
    case TK_TUNE_RELEASE_BUFFERS:
        return set_mode(ctx, SSL_MODE_RELEASE_BUFFERS, value != 0);
    case TK_TUNE_AUTO_CHAIN:
        return set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN, value == 0);
    case TK_TUNE_AUTO_DH:
        return SSL_CTX_set_dh_auto(ctx, value != 0) == 1;
    case TK_TUNE_MAX_FRAGMENT:
        return SSL_CTX_set_tlsext_max_fragment_length(ctx, (uint8_t)value);
    case TK_TUNE_SEND_FRAGMENT:
        return SSL_CTX_set_max_send_fragment(ctx, (long)value) == 1;
    case TK_TUNE_PADDING:
        return SSL_CTX_set_block_padding(ctx, value);
    case TK_TUNE_CERTIFICATES:
        SSL_CTX_set_max_cert_list(ctx, (long)value);
        return 1;
    default:
        return 0;
    }
}

int tk_ctx_tune(tk_ctx *c, int what, size_t value)
{
    int ok = tune(c->ctx, what, value);

    ERR_clear_error();
    return ok;
}

/* ---- new keys ---- */

/* `asked`: 1 when libssl has taken the request for new keys, and what has to go can go. */
static tk_outcome send_request(tk_conn *c, tk_op *op, int asked)
{
    int result = asked == 1 ? SSL_do_handshake(c->ssl) : asked;

    op->begun = 1;
    return tk_op_flush(c, op, result == 1 ? TK_STEP_DONE : tk_op_classify(c, op, result));
}

/* A server's part ends with the request: its client answers while the server reads. */
static tk_outcome step_renegotiate(tk_conn *c, tk_op *op)
{
    int under_way = op->begun || SSL_renegotiate_pending(c->ssl);

    return send_request(c, op, under_way ? 1 : SSL_renegotiate(c->ssl));
}

int64_t tk_conn_renegotiate(tk_conn *c, int64_t timeout)
{
    tk_op op = { .step = step_renegotiate, .kind = TK_HANDSHAKE };

    return tk_op_do(c, &op, timeout);
}

/* libssl counts those only that its own side has begun */
uint32_t tk_conn_renegotiations(tk_conn *c)
{
    uint32_t count;

    tk_conn_lock(c);
    count = c->renegotiations;
    tk_conn_unlock(c);
    return count;
}

static tk_outcome step_update_keys(tk_conn *c, tk_op *op)
{
    int kind = op->number ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;

    return send_request(c, op, op->begun ? 1 : SSL_key_update(c->ssl, kind));
}

int64_t tk_conn_update_keys(tk_conn *c, int both, int64_t timeout)
{
    tk_op op = { .step = step_update_keys, .kind = TK_HANDSHAKE, .number = both != 0 };

    return tk_op_do(c, &op, timeout);
}

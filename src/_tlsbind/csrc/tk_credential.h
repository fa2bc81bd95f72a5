/* A credential and its parts: tk_credentials.c, tk_parts.c, tk_sources.c. */
#ifndef TK_CREDENTIAL_H
#define TK_CREDENTIAL_H

#include "tk_base.h"

typedef struct {
    const char *password;
    int64_t size; /* -1: none was given */
    int asked, too_long;
} tk_question;

typedef struct {
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) *chain;
} tk_parts;

int tk_credential_show(tk_credential *k, SSL *ssl); /* on one connection */
int tk_question_answer(char *into, int room, int writing, void *argument); /* a pem_password_cb */
int tk_parts_add(tk_parts *parts, X509 *x); /* takes the reference; the first is the leaf */
int tk_parts_chain(tk_parts *parts, const void *pem, size_t size, tk_question *q);
int tk_parts_key(tk_parts *parts, const void *pem, size_t size, tk_question *q);
int tk_parts_order(tk_parts *parts); /* of a source that has none: the key's certificate first */
void tk_parts_clear(tk_parts *parts);
/* Takes the parts, if they are whole (`ok`) and belong together: TK_DONE or a status. */
int tk_credential_make(tk_parts *parts, int ok, tk_question *q, tk_credential **out,
                       tk_fault *fault);

#endif

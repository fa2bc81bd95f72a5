/* What the files of this program share: checks, a PKI made in memory, and pairs of connections. */
#ifndef TK_TEST_H
#define TK_TEST_H

#include <stdio.h>

#include "tk_conn.h"
#include "tk_fault.h"
#include "tk_queue.h"
#include "tk_records.h"

/* A check that fails ends the program: what comes after it would only confuse. */
#define CHECK(condition) check_that(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(a, b) \
    check_equal((long long)(a), (long long)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_DONE(status, fault) \
    check_done((long long)(status), fault, #status, __FILE__, __LINE__)

void check_that(int true, const char *what, const char *file, int line);
void check_equal(long long a, long long b, const char *what, const char *file, int line);
void check_done(long long status, const tk_fault *fault, const char *what, const char *file,
                int line);
int has_error(const tk_fault *fault, const char *library, const char *reason);

/* ---- the PKI ---- */

typedef struct {
    X509 *x509;
    EVP_PKEY *key;
    char *pem, *key_pem;             /* NUL-terminated */
    unsigned char *der;
    size_t pem_size, key_pem_size, der_size;
} identity;

/* full: with every field that is read */
extern identity root, server_identity, client_identity, stranger, full;
/* of the root; of the server, behind "secret" */
extern char *crl_pem, *encrypted_key_pem;

void pki_make(void);
void pki_free(void);

/* ---- pairs ---- */

typedef struct {
    tk_ctx *client, *server;
} contexts;

typedef struct {
    tk_conn *client, *server;
    tk_mem *to_client, *to_server; /* NULL over sockets */
    int fds[2];                    /* the client's and the server's; -1 over memory */
} pair;

enum { ONLY_12 = 0x303, ONLY_13 = 0x304 };

/* a certificate with its chain and its key into a context; password: NULL: none is given */
int use_chain(tk_ctx *c, const void *chain, size_t chain_size, const void *key, size_t key_size,
              const char *password, tk_fault *fault);
int use_identity(tk_ctx *c, const identity *i, tk_fault *fault);
contexts contexts_new(int version); /* 0: any */
void contexts_free(contexts *c);
pair pair_in_memory(contexts *c, SSL_SESSION *session, const char *host);
/* buffer: bytes for SO_SNDBUF and SO_RCVBUF; 0: as they are */
pair pair_of_sockets(contexts *c, int buffer);
void pair_shake(pair *p);
void pair_free(pair *p);
void take_tickets(pair *p);
SSL_SESSION *newest_session(pair *p); /* after the handshake: the client's own reference */

/* The operations, paused or not, and the fault of the one that failed. */
int64_t do_handshake(tk_conn *c, int64_t timeout, tk_fault *fault);
int64_t do_read(tk_conn *c, void *into, size_t room, int64_t timeout, tk_fault *fault);
int64_t do_write(tk_conn *c, const void *data, size_t size, int64_t timeout, tk_fault *fault);
int64_t do_shutdown(tk_conn *c, int64_t timeout, tk_fault *fault);

/* A thread that runs one function. */
typedef struct {
    pthread_t thread;
    void (*work)(void *);
    void *argument;
} thread;

void thread_start(thread *t, void (*work)(void *), void *argument);
void thread_join(thread *t);

/* ---- the stub behind the door, and the tests ---- */

extern int servername_answer, servername_asked;
extern char servername_seen[256];

void test_blocks(void);  /* queues, memory, records, faults, the library */
void test_objects(void); /* trust, certificates, credentials, contexts, sessions */
void test_memory(void);  /* connections over memory */
void test_sockets(void); /* connections over socket pairs */
void test_tickets(void); /* rings of ticket keys */
void test_seal(void);    /* what leaves the process */
void test_states(void);  /* contexts that change while others connect */
void test_chains(void);  /* chains whose signatures are known */

#endif

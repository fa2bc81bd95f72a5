/* The C helpers without Python: compiled with all of csrc and the tables of build_ffi.py
   (program.py beside this file does it), to run plainly, under valgrind, or with gcc's sanitizers.
   Prints a line for each group of tests; ends with 1 at the first check that fails. Words on the
   command line choose groups. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tk_test.h"

int servername_answer, servername_asked;
char servername_seen[256];

/* In the extension this is the door to Python. */
int tk_py_servername(void *handle, const char *name)
{
    CHECK(handle != NULL);
    servername_asked++;
    snprintf(servername_seen, sizeof servername_seen, "%s", name != NULL ? name : "(none)");
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); /* what Python leaves behind must not show */
    errno = EDOM;
    return servername_answer;
}

/* No test asks for these yet. */
int tk_py_psk_client(void *handle, const char *hint, void *identity, tk_psk_room *room,
                     unsigned char *key)
{
    CHECK(handle == NULL && hint == NULL && identity == NULL && room == NULL && key == NULL);
    return 0;
}

int tk_py_psk_server(void *handle, const void *identity, tk_psk_room *room, unsigned char *key)
{
    CHECK(handle == NULL && identity == NULL && room == NULL && key == NULL);
    return 0;
}

int tk_py_session_id(void *handle, void *into, int room)
{
    CHECK(handle == NULL && into == NULL && room == 0);
    return 0;
}

int tk_py_ticket(void *handle, void *into, int room)
{
    CHECK(handle == NULL && into == NULL && room == 0);
    return 0;
}

int tk_py_verify(void *handle, const void *chain, size_t size)
{
    (void)handle, (void)chain, (void)size;
    return 1;
}

int tk_py_verify_each(void *handle, const void *der, size_t size, int depth, int code)
{
    (void)handle, (void)der, (void)size, (void)depth, (void)code;
    return TK_VERIFY_AS_IT_IS;
}

int tk_py_message(void *handle, int sent, int version, int content_type, const void *data,
                  size_t size)
{
    CHECK(handle == NULL && sent == 0 && version == 0 && content_type == 0 && data == NULL &&
          size == 0);
    return 0;
}

int tk_py_alpn(void *handle, const void *offered, size_t size, const char *name)
{
    (void)handle, (void)offered, (void)size, (void)name;
    return 0;
}

int tk_py_keylog(void *handle, const char *line)
{
    (void)handle, (void)line;
    return 0;
}

int tk_py_state(void *handle, int event, int value, const char *words)
{
    (void)handle, (void)event, (void)value, (void)words;
    return 0;
}

void check_that(int true, const char *what, const char *file, int line)
{
    if (true)
        return;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    exit(1);
}

void check_equal(long long a, long long b, const char *what, const char *file, int line)
{
    if (a == b)
        return;
    fprintf(stderr, "%s:%d: not so: %s: %lld and %lld\n", file, line, what, a, b);
    exit(1);
}

void check_done(long long status, const tk_fault *fault, const char *what, const char *file,
                int line)
{
    int i;

    if (status >= 0)
        return;
    fprintf(stderr, "%s:%d: %s gave %lld\n", file, line, what, status);
    if (fault != NULL && (status == TK_SSL || status == TK_SYSCALL)) {
        fprintf(stderr, "    ssl error %d, errno %d, verify %d\n", fault->ssl_error,
                fault->sys_errno, fault->verify_code);
        for (i = 0; i < fault->count; i++)
            fprintf(stderr, "    %s %s\n", fault->error[i].library_name,
                    fault->error[i].reason_name);
    }
    exit(1);
}

int has_error(const tk_fault *fault, const char *library, const char *reason)
{
    int i;

    for (i = 0; i < fault->count; i++) {
        const tk_error *e = &fault->error[i];
        if (e->library_name != NULL && e->reason_name != NULL &&
            !strcmp(e->library_name, library) && !strcmp(e->reason_name, reason))
            return 1;
    }
    return 0;
}

static const struct {
    const char *name;
    void (*run)(void);
} groups[] = {
    { "blocks", test_blocks },   { "objects", test_objects }, { "memory", test_memory },
    { "sockets", test_sockets }, { "tickets", test_tickets }, { "seal", test_seal },
    { "states", test_states },   { "chains", test_chains },
};

static int chosen(const char *name, int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++)
        if (!strcmp(argv[i], name))
            return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    size_t i;

    signal(SIGPIPE, SIG_DFL); /* our transport never raises it: one that comes ends the program */
    alarm(300);               /* a thread that waits for ever must not take the caller with it */
    CHECK_EQUAL(tk_init(), 1);
    CHECK_EQUAL(tk_init(), 1);
    pki_make();
    for (i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (chosen(groups[i].name, argc, argv)) {
            groups[i].run();
            printf("ok %s\n", groups[i].name);
        }
    pki_free();
    printf("done, with %s\n", tk_version_text());
    return 0;
}

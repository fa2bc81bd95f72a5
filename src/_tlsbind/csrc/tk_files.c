/* Files and directories. Paths are in UTF-8 on Windows, and in the system's encoding elsewhere. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tk_files.h"
#include "tk_records.h"

enum { FIRST_ROOM = 16384 };

#ifdef _WIN32

#include <io.h>
#define read _read
#define write _write
#define close _close

typedef struct _stat64 file_stat;

#define READ (_O_RDONLY | _O_BINARY | _O_NOINHERIT)
#define APPEND (_O_WRONLY | _O_APPEND | _O_CREAT | _O_BINARY | _O_NOINHERIT)

static int open_file(const char *path, int flags)
{
    wchar_t *w = tk_files_wide(path, "");
    int fd = w != NULL ? _wopen(w, flags, _S_IREAD | _S_IWRITE) : -1;
    int error = w != NULL ? errno : EINVAL;

    free(w);
    errno = error;
    return fd;
}

static int stat_open(int fd, file_stat *s) { return _fstat64(fd, s); }

int tk_names_walk(const char *path, int (*each)(void *argument, const char *name), void *argument)
{
    wchar_t *pattern = tk_files_wide(path, "\\*");
    WIN32_FIND_DATAW found;
    HANDLE h = pattern != NULL ? FindFirstFileW(pattern, &found) : INVALID_HANDLE_VALUE;
    char name[4 * MAX_PATH];
    int go_on = h != INVALID_HANDLE_VALUE;

    free(pattern);
    if (!go_on)
        return ENOENT;
    while (go_on) {
        if (WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, NULL, NULL) > 0)
            go_on = each(argument, name);
        go_on = go_on && FindNextFileW(h, &found);
    }
    FindClose(h);
    return 0;
}

#else

#include <dirent.h>
#include <unistd.h>

typedef struct stat file_stat;

#define READ (O_RDONLY | O_CLOEXEC | O_NOCTTY)
#define APPEND (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY)

static int open_file(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int stat_open(int fd, file_stat *s) { return fstat(fd, s); }

int tk_names_walk(const char *path, int (*each)(void *argument, const char *name), void *argument)
{
    DIR *d = opendir(path);
    struct dirent *e;

    if (d == NULL)
        return errno;
    while ((e = readdir(d)) != NULL && each(argument, e->d_name))
        continue;
    closedir(d);
    return 0;
}

#endif

static int kind_of(const file_stat *s)
{
    int format = s->st_mode & S_IFMT;

    return format == S_IFREG ? TK_FILE_REGULAR : format == S_IFDIR ? TK_FILE_DIRECTORY
                                                                   : TK_FILE_OTHER;
}

static int make_room(tk_content *c, size_t *room, size_t wanted)
{
    uint8_t *data;

    if (*room >= wanted)
        return 1;
    if ((data = OPENSSL_clear_realloc(c->data, *room, wanted)) == NULL)
        return 0;
    c->data = data;
    *room = wanted;
    return 1;
}

static int read_all(int fd, int64_t most, int64_t expected, tk_content *c)
{
    size_t room = 0, wanted = FIRST_ROOM;
    int64_t n;

    if (expected > 0 && expected <= most)
        wanted = (size_t)expected + 1; /* and so the end is seen in the second read */
    for (;;) {
        if (!make_room(c, &room, wanted))
            return ENOMEM;
        if ((n = (int64_t)read(fd, c->data + c->size, (unsigned int)(room - c->size))) == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            c->size += (size_t)n;
        if ((int64_t)c->size > most)
            return EFBIG;
        if (c->size == room)
            wanted = 2 * room;
    }
}

int tk_content_read(const char *path, int64_t most, int regular, tk_content *into)
{
    tk_file_state state;
    file_stat s;
    int fd, error;

    into->data = NULL;
    into->size = 0;
    if (regular && (tk_file_look(path, &state) != 0 || state.kind != TK_FILE_REGULAR))
        return ENOENT; /* nothing that could block, or is read for its side effects */
    if ((fd = open_file(path, READ)) < 0)
        return errno;
    if (stat_open(fd, &s) != 0)
        error = errno;
    else if (kind_of(&s) == TK_FILE_DIRECTORY)
        error = EISDIR;
    else
        error = read_all(fd, most, kind_of(&s) == TK_FILE_REGULAR ? (int64_t)s.st_size : 0, into);
    close(fd);
    if (error != 0)
        tk_content_clear(into);
    return error;
}

void tk_content_clear(tk_content *c)
{
    OPENSSL_clear_free(c->data, c->size);
    c->data = NULL;
    c->size = 0;
}

int tk_file_read(const char *path, int64_t most, tk_records *out)
{
    tk_content content;
    int error = tk_content_read(path, most, 0, &content);

    if (error == 0)
        tk_records_add(out, 0, content.data, content.size);
    tk_content_clear(&content);
    return error;
}

int tk_file_begin(const char *path, const void *text, size_t size)
{
    file_stat s;
    int fd = open_file(path, APPEND), error = 0;

    if (fd < 0)
        return errno;
    if (stat_open(fd, &s) != 0 ||
        (kind_of(&s) == TK_FILE_REGULAR && s.st_size == 0 &&
         write(fd, text, (unsigned int)size) != (int)size))
        error = errno != 0 ? errno : EIO;
    close(fd);
    return error;
}

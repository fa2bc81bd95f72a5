/* The state of a file, which changes when the file does. */
#include <sys/stat.h>

#include "tk_files.h"

static int64_t nanoseconds(int64_t seconds, int64_t rest)
{
    return seconds > INT64_MAX / 1000000000 ? INT64_MAX : seconds * 1000000000 + rest;
}

#ifdef _WIN32

wchar_t *tk_files_wide(const char *path, const char *more)
{
    int n = MultiByteToWideChar(CP_UTF8, 0, path, -1, NULL, 0);
    int m = MultiByteToWideChar(CP_UTF8, 0, more, -1, NULL, 0);
    wchar_t *w = n > 0 && m > 0 ? malloc(((size_t)n + (size_t)m) * sizeof *w) : NULL;

    if (w != NULL && (!MultiByteToWideChar(CP_UTF8, 0, path, -1, w, n) ||
                      !MultiByteToWideChar(CP_UTF8, 0, more, -1, w + n - 1, m))) {
        free(w);
        w = NULL;
    }
    return w;
}

static int64_t clock_now(void) { return nanoseconds((int64_t)time(NULL), 0); }

/* Windows counts in units of 100 nanoseconds, from 1601 on. */
static int64_t since_1970(LARGE_INTEGER t)
{
    return t.QuadPart > 0 ? (t.QuadPart - 116444736000000000) * 100 : 0;
}

static int why(void)
{
    DWORD error = GetLastError();

    return error == ERROR_ACCESS_DENIED || error == ERROR_SHARING_VIOLATION ? EACCES
           : error == ERROR_INVALID_NAME                                    ? EINVAL
                                                                            : ENOENT;
}

/* _wstat64 knows no number of a file, no time of its last change, and only whole seconds. */
static int look_at(HANDLE h, tk_file_state *into)
{
    BY_HANDLE_FILE_INFORMATION which;
    FILE_BASIC_INFO times;

    if (!GetFileInformationByHandle(h, &which) ||
        !GetFileInformationByHandleEx(h, FileBasicInfo, &times, sizeof times))
        return why();
    into->kind = which.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? TK_FILE_DIRECTORY
                 : GetFileType(h) == FILE_TYPE_DISK                ? TK_FILE_REGULAR
                                                                   : TK_FILE_OTHER;
    into->device = (int64_t)which.dwVolumeSerialNumber;
    into->inode = (int64_t)((uint64_t)which.nFileIndexHigh << 32 | which.nFileIndexLow);
    into->size = (int64_t)((uint64_t)which.nFileSizeHigh << 32 | which.nFileSizeLow);
    into->modified = since_1970(times.LastWriteTime);
    into->changed = since_1970(times.ChangeTime);
    return 0;
}

static int look(const char *path, tk_file_state *into)
{
    const DWORD all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    wchar_t *w = tk_files_wide(path, "");
    HANDLE h;
    int error;

    if (w == NULL)
        return EINVAL;
    h = CreateFileW(w, FILE_READ_ATTRIBUTES, all, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS,
                    NULL);
    error = h != INVALID_HANDLE_VALUE ? look_at(h, into) : why();
    free(w);
    if (h != INVALID_HANDLE_VALUE)
        CloseHandle(h);
    return error;
}

#else

#ifdef __APPLE__
static int64_t modified(const struct stat *s)
{
    return nanoseconds(s->st_mtimespec.tv_sec, s->st_mtimespec.tv_nsec);
}
static int64_t changed(const struct stat *s)
{
    return nanoseconds(s->st_ctimespec.tv_sec, s->st_ctimespec.tv_nsec);
}
#else
static int64_t modified(const struct stat *s)
{
    return nanoseconds(s->st_mtim.tv_sec, s->st_mtim.tv_nsec);
}
static int64_t changed(const struct stat *s)
{
    return nanoseconds(s->st_ctim.tv_sec, s->st_ctim.tv_nsec);
}
#endif

static int64_t clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return nanoseconds(t.tv_sec, t.tv_nsec);
}

static int kind_of(const struct stat *s)
{
    return S_ISREG(s->st_mode) ? TK_FILE_REGULAR : S_ISDIR(s->st_mode) ? TK_FILE_DIRECTORY
                                                                       : TK_FILE_OTHER;
}

static int look(const char *path, tk_file_state *into)
{
    struct stat s;

    if (stat(path, &s) != 0)
        return errno;
    into->kind = kind_of(&s);
    into->device = (int64_t)s.st_dev;
    into->inode = (int64_t)s.st_ino;
    into->size = (int64_t)s.st_size;
    into->modified = modified(&s);
    into->changed = changed(&s);
    return 0;
}

#endif

int tk_file_look(const char *path, tk_file_state *into)
{
    memset(into, 0, sizeof *into);
    into->now = clock_now(); /* before: what is written in between has to look young */
    return look(path, into);
}

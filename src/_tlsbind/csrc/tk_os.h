/* What differs between operating systems: locks, sockets, the clock. */
#ifndef TK_OS_H
#define TK_OS_H

#include <errno.h>
#include <stdint.h>
#include <time.h>

#ifdef _WIN32

#include <winsock2.h>
#include <windows.h>

/* a variable that each thread has one of; gcc takes the other spelling and does nothing */
#ifdef _MSC_VER
#define TK_THREAD __declspec(thread)
#else
#define TK_THREAD _Thread_local
#endif

typedef SOCKET tk_fd;
typedef CRITICAL_SECTION tk_mutex; /* always recursive */
typedef CONDITION_VARIABLE tk_condition;

static inline void tk_mutex_init(tk_mutex *m) { InitializeCriticalSection(m); }
static inline void tk_mutex_destroy(tk_mutex *m) { DeleteCriticalSection(m); }
static inline void tk_lock(tk_mutex *m) { EnterCriticalSection(m); }
static inline int tk_try_lock(tk_mutex *m) { return TryEnterCriticalSection(m); }
static inline void tk_unlock(tk_mutex *m) { LeaveCriticalSection(m); }
static inline void tk_condition_init(tk_condition *c) { InitializeConditionVariable(c); }
static inline void tk_condition_destroy(tk_condition *c) { (void)c; }
static inline void tk_condition_wait(tk_condition *c, tk_mutex *m)
{
    SleepConditionVariableCS(c, m, INFINITE);
}
static inline void tk_condition_broadcast(tk_condition *c) { WakeAllConditionVariable(c); }
static inline void tk_condition_signal(tk_condition *c) { WakeConditionVariable(c); }
static inline int tk_condition_wait_ms(tk_condition *c, tk_mutex *m, int ms)
{
    return SleepConditionVariableCS(c, m, (DWORD)ms) != 0;
}
static inline uint64_t tk_thread(void) { return GetCurrentThreadId(); }

/* Windows has no flag for one call: the socket itself must not block. Python makes it block again
   with each `settimeout`, so this is repeated before each call. */
static inline void tk_fd_unblock(tk_fd fd)
{
    u_long on = 1;
    ioctlsocket(fd, FIONBIO, &on);
}
static inline int tk_fd_size(size_t n) { return n > INT_MAX ? INT_MAX : (int)n; }
static inline int tk_fd_prepare(tk_fd fd) { (void)fd; return 1; }
static inline int tk_fd_recv(tk_fd fd, void *p, size_t n)
{
    tk_fd_unblock(fd);
    return recv(fd, p, tk_fd_size(n), 0);
}
static inline int tk_fd_peek(tk_fd fd, void *p, size_t n)
{
    tk_fd_unblock(fd);
    return recv(fd, p, tk_fd_size(n), MSG_PEEK);
}
static inline int tk_fd_peek_waiting(tk_fd fd, void *p, size_t n) { return tk_fd_peek(fd, p, n); }
static inline int64_t tk_fd_available(tk_fd fd)
{
    u_long n = 0;
    return ioctlsocket(fd, FIONREAD, &n) == 0 ? (int64_t)n : -1;
}
static inline int tk_fd_send(tk_fd fd, const void *p, size_t n)
{
    tk_fd_unblock(fd);
    return send(fd, p, tk_fd_size(n), 0);
}
static inline int tk_fd_errno(void) { return WSAGetLastError(); }
static inline int tk_fd_would_block(int e) { return e == WSAEWOULDBLOCK; }
static inline int tk_fd_poll(struct pollfd *p, int ms) { return WSAPoll(p, 1, ms); }
static inline void tk_fd_wake(tk_fd fd) { shutdown(fd, SD_BOTH); }
#define TK_POLL_MOST 50 /* milliseconds: nothing that another thread does ends WSAPoll for sure */
#define TK_EINTR WSAEINTR

static inline int64_t tk_clock_ms(void) { return (int64_t)GetTickCount64(); }
static inline int64_t tk_clock_ns(void)
{
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return (int64_t)((double)ticks.QuadPart / (double)per_second.QuadPart * 1e9);
}
static inline int32_t tk_atomic_add(int32_t *n, int32_t more)
{
    return (int32_t)InterlockedExchangeAdd((volatile LONG *)n, more) + more;
}
static inline void tk_atomic_store(int64_t *n, int64_t value)
{
    InterlockedExchange64((volatile LONG64 *)n, value);
}
static inline void tk_atomic_add64(int64_t *to, int64_t n)
{
    InterlockedExchangeAdd64((volatile LONG64 *)to, n);
}
static inline int64_t tk_atomic_load(int64_t *n)
{
    return InterlockedCompareExchange64((volatile LONG64 *)n, 0, 0);
}
static inline int32_t tk_atomic_load32(int32_t *n)
{
    return InterlockedCompareExchange((volatile LONG *)n, 0, 0);
}
static inline void tk_atomic_store32(int32_t *n, int32_t value)
{
    InterlockedExchange((volatile LONG *)n, value);
}
static inline int32_t tk_atomic_swap32(int32_t *n, int32_t value) /* what it was */
{
    return (int32_t)InterlockedExchange((volatile LONG *)n, value);
}
static inline void tk_pause(void) { Sleep(1); }
static inline void *tk_atomic_pointer(void **p)
{
    return InterlockedCompareExchangePointer((void *volatile *)p, NULL, NULL);
}
/* Set a pointer that is NULL: NULL, or what another thread has set. */
static inline void *tk_atomic_once(void **p, void *value)
{
    return InterlockedCompareExchangePointer((void *volatile *)p, value, NULL);
}
static inline void *tk_atomic_swap(void **place, void *value)
{
    return InterlockedExchangePointer((void *volatile *)place, value);
}
static inline int tk_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    (void)before, (void)in_parent, (void)in_child;
    return 1;
}

#else

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TK_THREAD _Thread_local

typedef int tk_fd;
typedef pthread_mutex_t tk_mutex;
typedef pthread_cond_t tk_condition;

static inline void tk_mutex_init(tk_mutex *m) { pthread_mutex_init(m, NULL); }
static inline void tk_mutex_destroy(tk_mutex *m) { pthread_mutex_destroy(m); }
static inline void tk_lock(tk_mutex *m) { pthread_mutex_lock(m); }
static inline int tk_try_lock(tk_mutex *m) { return pthread_mutex_trylock(m) == 0; }
static inline void tk_unlock(tk_mutex *m) { pthread_mutex_unlock(m); }
static inline void tk_condition_destroy(tk_condition *c) { pthread_cond_destroy(c); }
static inline void tk_condition_wait(tk_condition *c, tk_mutex *m) { pthread_cond_wait(c, m); }
static inline void tk_condition_broadcast(tk_condition *c) { pthread_cond_broadcast(c); }
static inline void tk_condition_signal(tk_condition *c) { pthread_cond_signal(c); }
static inline uint64_t tk_thread(void) { return (uint64_t)(uintptr_t)pthread_self(); }

/* Waits for a while by a monotonic clock: 0 when the time is over. */
#ifdef __APPLE__
static inline void tk_condition_init(tk_condition *c) { pthread_cond_init(c, NULL); }
static inline int tk_condition_wait_ms(tk_condition *c, tk_mutex *m, int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    return pthread_cond_timedwait_relative_np(c, m, &t) == 0;
}
#else
static inline void tk_condition_init(tk_condition *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}
static inline int tk_condition_wait_ms(tk_condition *c, tk_mutex *m, int ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    }
    return pthread_cond_timedwait(c, m, &t) == 0;
}
#endif

#ifdef MSG_NOSIGNAL
#define TK_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
static inline int tk_fd_prepare(tk_fd fd) { (void)fd; return 1; }
#else /* macOS before 15 */
#define TK_SEND_FLAGS MSG_DONTWAIT
static inline int tk_fd_prepare(tk_fd fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) == 0;
}
#endif

static inline ssize_t tk_fd_recv(tk_fd fd, void *p, size_t n)
{
    return recv(fd, p, n, MSG_DONTWAIT);
}
static inline ssize_t tk_fd_peek(tk_fd fd, void *p, size_t n)
{
    return recv(fd, p, n, MSG_DONTWAIT | MSG_PEEK);
}
/* if the socket blocks */
static inline ssize_t tk_fd_peek_waiting(tk_fd fd, void *p, size_t n)
{
    return recv(fd, p, n, MSG_PEEK);
}
static inline int64_t tk_fd_available(tk_fd fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) == 0 ? n : -1;
}
static inline ssize_t tk_fd_send(tk_fd fd, const void *p, size_t n)
{
    return send(fd, p, n, TK_SEND_FLAGS);
}
static inline int tk_fd_errno(void) { return errno; }
static inline int tk_fd_would_block(int e) { return e == EAGAIN || e == EWOULDBLOCK; }
static inline int tk_fd_poll(struct pollfd *p, int ms) { return poll(p, 1, ms); }
static inline void tk_fd_wake(tk_fd fd) { shutdown(fd, SHUT_RDWR); }
#define TK_POLL_MOST INT_MAX
#define TK_EINTR EINTR

static inline int32_t tk_atomic_add(int32_t *n, int32_t more)
{
    return __atomic_add_fetch(n, more, __ATOMIC_SEQ_CST);
}
static inline void tk_atomic_store(int64_t *n, int64_t value)
{
    __atomic_store_n(n, value, __ATOMIC_RELAXED);
}
static inline void tk_atomic_add64(int64_t *to, int64_t n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}
static inline int64_t tk_atomic_load(int64_t *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }
/* These three, and tk_atomic_add, are in one order that all threads see. */
static inline int32_t tk_atomic_load32(int32_t *n) { return __atomic_load_n(n, __ATOMIC_SEQ_CST); }
static inline void tk_atomic_store32(int32_t *n, int32_t value)
{
    __atomic_store_n(n, value, __ATOMIC_SEQ_CST);
}
static inline int32_t tk_atomic_swap32(int32_t *n, int32_t value) /* what it was */
{
    return __atomic_exchange_n(n, value, __ATOMIC_SEQ_CST);
}
static inline void tk_pause(void) /* a moment: another thread has something short to end */
{
    struct timespec t = { 0, 20000 };
    nanosleep(&t, NULL);
}
static inline void *tk_atomic_pointer(void **p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
/* Set a pointer that is NULL: NULL, or what another thread has set. */
static inline void *tk_atomic_once(void **p, void *value)
{
    void *before = NULL;

    __atomic_compare_exchange_n(p, &before, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return before;
}
static inline void *tk_atomic_swap(void **place, void *value)
{
    return __atomic_exchange_n(place, value, __ATOMIC_ACQ_REL);
}
static inline int tk_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    return pthread_atfork(before, in_parent, in_child) == 0;
}

static inline int64_t tk_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static inline int64_t tk_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
#endif

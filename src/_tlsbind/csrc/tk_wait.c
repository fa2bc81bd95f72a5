/* The one place that waits in the kernel. A signal is a status, not an error: Python's handlers have to run. */
#include "tk.h"

int tk_wait(tk_conn *c, int reading, int writing, int64_t ms)
{
    struct pollfd p = { 0 };
    int n;

    p.fd = (tk_fd)c->fd;
    p.events = (short)((reading ? POLLIN : 0) | (writing ? POLLOUT : 0));
    n = tk_fd_poll(&p, ms < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms);
    if (n > 0)
        return TK_DONE; /* also on POLLERR and POLLHUP: the next read or write tells what it is */
    if (n == 0)
        return TK_TIMED_OUT;
    return tk_fd_errno() == TK_EINTR ? TK_INTERRUPTED : TK_SYSCALL;
}

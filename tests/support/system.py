"""What a system lacks, or does in its own way: reasons to skip, and event loops."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

WINDOWS = sys.platform == "win32"


def _is_wine() -> bool:
    """Whether this Windows is wine, whose system library has a function that says so."""
    if sys.platform != "win32":
        return False
    import ctypes

    return hasattr(ctypes.windll.ntdll, "wine_get_version")


WINE = _is_wine()

#: On a plain socket too: a thread sits in recv(), another one shuts the socket down, and nothing
#: happens. Windows wakes the thread, as POSIX systems do.
needs_waking = pytest.mark.skipif(
    WINE, reason="wine: shutdown() does not wake a thread that waits in recv() or send()"
)

#: On a plain socket too: WSAPoll() reports the reset, and recv() returns 0 after it.
needs_resets = pytest.mark.skipif(WINE, reason="wine: a reset that poll has seen is an end to recv")

needs_modes = pytest.mark.skipif(WINDOWS, reason="Windows's files have no modes for others")
needs_unix_sockets = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="this Python has no Unix sockets"
)


def selector_loop() -> asyncio.AbstractEventLoop:
    """An event loop of asyncio's that tlskit's transport works with; not the default on Windows."""
    return asyncio.SelectorEventLoop() if WINDOWS else asyncio.new_event_loop()


def run_selecting(main: Coroutine[Any, Any, Any]) -> Any:
    """`asyncio.run` with a `selector_loop`."""
    if not WINDOWS:
        return asyncio.run(main)
    loop = selector_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)  # `main` too, if something other than its end stops the loop
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def stop_listening(listener: socket.socket) -> None:
    """Close a listening socket, and wake the thread that waits in its accept(): on Windows closing
    wakes it, and shutdown() fails; elsewhere it is the other way round.
    """
    if not WINDOWS:
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def assert_descriptor_closed(fd: int) -> None:
    """Fail if a socket's descriptor is still open. On Windows it is a handle, not a file's,
    and may be something else's by now, which is not a socket.
    """
    look = (lambda fd: socket.socket(fileno=fd).detach()) if WINDOWS else os.fstat
    with pytest.raises(OSError, match=r"Bad file descriptor|WinError"):
        look(fd)

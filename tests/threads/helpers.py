"""A server's handshake that waits for its store; a forked child."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import tlskit

from ..support import raw
from ..support.pairs import Background, memory_pair
from ..support.raw import Stage


def in_child(work: Callable[[], Any]) -> int:
    """Do it in a child of this process, that is ended after ten seconds, or twenty if it does not
    come to the work; its exit status: 0 when nothing was raised.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12 warns where there are threads
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # Python's would wait with the child
            signal.alarm(10)
            work()
            status = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(status)
    end = threading.Timer(20, os.kill, (pid, signal.SIGKILL))
    end.start()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        end.cancel()


class Slow(tlskit.MemoryStore):
    """A store whose look-ups wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()
        self.answer.set()

    def take(self, key: bytes) -> Any:
        return self._found(super().take(key))

    def get(self, key: bytes) -> Any:
        return self._found(super().get(key))

    def _found(self, value: Any) -> Any:
        self.asked.set()
        assert self.answer.wait(20)
        return value


@contextlib.contextmanager
def asking(stage: Stage, *, spoiled: bool = False) -> Iterator[tuple[Any, Slow]]:
    """A server's end whose handshake waits, in a thread, for what the store has; `spoiled`: the
    handshake will fail, because of what is done meanwhile.
    """
    server, client = stage.server(tlskit), stage.client(tlskit)
    server.sessions.store = store = Slow()
    near, _ = memory_pair(client, server)
    store.asked.clear()
    store.answer.clear()
    plain, other = raw.tcp_pair()
    other.settimeout(20)
    with server.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as end:
        end.settimeout(20)
        connecting = Background(
            lambda: client.wrap_socket(other, server_hostname="localhost", session=near.session)
        )
        shaking = Background(end.do_handshake)
        assert store.asked.wait(20)
        try:
            yield end, store
        finally:
            store.answer.set()
            if spoiled:
                socket.socket.shutdown(end, socket.SHUT_RDWR)
                assert shaking.error is None or isinstance(shaking.error, OSError)
                if connecting.error is None:  # with the child
                    connecting.result().close()
        if not spoiled:
            shaking.result()
            with connecting.result() as connected:
                assert connected.session_reused

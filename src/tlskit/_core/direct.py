"""The common operations of a connection in memory and over a socket, and of an event loop's
transport, without a Python frame: _tlsbind/direct/.

In memory they leave anything else to the connection's own methods: `read`, `write`, `do_handshake`,
`shutdown`, `_read_on`, `_write_on`, `_handshake_on`, `_shutdown_on` and `_decide`, and between the
stdlib's MemoryBIOs `_read_slowly` and `_return_leftover`.
"""

from __future__ import annotations

import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from threading import RLock

from _tlsbind import _native

from .native import address_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object


class Connection(Protocol):
    """A Connection (connection.py), as it is seen from here."""

    _conn: Any
    _native: Any


def _load() -> Any:
    """Return the extension's second module; None if there is none, as on PyPy."""
    name = "_tlsbind._direct"
    file = str(_native.__file__)
    loader = ExtensionFileLoader(name, file)
    spec = ModuleSpec(name, loader, origin=file)
    try:
        module = loader.create_module(spec)
        module.__spec__, module.__loader__, module.__file__ = spec, loader, file
        loader.exec_module(module)
    except ImportError:
        return None
    return sys.modules.setdefault(name, module)


_direct = _load()

#: A lock that the same thread may acquire again.
Lock: Any = RLock if _direct is None else _direct.Lock

#: The class under MemoryBIO; None if there is no such module.
Queue: Any = None if _direct is None else _direct.Queue


def _unopened(*_: object) -> None: ...


#: Open a connection over a socket or between two MemoryBIOs, and return an object that owns it.
#: None if it fails, or there is no such module: the same through cffi then tells why, or does it.
opened: Any = _unopened if _direct is None else _direct.open

#: Read the facts of a Session (session.py) from its address; None if there is no such module.
session_facts: Any = None if _direct is None else _direct.session_facts


def usual(
    connection: Connection,
    queues: tuple[Any, Any] = (None, None),
    locks: tuple[Any, Any] = (None, None),
) -> tuple[Any, Any, Any, Any, Any] | None:
    """Return `read`, `write`, `pending`, `do_handshake` and `shutdown` in C for a connection; None
    without that C module.

    Args:
        queues: the incoming and the outgoing MemoryBIO, if they are the stdlib's.
        locks: the locks for incoming and for outgoing bytes.
    """
    if _direct is None:
        return None
    owner, address = _owner_of(connection)
    made = _direct.Direct(
        owner, address, connection, queues[0], queues[1], locks[0], locks[1]
    )  # fmt: skip
    return made.read, made.write, made.pending, made.do_handshake, made.unwrap


def _owner_of(connection: Connection) -> tuple[Any, int]:
    """Return the object that owns the tk_conn, and the address of that."""
    owner = connection._native
    if owner is None:
        owner = connection._conn
        return owner, address_of(owner)
    return owner, owner.address


def traffic(connection: Connection, owner: Any) -> Any:
    """Return what carries a transport's bytes in C, as aio/_traffic.py describes it; None without
    that C module.
    """
    if _direct is None:
        return None
    return _direct.Traffic(address_of(connection._conn), connection, owner)


class Undirected:
    """The read and write of a connection over a socket, by its own methods."""

    __slots__ = ()

    def read(self, connection: Any, size: int, timeout: float | None, /) -> bytes:
        """Return up to `size` bytes."""
        data: bytes = connection.read(size, None, timeout)
        return data

    def read_into(self, connection: Any, size: int, buffer: Any, timeout: float | None, /) -> int:
        """Read up to `size` bytes into a buffer, or as many as it has room for if that is 0, and
        return how many.
        """
        n: int = connection.read(size, buffer, timeout)
        return n

    def write(self, connection: Any, data: Any, timeout: float | None, /) -> int:
        """Write `data`, and return how many bytes were written."""
        n: int = connection.write(data, timeout)
        return n


UNDIRECTED = Undirected()


def over_socket(connection: Connection) -> Any:
    """Return the read and write of a connection over a socket, in C if possible. Any unusual status
    goes to `_read_after` or `_write_after`.
    """
    if _direct is None:
        return UNDIRECTED
    return _direct.Blocking(*_owner_of(connection))

"""Measure full and resumed handshakes, with both ends in this process, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from ..._connection.object import SSLObject
from ..._context import SSLContext
from ..._core.bio import MemoryBIO
from ...enums import TLSVersion, _SSLMethod
from ...errors import SSLWantReadError
from ...sessions import SSLSession
from .clients import VERSIONS, client_context
from .place import NAME, ROOT, SERVER

_ROUNDS = 25


@dataclass(frozen=True)
class Timing:
    """The median time of a handshake of one kind, both ends together.

    Attributes:
        version: the protocol version.
        resumed: whether a session was resumed.
        milliseconds: the time.
    """

    version: str
    resumed: bool
    milliseconds: float


def timings(folder: Path) -> list[Timing]:
    """Measure both kinds with each protocol version, in turn."""
    found = []
    for name, version in VERSIONS.items():
        full, resumed = _measure(folder, version)
        found += [Timing(name, False, full), Timing(name, True, resumed)]
    return found


def _measure(folder: Path, version: TLSVersion) -> tuple[float, float]:
    server = SSLContext(_SSLMethod.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / SERVER)
    client = client_context(folder / ROOT, version)
    times: tuple[list[float], list[float]] = ([], [])
    session: SSLSession | None = None
    for _ in range(_ROUNDS):
        for kind, offered in enumerate((None, session)):
            if kind and offered is None:
                continue
            took, session = _handshake(client, server, offered)
            times[kind].append(took * 1000)
    return round(median(times[0]), 3), round(median(times[1]), 3)


def _handshake(
    client: SSLContext, server: SSLContext, session: SSLSession | None
) -> tuple[float, SSLSession | None]:
    upwards, downwards = MemoryBIO(), MemoryBIO()
    begun = perf_counter()
    near = client.wrap_bio(downwards, upwards, server_hostname=NAME, session=session)
    far = server.wrap_bio(upwards, downwards, server_side=True)
    open_ends: list[SSLObject] = [near, far]
    while open_ends:
        end = open_ends.pop(0)
        try:
            end.do_handshake()
        except SSLWantReadError:
            open_ends.append(end)
    took = perf_counter() - begun
    far.write(b"x")
    near.read(1)  # with TLS 1.3 the tickets arrive with the first read
    return took, near.session

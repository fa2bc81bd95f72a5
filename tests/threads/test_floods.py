"""A peer that sends messages without data, as fast as it can: tickets, KeyUpdates, HelloRequests.
It may not decide when a call returns, whichever it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import tlskit

from ..support import raw
from ..support.pairs import Background, shake
from ..support.pki import PKI
from ..support.raw import HANDSHAKE, Puppet, Sealer, Stage, watchdog

AT_ONCE = 5.0  # seconds; a flood lasts for much longer
TICKET = bytes([4, 0, 0, 14]) + struct.pack("!II", 7200, 1) + b"\0" + b"\0\1t" + b"\0\0"
HELLO_REQUEST = bytes(4)


class OldSealer:
    """A server's sending half of TLS 1.2 with ECDHE and AES-128-GCM (RFC 5288)."""

    def __init__(self, keylog: str, server_random: bytes) -> None:
        line = next(line for line in keylog.splitlines() if line.startswith("CLIENT_RANDOM "))
        client_random, master = (bytes.fromhex(word) for word in line.split()[1:])
        block, seed = b"", b"key expansion" + server_random + client_random
        a = seed
        while len(block) < 40:
            a = hmac.new(master, a, hashlib.sha256).digest()
            block += hmac.new(master, a + seed, hashlib.sha256).digest()
        self._cipher, self._iv = AESGCM(block[16:32]), block[36:40]
        self._sequence = 1  # its Finished was the first

    def seal(self, kind: int, body: bytes) -> bytes:
        explicit = self._sequence.to_bytes(8, "big")
        about = explicit + struct.pack("!BHH", kind, 0x0303, len(body))
        self._sequence += 1
        return raw.record(kind, explicit + self._cipher.encrypt(self._iv + explicit, body, about))


@contextlib.contextmanager
def against_server(
    stage: Stage, folder: Path, **options: Any
) -> Iterator[tuple[Any, Puppet, Callable[[bytes], bytes], Sealer | None]]:
    """A client's end after the handshake, the server's puppet, and what seals a message as the
    server would.
    """
    server, client = stage.server(), stage.client(tlskit)
    server.keylog_filename = str(folder / "keys")
    server.num_tickets = 0
    if stage.version < tlskit.TLSVersion.TLSv1_3:
        client.set_ciphers("ECDHE+AESGCM+AES128")
    with stage.meeting(client, server, **options) as (end, puppet):
        flight = bytearray()
        send = puppet.send
        puppet.send = lambda data: (flight.extend(data), send(data))[1]  # type: ignore[method-assign]
        shaking = Background(puppet.shake)
        end.do_handshake()
        shaking.result()
        puppet.send = send  # type: ignore[method-assign]
        keylog = (folder / "keys").read_text()
        if stage.version < tlskit.TLSVersion.TLSv1_3:
            old = OldSealer(keylog, bytes(flight[11:43]))
            yield end, puppet, lambda message: old.seal(HANDSHAKE, message), None
        else:
            new = Sealer.from_keylog(keylog, "SERVER_TRAFFIC_SECRET_0")
            yield end, puppet, lambda message: new.seal(HANDSHAKE, message), new


FLOODS = {
    "tickets": (tlskit.TLSVersion.TLSv1_3, TICKET * 900),
    "updates": (tlskit.TLSVersion.TLSv1_3, b""),
    "requests": (tlskit.TLSVersion.TLSv1_2, HELLO_REQUEST * 4000),
}


@pytest.fixture(params=FLOODS)
def flooded(request: Any, pki: PKI, tmp_path: Path) -> Iterator[tuple[Any, Puppet]]:
    """A client's end whose server sends nothing but these messages, until it is closed."""
    version, packed = FLOODS[request.param]
    stopped = threading.Event()
    with against_server(Stage(pki, version), tmp_path) as (end, puppet, seal, sealer):

        def flood() -> None:
            with contextlib.suppress(OSError):
                while not stopped.is_set():
                    if packed:
                        puppet.sock.sendall(seal(packed))
                    else:
                        assert sealer is not None
                        puppet.sock.sendall(
                            b"".join(sealer.key_update(requested=False) for _ in range(200))
                        )

        flooding = Background(flood)
        try:
            yield end, puppet
        finally:
            stopped.set()
            for sock in (end, puppet.sock):
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            flooding.result()


def elapsed(work: Callable[[], Any]) -> float:
    begun = time.monotonic()
    with contextlib.suppress(ValueError):  # "handshake not done yet": a renegotiation is under way
        work()
    return time.monotonic() - begun


QUESTIONS = {
    "version": lambda end: end.version(),
    "cipher": lambda end: end.cipher(),
    "pending": lambda end: end.pending(),
    "certificate": lambda end: end.getpeercert(),
    "session": lambda end: end.session,
    "info": lambda end: end.info,
}


def test_questions_are_answered_while_another_thread_reads(flooded):
    end, _ = flooded
    end.settimeout(None)
    with watchdog(end):
        reading = Background(lambda: end.recv(100))
        for _ in range(20):
            for name, question in QUESTIONS.items():
                assert elapsed(lambda: question(end)) < AT_ONCE, name  # noqa: B023
        end.close()
        assert isinstance(reading.error, OSError)


def test_close_ends_a_reader(flooded):
    end, _ = flooded
    end.settimeout(None)
    reading = Background(lambda: end.recv(100))
    for _ in range(10):
        end.version()
    assert elapsed(end.close) < AT_ONCE
    assert isinstance(reading.error, OSError)
    assert end.fileno() == -1


def test_close_alone(flooded):
    """Nothing was read yet, so a client looks for its tickets first, but not for all of these."""
    end, _ = flooded
    assert elapsed(end.close) < AT_ONCE


def test_timeout_is_kept(flooded):
    end, _ = flooded
    end.settimeout(0.3)
    with watchdog(end):
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            end.recv(100)
        assert 0.3 <= time.monotonic() - begun < AT_ONCE


def test_timeout_of_a_shutdown_is_kept(flooded):
    end, _ = flooded
    end.settimeout(0.3)
    with watchdog(end):
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            end.unwrap()
        assert time.monotonic() - begun < AT_ONCE


def test_reader_that_does_not_block_comes_back(flooded):
    end, _ = flooded
    end.settimeout(0)
    for _ in range(5):

        def read() -> None:
            with pytest.raises(tlskit.SSLWantReadError):
                end.recv(100)

        assert elapsed(read) < AT_ONCE


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers of signals here")
def test_signal_ends_a_reader(flooded):
    class Rang(Exception):
        pass

    def ring(*arguments: object) -> None:
        raise Rang

    end, _ = flooded
    end.settimeout(None)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        with watchdog(end):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            begun = time.monotonic()
            with pytest.raises(Rang):
                end.recv(100)
            assert time.monotonic() - begun < AT_ONCE
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_writer_has_its_turn(flooded):
    end, _ = flooded
    if end.version() == "TLSv1.2":
        pytest.skip("the client has begun a renegotiation, and a writer waits for its end")
    end.settimeout(None)
    with watchdog(end):
        reading = Background(lambda: end.recv(100))
        assert elapsed(lambda: end.send(b"hello")) < AT_ONCE
        end.close()
        assert isinstance(reading.error, OSError)


# -- what comes behind them ------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [True, False])
def test_data_behind_them_arrives(pki: PKI, tmp_path: Path, blocking: bool) -> None:
    with against_server(Stage(pki, tlskit.TLSVersion.TLSv1_3), tmp_path) as (end, puppet, seal, s):
        assert s is not None
        data = b"".join(seal(TICKET * 900) for _ in range(3)) + s.key_update(requested=True)
        sending = Background(lambda: puppet.sock.sendall(data + s.seal(23, b"behind them")))
        if not blocking:
            end.settimeout(0)
        got = b""

        def read() -> bool:
            nonlocal got
            with contextlib.suppress(tlskit.SSLWantReadError):
                got += end.recv(100)
            return got == b"behind them"

        raw.until(read)
        sending.result()
        end.settimeout(20)
        end.sendall(b"under new keys")


def test_in_memory(pki: PKI, tmp_path: Path) -> None:
    """Nobody announces what is in memory already: one call takes it all in."""
    stage = Stage(pki, tlskit.TLSVersion.TLSv1_3)
    client, server = stage.client(tlskit), stage.server(tlskit)
    server.keylog_filename, server.num_tickets = str(tmp_path / "keys"), 0
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    sealer = Sealer.from_keylog((tmp_path / "keys").read_text(), "SERVER_TRAFFIC_SECRET_0")
    to_client.write(sealer.seal(HANDSHAKE, TICKET * 900))
    for _ in range(500):
        to_client.write(sealer.key_update(requested=False))
    with pytest.raises(tlskit.SSLWantReadError):
        near.read(100)
    assert to_client.pending == 0
    to_client.write(sealer.seal(HANDSHAKE, TICKET * 900) + sealer.seal(23, b"behind them"))
    assert near.read(100) == b"behind them"

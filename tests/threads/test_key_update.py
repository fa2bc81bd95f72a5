"""KeyUpdate of TLS 1.3 (RFC 8446, 4.6.3): the peer changes its keys, and asks us to, whatever we
are doing.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tlskit

from ..support import peers, raw
from ..support.pairs import Background
from ..support.pki import PKI
from ..support.raw import Sealer, Stage, until, writable

BIG = os.urandom(1 << 20)
needs_openssl = pytest.mark.skipif(peers.version() is None, reason="there is no openssl command")


@pytest.fixture
def stage(pki: PKI) -> Stage:
    return Stage(pki, tlskit.TLSVersion.TLSv1_3)


@contextmanager
def against_sealer(
    stage: Stage, folder: Path, *, small: bool = False
) -> Iterator[tuple[Any, raw.Puppet, Sealer]]:
    """A server's end, a client's puppet after the handshake, and what seals records with the
    client's keys.
    """
    client = stage.client()
    client.keylog_filename = str(folder / "keys")
    server = stage.server(tlskit)
    server.num_tickets = 0
    with stage.meeting(server, client, small=small) as (end, puppet):
        shaking = Background(puppet.shake)
        end.do_handshake()
        shaking.result()
        yield (
            end,
            puppet,
            Sealer.from_keylog((folder / "keys").read_text(), "CLIENT_TRAFFIC_SECRET_0"),
        )


def collect(end: Any, size: int) -> bytes:
    got = bytearray()
    while len(got) < size and (data := end.recv(65536)):
        got += data
    return bytes(got)


def test_keys_change_between_data(stage: Stage, tmp_path: Path) -> None:
    with against_sealer(stage, tmp_path) as (end, puppet, sealer):
        puppet.send(sealer.seal(raw.APPLICATION_DATA, b"old") + sealer.key_update(requested=False))
        puppet.send(sealer.seal(raw.APPLICATION_DATA, b"new", padding=7))
        assert collect(end, 6) == b"oldnew"
        end.sendall(b"our keys are as they were")
        assert puppet.read() == b"our keys are as they were"


def test_keys_are_asked_for(stage: Stage, tmp_path: Path) -> None:
    """OpenSSL answers before the next thing that it sends, which is then under the next key."""
    with against_sealer(stage, tmp_path) as (end, puppet, sealer):
        for _ in range(3):
            puppet.send(
                sealer.key_update(requested=True) + sealer.seal(raw.APPLICATION_DATA, b"asked")
            )
            assert end.recv(100) == b"asked"
            end.sendall(b"answered")
            with raw.watchdog(puppet.sock):
                raw.until(
                    lambda: (
                        len(puppet.sock.recv(65536, socket.MSG_PEEK)) > 22 + 22 + len(b"answered")
                    )
                )
            assert puppet.read() == b"answered"


def test_keys_are_asked_for_while_a_write_is_stuck(stage: Stage, tmp_path: Path) -> None:
    """By a reader that is blocked, and by one that does not wait."""
    with (
        against_sealer(stage, tmp_path, small=True) as (end, puppet, sealer),
        raw.watchdog(end, puppet.sock),
    ):
        end.settimeout(None)
        reading = raw.Blocked(lambda: end.recv(100))
        writing = raw.Blocked(lambda: end.sendall(BIG))
        puppet.send(sealer.key_update(requested=True) + sealer.seal(raw.APPLICATION_DATA, b"asked"))
        assert reading.result() == b"asked"
        puppet.send(sealer.key_update(requested=True) + sealer.seal(raw.APPLICATION_DATA, b"again"))
        assert end.recv(100) == b"again"
        got = bytearray()
        while len(got) < len(BIG):
            got += puppet.read()
        assert got == BIG
        writing.result()
        end.sendall(b"and on")
        assert puppet.read() == b"and on"


def sent_until_full(end: Any) -> int:
    done = 0
    while True:
        try:
            done += end.send(BIG[done:])
        except tlskit.SSLWantWriteError:
            return done


def test_keys_are_asked_for_in_the_middle_of_an_unfinished_write(
    stage: Stage, tmp_path: Path
) -> None:
    """On a socket that does not block: the write is repeated after the answer has got between."""
    with against_sealer(stage, tmp_path, small=True) as (end, puppet, sealer):
        end.setblocking(False)
        done = sent_until_full(end)
        puppet.send(sealer.key_update(requested=True) + sealer.seal(raw.APPLICATION_DATA, b"asked"))
        until(lambda: raw.readable(end))
        assert end.recv(100) == b"asked"
        end.settimeout(20)
        writing = Background(lambda: end.sendall(BIG[done:]))
        got = bytearray()
        while len(got) < len(BIG):
            got += puppet.read()
        assert got == BIG
        writing.result()


def test_flood_of_requests_is_bounded(stage: Stage, tmp_path: Path) -> None:
    """A peer that asks for ever and reads nothing is not read any more; its answers would take more
    than a mebibyte.
    """
    with against_sealer(stage, tmp_path, small=True) as (end, puppet, sealer):
        end.settimeout(None)
        reading = raw.Blocked(lambda: end.recv(100))
        puppet.sock.settimeout(0.5)

        def ask_without_end() -> None:
            for _ in range(600):
                asked = b"".join(sealer.key_update(requested=True) for _ in range(100))
                puppet.sock.sendall(asked)

        with raw.watchdog(end), pytest.raises(TimeoutError):
            ask_without_end()
        end.close()
        assert isinstance(reading.error, OSError)
        assert reading.error.errno == errno.EBADF  # it has not failed before, but waited


def _through_relay(address: Any, listener: socket.socket) -> raw.Relay:
    far = socket.create_connection(address)
    near, _ = listener.accept()
    return raw.Relay(near, far)


@needs_openssl
@pytest.mark.parametrize("blocked", ["reader waits", "nobody reads"])
def test_s_client_asks_while_a_write_is_stuck(stage: Stage, blocked: str) -> None:
    """OpenSSL's own client, and a relay that lets its words through but holds back ours."""
    with (
        socket.create_server(("127.0.0.1", 0)) as serving,
        socket.create_server(("127.0.0.1", 0)) as relaying,
    ):
        accepting = Background(serving.accept)
        relayed = Background(lambda: _through_relay(serving.getsockname(), relaying))
        with peers.s_client(relaying.getsockname(), stage.pki.root, "-tls1_3", "-brief") as client:
            plain, _ = accepting.result()
            with (
                relayed.result() as relay,
                stage.server(tlskit).wrap_socket(plain, server_side=True) as end,
                raw.watchdog(end),
            ):
                client.say(b"hello\n")
                assert end.recv(100) == b"hello\n"
                relay.hold("to_near")
                text = b"".join(b"%07d\n" % i for i in range(1 << 20))
                writing = raw.Blocked(lambda: end.sendall(text))
                until(lambda: not writable(end))
                reading = raw.Blocked(lambda: end.recv(100)) if blocked == "reader waits" else None
                client.say(b"K\n")
                client.expect("KEYUPDATE")
                client.say(b"words\n")
                got = reading.result() if reading else end.recv(100)
                assert got == b"words\n"
                relay.release("to_near")
                writing.result(30)
                end.sendall(b"the last line\n")
                client.expect("the last line")
                said = client.output.encode()
                assert said[said.index(b"0000000\n") :].startswith(text)

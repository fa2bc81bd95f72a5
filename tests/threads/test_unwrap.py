"""unwrap() while other threads wait in recv: they get the last of the peer's data, and then its
end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tlskit

from ..support import raw
from ..support.pki import PKI
from ..support.raw import Stage, until
from ..support.system import needs_resets


@pytest.fixture
def stage(pki: PKI, version: tlskit.TLSVersion) -> Stage:
    return Stage(pki, version, ignores_eof=False)


@pytest.fixture(params=[None, 20.0], ids=["blocking", "timeout"])
def ends(request: pytest.FixtureRequest, stage: Stage) -> Iterator[tuple[Any, raw.Puppet]]:
    with stage.connected(tlskit) as (end, puppet), raw.watchdog(end):
        end.settimeout(request.param)
        yield end, puppet


@pytest.mark.parametrize("readers", [1, 3])
def test_readers_see_the_end(ends: Any, readers: int) -> None:
    """All of them, and before the socket is closed; it is a plain one now, and none of its bytes
    went to them.
    """
    end, puppet = ends
    reading = [raw.Blocked(lambda: end.recv(100)) for _ in range(readers)]
    unwrapping = raw.Blocked(end.unwrap)
    assert puppet.read() == b""
    puppet.send(puppet.farewell())
    assert unwrapping.result(5) is end
    assert [thread.result(5) for thread in reading] == [b""] * readers
    puppet.send(b"plain")
    assert end.recv(100) == b"plain"


def test_buffers_see_the_end(ends: Any) -> None:
    end, puppet = ends
    reading = raw.Blocked(lambda: end.recv_into(bytearray(10)))
    unwrapping = raw.Blocked(end.unwrap)
    puppet.send(puppet.farewell())
    assert reading.result(5) == 0
    unwrapping.result(5)


def test_what_comes_before_the_end_is_the_reader_s(ends: Any) -> None:
    """The peer may send on until it has seen our close_notify (RFC 8446, 6.1); only without a
    reader is that an error.
    """
    end, puppet = ends
    got: list[bytes] = []

    def read() -> None:
        while data := end.recv(100):
            got.append(data)

    reading = raw.Blocked(read)
    unwrapping = raw.Blocked(end.unwrap)
    assert raw.records(puppet.sock.recv(65536, 2))  # MSG_PEEK: close_notify has gone
    puppet.send(puppet.seal(b"last"))
    until(lambda: got)
    puppet.send(puppet.seal(b"words") + puppet.farewell())
    reading.result(5)
    unwrapping.result(5)
    assert b"".join(got) == b"lastwords"


def test_plaintext_is_not_the_reader_s(ends: Any) -> None:
    """What follows close_notify in the same packet comes out of the plain socket."""
    end, puppet = ends
    reading = raw.Blocked(lambda: end.recv(100))
    unwrapping = raw.Blocked(end.unwrap)
    assert raw.records(puppet.sock.recv(65536, 2))
    puppet.send(puppet.farewell() + b"plain")
    assert reading.result(5) == b""
    assert unwrapping.result(5).recv(100) == b"plain"


def test_unwrap_times_out_and_the_reader_stays(stage: Stage) -> None:
    with stage.connected(tlskit) as (end, puppet), raw.watchdog(end):
        end.settimeout(None)
        reading = raw.Blocked(lambda: end.recv(100))
        end.settimeout(0.1)
        with pytest.raises(TimeoutError):
            end.unwrap()
        end.settimeout(20)
        puppet.send(puppet.seal(b"late"))
        assert reading.result(5) == b"late"
        puppet.send(puppet.farewell())
        assert end.unwrap() is end


def test_reader_that_leaves_hands_over(stage: Stage) -> None:
    """Its time is over before the peer has answered: unwrap reads by itself then."""
    with stage.connected(tlskit) as (end, puppet), raw.watchdog(end):
        end.settimeout(0.3)
        reading = raw.Blocked(lambda: end.recv(100))
        end.settimeout(None)
        unwrapping = raw.Blocked(end.unwrap)
        assert isinstance(reading.error, TimeoutError)
        puppet.send(puppet.farewell())
        unwrapping.result(5)


@pytest.mark.parametrize("cut", ["end", pytest.param("reset", marks=needs_resets)])
def test_connection_breaks_instead(ends: Any, cut: str) -> None:
    end, puppet = ends
    reading = raw.Blocked(lambda: end.recv(100))
    unwrapping = raw.Blocked(end.unwrap)
    if cut == "end":
        puppet.sock.shutdown(1)
        assert reading.result(5) == b""  # as without unwrap: a ragged end is one
    else:
        raw.reset(puppet.sock)
        assert isinstance(reading.error, ConnectionResetError)
    assert isinstance(unwrapping.error, OSError)


def test_readers_of_a_peer_s_end(ends: Any) -> None:
    """Without unwrap, too, a close_notify that the first of several readers takes in ends the
    others.
    """
    end, puppet = ends
    reading = [raw.Blocked(lambda: end.recv(100)) for _ in range(3)]
    puppet.send(puppet.farewell())
    assert [thread.result(5) for thread in reading] == [b""] * 3

"""Every row of the error translation, against a peer that misbehaves that way.

Each scenario runs twice, with tlskit and with the stdlib's ssl, and both have to say the same:
class, number, library, reason, words. What tlskit adds (`errors`, the alerts, the refused
certificate) is looked at after that.
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import ssl as stdlib
import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import tlskit
from tlskit.errors import ErrorEntry

from ..support import raw
from ..support.names import alert_reason, knows_reason, spoilt_record
from ..support.pairs import Background, only
from ..support.pki import PKI, Identity
from ..support.pypy import PYPY
from ..support.raw import Stage, readable

TLS12, TLS13 = stdlib.TLSVersion.TLSv1_2, stdlib.TLSVersion.TLSv1_3
ALERT = stdlib._TLSAlertType  # with the newer ones, which AlertDescription lacks
HTTP_ANSWER = b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

Scenario = Callable[[ModuleType], BaseException]


@pytest.fixture
def stage(pki: PKI, version: stdlib.TLSVersion) -> Stage:
    return Stage(pki, version, ignores_eof=False)


def failure(call: Callable[..., Any], *args: Any) -> BaseException:
    """What a call raises, without the frames that it went through: they would keep sockets and
    buffers alive.
    """
    try:
        value = call(*args)
    except Exception as error:
        return error.with_traceback(None)
    raise AssertionError(f"it did not fail, but returned {value!r}")


#: What goes wrong, and how it is called, is libssl's to say, and changes with its versions.
ONE_OPENSSL = tlskit.OPENSSL_VERSION_INFO[:2] == stdlib.OPENSSL_VERSION_INFO[:2]


def both(scenario: Scenario, *, since: tuple[int, int] = (3, 10)) -> Any:
    """Run it with both modules, compare, and return tlskit's exception.

    Args:
        since: the first Python whose own module says the right thing there; before it, tlskit's is
            not compared.
    """
    ours = scenario(tlskit)
    if sys.version_info >= since and ONE_OPENSSL:
        theirs = scenario(stdlib)
        expected = said(ours) if knows_reason(theirs) else without_reason(said(ours))
        assert expected == said(theirs)
    return ours


def without_reason(facts: dict[str, Any]) -> dict[str, Any]:
    """What the error of a module that has no name for the reason says."""
    label = f"[{facts['library']}: {facts['reason']}] "

    def shorter(value: Any) -> Any:
        return value.replace(label, f"[{facts['library']}] ") if isinstance(value, str) else value

    args = [shorter(value) for value in facts["args"]]
    return {**facts, "reason": None, "args": args, "str": shorter(facts["str"])}


#: Before, the stdlib lost the errno of a reset on its way, and took it for an end without
#: close_notify (gh-115627).
ERRNO_KEPT = (3, 13)


def said(error: BaseException) -> dict[str, Any]:
    facts = {
        name: getattr(error, name, None)
        for name in ("errno", "library", "reason", "verify_code", "verify_message")
    }
    # the place, and the number of an error without a text, which the stdlib gives from 3.14 on
    place = re.compile(r"^_ssl\.c:\d+: | \(_ssl\.c:\d+\)$| \(0x[0-9a-f]+\)(?= \(_ssl|$)")
    hint = getattr(error, "hint", "")  # tlskit's own part of the message

    def plain(text: str) -> str:
        if not hint:
            return place.sub("", text).rstrip(".")
        assert text.endswith(f". {hint}")
        return place.sub("", text.removesuffix(f". {hint}"))

    args = [plain(value) if isinstance(value, str) else value for value in error.args]
    kind, text = type(error), plain(str(error))
    if (kind, facts["reason"]) == (stdlib.SSLError, "UNEXPECTED_EOF_WHILE_READING"):
        # as a stdlib that ignores such an end by default calls it when it is told not to
        kind, facts["errno"] = stdlib.SSLEOFError, stdlib.SSL_ERROR_EOF
        text = "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol"
        args = [facts["errno"], text]
    if PYPY:  # its own module has OpenSSL's words alone, and a class for fewer of the failures
        return {"errno": facts["errno"], "library": facts["library"]}
    return {"class": kind, "args": args, "str": text, **facts}


def shake_against(
    end: Any, puppet: raw.Puppet
) -> tuple[BaseException | None, BaseException | None]:
    """Make the handshake of both, and the first read of both after it; what each has raised, the
    end's first.
    """

    def talk(
        handshake: Callable[[], Any], write: Callable[[bytes], Any], read: Callable[[int], bytes]
    ) -> None:
        handshake()
        write(b"x")
        assert read(1) == b"x"

    other = Background(
        lambda: talk(puppet.shake, lambda data: puppet.run(puppet.tls.write, data), puppet.read)
    )
    try:
        talk(end.do_handshake, end.sendall, end.recv)
    except Exception as error:
        mine = error.with_traceback(None)
    else:
        mine = None
    with_alert = other.error
    return mine, with_alert


def refusals(meet: Callable[[ModuleType], Any]) -> tuple[Any, Any]:
    """Both modules in a handshake that fails, as `shake_against` tells: compared, and tlskit's
    pair.
    """

    def meeting(module: ModuleType) -> tuple[BaseException | None, BaseException | None]:
        with meet(module) as (end, puppet):
            return shake_against(end, puppet)

    theirs, ours = meeting(stdlib), meeting(tlskit)
    assert not ONE_OPENSSL or [error and said(error) for error in ours] == [
        error and said(error) for error in theirs
    ]
    return ours


# -- the transport ends, or stalls -----------------------------------------------------------------

_HALF = raw.record(raw.HANDSHAKE, bytes(64))
BEGINNINGS = {
    "at once": b"",
    "one byte": _HALF[:1],
    "a header": _HALF[:5],
    "half a record": _HALF[:30],
}


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("prefix", BEGINNINGS.values(), ids=BEGINNINGS)
def test_handshake_meets_the_end(stage: Stage, side: str, prefix: bytes) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(getattr(stage, side)(module)) as (end, far):
            far.sendall(prefix)
            far.shutdown(socket.SHUT_WR)
            return failure(end.do_handshake)

    error = both(scenario)
    assert type(error) is tlskit.SSLEOFError
    assert error.args[0] == tlskit.SSL_ERROR_EOF
    assert error.alert_received is None


@raw.needs_resets
def test_handshake_meets_a_reset(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            shaking = Background(end.do_handshake)
            assert far.recv(65536)
            raw.reset(far)
            return shaking.error

    assert both(scenario).errno == errno.ECONNRESET


def test_handshake_begins_after_a_reset(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            raw.reset(far)
            return failure(end.do_handshake)

    assert isinstance(both(scenario), OSError)


@pytest.mark.parametrize(
    "prefix", [b"", b"\x16\x03\x03\x00\x40\x02"], ids=["silence", "half a record"]
)
def test_handshake_times_out(stage: Stage, prefix: bytes) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            far.sendall(prefix)
            end.settimeout(0.02)
            return failure(end.do_handshake)

    assert type(both(scenario)) is TimeoutError


def test_read_times_out_and_goes_on(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            sealed = puppet.seal(b"slow")
            puppet.send(sealed[:-1])
            end.settimeout(0.02)
            error = failure(end.recv, 4)
            assert said(failure(end.recv, 4)) == said(error)
            puppet.send(sealed[-1:])
            end.settimeout(20)
            assert end.recv(4) == b"slow"
            return error

    assert type(both(scenario)) is TimeoutError


def test_write_times_out(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, _):
            end.settimeout(0.02)
            return failure(end.sendall, bytes(1 << 24))

    assert type(both(scenario)) is TimeoutError


def test_unwrap_times_out(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, _):
            end.settimeout(0.02)
            return failure(end.unwrap)

    assert type(both(scenario)) is TimeoutError


@raw.needs_resets
@pytest.mark.parametrize("operation", ["recv", "recv_into", "unwrap"])
def test_reset(stage: Stage, operation: str) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            raw.reset(puppet.sock)
            return failure(
                getattr(end, operation),
                *{"recv": (1,), "recv_into": (bytearray(1),), "unwrap": ()}[operation],
            )

    error = both(scenario, since=ERRNO_KEPT)
    assert error.errno in (errno.ECONNRESET, errno.EPIPE)
    assert not isinstance(error, tlskit.SSLError)


@raw.needs_resets
def test_reset_while_waiting(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            reading = raw.Blocked(lambda: end.recv(1))
            raw.reset(puppet.sock)
            return reading.error

    assert type(both(scenario, since=ERRNO_KEPT)) is ConnectionResetError


def test_reset_then_write(stage: Stage) -> None:
    """The first write tells of the RST; those after it fail too, with the same errno or another."""

    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            raw.reset(puppet.sock)
            first = failure(end.send, b"x")
            for _ in range(2):
                assert isinstance(failure(end.send, b"x"), ConnectionError)
            return first

    assert type(both(scenario, since=ERRNO_KEPT)) is ConnectionResetError


@raw.needs_resets
def test_data_before_a_reset_comes_first(stage: Stage) -> None:
    """A record that is whole is delivered; what is wrong with the rest is told by the next read."""

    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            puppet.send(puppet.seal(b"first") + puppet.seal(b"second")[:7])
            raw.until(lambda: readable(end))
            raw.reset(puppet.sock)
            assert end.recv(100) == b"first"
            return failure(end.recv, 100)

    assert type(both(scenario, since=ERRNO_KEPT)) is ConnectionResetError


TRUNCATIONS = {"no close_notify": 0, "in a header": 3, "in a body": 12}


@pytest.mark.parametrize("size", TRUNCATIONS.values(), ids=TRUNCATIONS)
def test_truncation(stage: Stage, size: int) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module, suppress_ragged_eofs=False) as (end, puppet):
            puppet.send(puppet.seal(b"data")[:size])
            puppet.sock.shutdown(socket.SHUT_WR)
            return failure(end.recv, 4)

    error = both(scenario)
    assert type(error) is tlskit.SSLEOFError
    assert (error.library, error.reason) == ("SSL", "UNEXPECTED_EOF_WHILE_READING")


@pytest.mark.parametrize("size", TRUNCATIONS.values(), ids=TRUNCATIONS)
def test_data_before_a_truncation_comes_first(stage: Stage, size: int) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module, suppress_ragged_eofs=False) as (end, puppet):
            puppet.send(puppet.seal(b"first") + puppet.seal(b"second")[:size])
            puppet.sock.shutdown(socket.SHUT_WR)
            assert end.recv(100) == b"first"
            return failure(end.recv, 100)

    assert type(both(scenario)) is tlskit.SSLEOFError


@pytest.mark.parametrize("suppressed", [True, False])
@pytest.mark.parametrize("size", TRUNCATIONS.values(), ids=TRUNCATIONS)
@pytest.mark.parametrize("side", ["client", "server"])
def test_an_end_that_is_ignored(
    pki: PKI, version: stdlib.TLSVersion, side: str, size: int, suppressed: bool
) -> None:
    """With OP_IGNORE_UNEXPECTED_EOF, which Debian's 3.11 sets by itself, both modules agree on
    every step after a truncation: reading, reading again, and writing.
    """
    stage = Stage(pki, version, ignores_eof=True)

    def attempt(call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except OSError as error:
            return said(error)

    def scenario(module: ModuleType) -> list[Any]:
        with stage.connected(module, server=side == "server", suppress_ragged_eofs=suppressed) as (
            end,
            puppet,
        ):
            puppet.send(puppet.seal(b"first") + puppet.seal(b"second")[:size])
            puppet.sock.shutdown(socket.SHUT_WR)
            calls = [(end.recv, 100)] * 3 + [(end.send, b"x"), (end.pending,)]
            return [attempt(*call) for call in calls]

    ours = scenario(tlskit)
    assert ours[:2] == [b"first", b""]
    if ONE_OPENSSL:
        assert ours == scenario(stdlib)


def test_failure_is_told_again(stage: Stage) -> None:
    """What has failed for good says so every time."""

    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module, suppress_ragged_eofs=False) as (end, puppet):
            puppet.send(puppet.seal(b"first") + puppet.seal(b"second")[:7])
            puppet.sock.shutdown(socket.SHUT_WR)
            assert end.recv(100) == b"first"
            failure(end.recv, 100)
            return failure(end.recv, 100)

    ours, theirs = scenario(tlskit), scenario(stdlib)
    assert isinstance(ours, tlskit.SSLError)
    assert isinstance(theirs, tlskit.SSLError)


def test_unwrap_meets_the_end(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            puppet.sock.shutdown(socket.SHUT_WR)
            return failure(end.unwrap)

    assert isinstance(both(scenario), tlskit.SSLError)


def test_write_after_the_peer_closed(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            puppet.send(puppet.farewell())
            assert end.recv(1) == b""
            end.sendall(b"one may still write")
            assert puppet.sock.recv(100)
            puppet.sock.close()
            for _ in range(1000):
                try:
                    end.sendall(b"x")
                except OSError as error:
                    return error
            raise AssertionError("nobody told")

    assert type(both(scenario)) in (
        tlskit.SSLZeroReturnError,
        BrokenPipeError,  # from OpenSSL 3.2 on
        *([ConnectionResetError] if sys.platform == "win32" else ()),
    )


def test_a_refused_peer_sees_the_alert_and_no_reset(stage: Stage) -> None:
    """What else it has sent was never read: closed over that, the socket would reset the
    connection.
    """
    with stage.connected(tlskit) as (end, puppet):
        puppet.send(raw.flipped(puppet.seal(b"bad")) + puppet.seal(b"more") * 100)
        assert isinstance(failure(end.recv, 100), tlskit.SSLError)
        end.close()
        told = failure(puppet.read)
        assert isinstance(told, stdlib.SSLError)
        assert told.reason == alert_reason("BAD_RECORD_MAC")
        assert puppet.sock.recv(1000) == b""


# -- what comes is not TLS -------------------------------------------------------------------------

GARBAGE = {
    "http": HTTP_ANSWER,
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "text": b"220 mail.example ESMTP ready, and more\r\n",
    "unknown type": raw.record(99, bytes(16)),
    "version 9": raw.record(raw.HANDSHAKE, bytes(16), 0x0900),
    "too long": raw.record(raw.HANDSHAKE, bytes(20000)),
    "empty": raw.record(raw.HANDSHAKE, b""),
    "application data": raw.record(raw.APPLICATION_DATA, bytes(40)),
    "wrong message": raw.record(raw.HANDSHAKE, b"\x0e\x00\x00\x00"),
    "truncated hello": raw.record(raw.HANDSHAKE, b"\x02\x00\x00\x04\x03\x03\x00\x00"),
    "change cipher spec": raw.record(raw.CHANGE_CIPHER_SPEC, b"\x02"),
    "bad alert": raw.record(raw.ALERT, b"\x02"),
}


@pytest.mark.parametrize("bytes_", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("side", ["client", "server"])
def test_handshake_meets_garbage(stage: Stage, side: str, bytes_: bytes) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(getattr(stage, side)(module)) as (end, far):
            far.sendall(bytes_)
            far.shutdown(socket.SHUT_WR)
            return failure(end.do_handshake)

    error = both(scenario)
    assert isinstance(error, tlskit.SSLError)
    assert [entry.reason for entry in error.errors][-1] == error.reason


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", "HTTP_REQUEST"),
        (b"CONNECT a:1 HTTP/1.0\r\n\r\n", "HTTPS_PROXY_REQUEST"),
    ],
    ids=["GET", "CONNECT"],
)
def test_server_meets_plain_http(stage: Stage, request_: bytes, reason: str) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.server(module)) as (end, far):
            far.sendall(request_)
            return failure(end.do_handshake)

    assert both(scenario).reason == reason


def test_client_meets_plain_http(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            far.sendall(HTTP_ANSWER)
            return failure(end.do_handshake)

    error = both(scenario)
    assert (error.library, error.reason) == ("SSL", "WRONG_VERSION_NUMBER")
    assert str(error) == f"[SSL: WRONG_VERSION_NUMBER] wrong version number. {error.hint}"
    assert error.errors == (
        ErrorEntry(error.errors[0].code, "SSL", "WRONG_VERSION_NUMBER", "wrong version number", ""),
    )
    assert error.errors[0].code > 0
    assert error.alert_sent is None  # whoever does not speak TLS would not understand one
    assert error.alert_received is None


GARBAGE_LATER = {
    key: GARBAGE[key]
    for key in (
        "http",
        "zeros",
        "unknown type",
        "too long",
        "application data",
        "change cipher spec",
    )
}


@pytest.mark.parametrize("bytes_", GARBAGE_LATER.values(), ids=GARBAGE_LATER)
def test_read_meets_garbage(stage: Stage, bytes_: bytes) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module) as (end, puppet):
            puppet.send(puppet.seal(b"good") + bytes_)
            assert end.recv(100) == b"good"
            return failure(end.recv, 100)

    error = both(scenario)
    assert type(error) is tlskit.SSLError
    assert error.alert_sent is not None


# -- alerts ----------------------------------------------------------------------------------------

ALERTS = [
    ALERT.HANDSHAKE_FAILURE,
    ALERT.PROTOCOL_VERSION,
    ALERT.UNRECOGNIZED_NAME,
    ALERT.INTERNAL_ERROR,
    ALERT.UNKNOWN_CA,
    ALERT.ACCESS_DENIED,
    200,  # nobody has this one
]


@pytest.mark.parametrize("description", ALERTS, ids=lambda number: str(int(number)))
def test_handshake_meets_a_fatal_alert(stage: Stage, description: int) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            far.sendall(raw.alert(raw.FATAL, description))
            return failure(end.do_handshake)

    error = both(scenario)
    assert error.alert_received == description
    assert error.alert_sent is None
    assert hasattr(error.alert_received, "name") is (description != 200)


def test_alert_that_the_stdlib_cannot_name(stage: Stage) -> None:
    """The names come from OpenSSL's own headers; the stdlib's table (3.10 to 3.13) ends before this
    one.
    """
    with stage.alone(stage.client(tlskit)) as (end, far):
        far.sendall(raw.alert(raw.FATAL, ALERT.NO_APPLICATION_PROTOCOL))
        error = failure(end.do_handshake)
    assert error.reason == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"
    assert error.alert_received == ALERT.NO_APPLICATION_PROTOCOL
    assert error.alert_received.name == "NO_APPLICATION_PROTOCOL"


def test_handshake_meets_close_notify(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            far.sendall(raw.alert(raw.WARNING, ALERT.CLOSE_NOTIFY))
            return failure(end.do_handshake)

    error = both(scenario)
    assert type(error) is tlskit.SSLZeroReturnError
    assert error.args[0] == tlskit.SSL_ERROR_ZERO_RETURN


def test_handshake_meets_warnings_and_the_end(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            far.sendall(raw.alert(raw.WARNING, ALERT.USER_CANCELED) * 3)
            far.shutdown(socket.SHUT_WR)
            return failure(end.do_handshake)

    assert both(scenario).alert_received is None  # a warning is not what ended it


@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_bad_mac(stage: Stage, server: bool) -> None:
    """A byte is turned over on its way here: we refuse, and the peer is told why."""

    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module, server=server) as (end, puppet):
            puppet.send(puppet.seal(b"good") + raw.flipped(puppet.seal(b"bad")))
            assert end.recv(100) == b"good"
            error = failure(end.recv, 100)
            told = failure(puppet.read)
            assert isinstance(told, stdlib.SSLError)
            assert PYPY or told.reason == alert_reason("BAD_RECORD_MAC")  # PyPy has no name for it
            return error

    error = both(scenario)
    assert "DECRYPTION_FAILED_OR_BAD_RECORD_MAC" in (entry.reason for entry in error.errors)
    assert error.alert_sent == ALERT.BAD_RECORD_MAC
    assert error.alert_received is None


@pytest.mark.parametrize("server", [False, True], ids=["client", "server"])
def test_bad_mac_at_the_peer(stage: Stage, server: bool) -> None:
    """A byte is turned over on its way there: the peer sends the alert, and we receive it."""

    def scenario(module: ModuleType) -> BaseException:
        with stage.connected(module, server=server) as (end, puppet):
            end.sendall(b"whole")
            puppet.incoming.write(raw.flipped(puppet.sock.recv(65536)))
            assert isinstance(failure(puppet.read), stdlib.SSLError)
            return failure(end.recv, 1)

    error = both(scenario)
    assert error.reason == alert_reason("BAD_RECORD_MAC")
    assert error.alert_received == ALERT.BAD_RECORD_MAC
    assert error.alert_sent is None


@pytest.mark.parametrize("module", [tlskit, stdlib], ids=["tlskit", "ssl"])
def test_flipping_relay(stage: Stage, module: ModuleType) -> None:
    """Both ends are ours, and a relay between them turns over a byte of the server's last handshake
    record.
    """
    seen = []

    def alter(data: bytes) -> bytes:
        seen.append(data)
        return (
            raw.flipped(data)
            if (len(seen) == 1 and stage.version is TLS13) or len(seen) == 2
            else data
        )

    near, near_peer = raw.tcp_pair()
    far, far_peer = raw.tcp_pair()
    client = stage.client(module).wrap_socket(
        near, server_hostname="localhost", do_handshake_on_connect=False
    )
    server = stage.server(module).wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    client.settimeout(20)
    server.settimeout(20)
    with client, server, raw.Relay(near_peer, far_peer, alter):
        accepting = Background(server.do_handshake)
        error = failure(client.do_handshake)
        assert re.search(spoilt_record(module), str(error))
        told = accepting.error or failure(server.recv, 1)
        assert told.reason == alert_reason("BAD_RECORD_MAC")


@pytest.mark.parametrize("before", [0, 1], ids=["", "read ahead"])
def test_application_data_before_the_peer_s_close_notify(stage: Stage, before: int) -> None:
    """The peer may send on until it has seen our close_notify (RFC 8446, 6.1). The stdlib fails
    with APPLICATION_DATA_AFTER_CLOSE_NOTIFY.
    """
    with stage.connected(tlskit) as (end, puppet):
        puppet.send(puppet.seal(b"x" * 1000))
        if before:
            puppet.send(puppet.seal(b"second"))
            assert end.recv(10) == b"x" * 10
        unwrapping = Background(end.unwrap)
        assert puppet.read() == b""
        for _ in range(300):
            puppet.send(puppet.seal(b"y" * 1000))
        puppet.send(puppet.farewell())
        assert unwrapping.result() is end
        puppet.send(b"in the clear")
        assert end.recv(100) == b"in the clear"


def test_a_peer_that_never_stops_sending(stage: Stage) -> None:
    """The timeout is kept."""
    with stage.connected(tlskit) as (end, puppet):
        end.settimeout(0.3)
        stop = threading.Event()

        def flood() -> None:
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    puppet.send(puppet.seal(b"z" * 10000))

        flooding = Background(flood)
        assert type(failure(end.unwrap)) is TimeoutError
        stop.set()
        end.close()
        flooding.result()


# -- what the two sides do not agree on ------------------------------------------------------------


@pytest.mark.parametrize("side", ["client", "server"])
def test_no_common_version(pki: PKI, side: str, version: stdlib.TLSVersion) -> None:
    mine, theirs = Stage(pki, version), Stage(pki, TLS13 if version is TLS12 else TLS12)
    other = "server" if side == "client" else "client"
    ours, told = refusals(
        lambda module: mine.meeting(getattr(mine, side)(module), getattr(theirs, other)())
    )
    assert "PROTOCOL" in ours.reason or "VERSION" in ours.reason
    assert "PROTOCOL" in told.reason or "VERSION" in told.reason
    assert ALERT.PROTOCOL_VERSION in (ours.alert_sent, ours.alert_received)


@pytest.mark.parametrize("side", ["client", "server"])
def test_no_shared_cipher(pki: PKI, side: str) -> None:
    stage = Stage(pki, TLS12)

    def meet(module: ModuleType) -> Any:
        other = "server" if side == "client" else "client"
        mine, theirs = getattr(stage, side)(module), getattr(stage, other)()
        mine.set_ciphers("ECDHE+AES256")
        theirs.set_ciphers("ECDHE+AES128")
        return stage.meeting(mine, theirs)

    ours, told = refusals(meet)
    assert sorted([ours.reason, told.reason]) == [
        "NO_SHARED_CIPHER",
        alert_reason("HANDSHAKE_FAILURE"),
    ]
    assert (ours.alert_received if side == "client" else ours.alert_sent) == ALERT.HANDSHAKE_FAILURE


@pytest.mark.parametrize("side", ["client", "server"])
def test_no_shared_group(stage: Stage, side: str) -> None:
    def meet(module: ModuleType) -> Any:
        other = "server" if side == "client" else "client"
        mine, theirs = getattr(stage, side)(module), getattr(stage, other)()
        mine.set_ecdh_curve("prime256v1")
        theirs.set_ecdh_curve("secp384r1")
        return stage.meeting(mine, theirs)

    ours, _ = refusals(meet)
    assert (ours.alert_received if side == "client" else ours.alert_sent) == ALERT.HANDSHAKE_FAILURE


# -- certificates ----------------------------------------------------------------------------------


def der_of(identity: Identity, depth: int = 0) -> bytes:
    blocks = re.findall(
        "-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n",
        identity.chain.read_text(),
        re.DOTALL,
    )
    return stdlib.PEM_cert_to_DER_cert(blocks[depth])


def refused_server(
    stage: Stage, identity: Identity, *, hostname: str = "localhost", trust: Any = None
) -> tuple[Any, Any]:
    """A client under test meets a server that shows this."""

    def meet(module: ModuleType) -> Any:
        context = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
        only(stage.version, context)
        context.load_verify_locations(trust or stage.pki.root)
        return stage.meeting(context, stage.server(identity=identity), hostname=hostname)

    ours, told = refusals(meet)
    assert type(ours) is tlskit.SSLCertVerificationError
    assert isinstance(ours, tlskit.CertificateError)
    assert ours.args[0] == tlskit.SSL_ERROR_SSL
    assert (ours.library, ours.reason) == ("SSL", "CERTIFICATE_VERIFY_FAILED")
    words = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {ours.verify_message}"
    assert str(ours) == f"{words.rstrip('.')}. {ours.hint}"
    assert ours.errors[-1].reason == "CERTIFICATE_VERIFY_FAILED"
    return ours, told


def test_unknown_authority(stage: Stage) -> None:
    ours, told = refused_server(stage, stage.pki.stranger)
    assert (ours.verify_code, ours.verify_depth) == (20, 0)
    assert ours.certificate == der_of(stage.pki.stranger)
    assert ours.alert_sent == ALERT.UNKNOWN_CA
    assert told.reason == "TLSV1_ALERT_UNKNOWN_CA"


def test_unknown_authority_above_the_leaf(stage: Stage) -> None:
    ours, _ = refused_server(stage, stage.pki.server, trust=stage.pki.stranger_root)
    assert (ours.verify_code, ours.verify_depth) == (20, 1)
    assert ours.certificate == der_of(stage.pki.server, 1)


def test_missing_intermediate(stage: Stage, tmp_path: Any) -> None:
    leaf = tmp_path / "leaf.pem"
    leaf.write_text(stdlib.DER_cert_to_PEM_cert(der_of(stage.pki.server)))
    ours, _ = refused_server(stage, Identity(leaf, stage.pki.server.key, leaf))
    assert (ours.verify_code, ours.verify_depth) == (20, 0)
    assert ours.certificate == der_of(stage.pki.server)


def test_expired(stage: Stage) -> None:
    ours, told = refused_server(stage, stage.pki.expired)
    assert (ours.verify_code, ours.verify_depth) == (10, 0)
    assert ours.verify_message == "certificate has expired"
    assert ours.certificate == der_of(stage.pki.expired)
    assert ours.alert_sent == ALERT.CERTIFICATE_EXPIRED
    assert told.reason == alert_reason("CERTIFICATE_EXPIRED")


@pytest.mark.parametrize("hostname", ["wrong.example", "localhost.example", "könig.example.org"])
def test_hostname_mismatch(stage: Stage, hostname: str) -> None:
    ours, _ = refused_server(stage, stage.pki.server, hostname=hostname)
    shown = hostname.encode("idna").decode()
    assert ours.verify_code == 62
    assert ours.verify_message == f"Hostname mismatch, certificate is not valid for '{shown}'."
    assert ours.verify_depth == 0
    assert ours.certificate == der_of(stage.pki.server)


@pytest.mark.parametrize("address", ["127.0.0.2", "::2"])
def test_address_mismatch(stage: Stage, address: str) -> None:
    ours, _ = refused_server(stage, stage.pki.server, hostname=address)
    assert ours.verify_code == 64
    assert ours.verify_message == f"IP address mismatch, certificate is not valid for '{address}'."
    assert ours.verify_depth == 0


def demanding(stage: Stage, module: ModuleType) -> Any:
    context = stage.server(module)
    context.verify_mode = module.CERT_REQUIRED
    context.load_verify_locations(stage.pki.root)
    return context


def test_server_refuses_a_client(stage: Stage) -> None:
    def meet(module: ModuleType) -> Any:
        client = stage.client()
        client.load_cert_chain(stage.pki.stranger.chain, stage.pki.stranger.key)
        return stage.meeting(demanding(stage, module), client)

    ours, told = refusals(meet)
    assert type(ours) is tlskit.SSLCertVerificationError
    assert (ours.verify_code, ours.verify_depth) == (20, 0)
    assert ours.certificate == der_of(stage.pki.stranger)
    assert told.reason == "TLSV1_ALERT_UNKNOWN_CA"


def test_server_misses_a_certificate(stage: Stage) -> None:
    ours, told = refusals(lambda module: stage.meeting(demanding(stage, module), stage.client()))
    assert ours.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert not isinstance(ours, tlskit.SSLCertVerificationError)
    assert ours.alert_sent == (
        ALERT.CERTIFICATE_REQUIRED if stage.version is TLS13 else ALERT.HANDSHAKE_FAILURE
    )
    assert told.reason == (
        "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        if stage.version is TLS13
        else alert_reason("HANDSHAKE_FAILURE")
    )


def test_client_is_told_that_a_certificate_is_missing(stage: Stage) -> None:
    """In the handshake with TLS 1.2; with TLS 1.3 the client has finished, and learns it in its
    first read.
    """

    def scenario(module: ModuleType) -> BaseException:
        with stage.meeting(stage.client(module), demanding(stage, stdlib)) as (end, puppet):
            refusing = Background(puppet.shake)
            if stage.version is TLS13:
                end.do_handshake()
                error = failure(end.recv, 1)
            else:
                error = failure(end.do_handshake)
            assert refusing.error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
            return error

    error = both(scenario)
    if stage.version is TLS13:
        assert (error.reason, error.alert_received) == (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            ALERT.CERTIFICATE_REQUIRED,
        )
    else:
        assert (error.reason, error.alert_received) == (
            alert_reason("HANDSHAKE_FAILURE"),
            ALERT.HANDSHAKE_FAILURE,
        )


def test_client_is_told_that_its_certificate_is_refused(stage: Stage) -> None:
    def scenario(module: ModuleType) -> BaseException:
        client = stage.client(module)
        client.load_cert_chain(stage.pki.stranger.chain, stage.pki.stranger.key)
        with stage.meeting(client, demanding(stage, stdlib)) as (end, puppet):
            refusing = Background(puppet.shake)
            error = failure(lambda: (end.do_handshake(), end.recv(1)))
            assert isinstance(refusing.error, stdlib.SSLCertVerificationError)
            return error

    error = both(scenario)
    assert error.reason == "TLSV1_ALERT_UNKNOWN_CA"
    assert error.alert_received == ALERT.UNKNOWN_CA
    assert not hasattr(error, "certificate")


# -- Python code inside the handshake --------------------------------------------------------------


def refused_name(
    stage: Stage, callback: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Any, list[Any]]:
    shown: list[Any] = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda unraisable: shown.append(unraisable.exc_value)
    )

    def meet(module: ModuleType) -> Any:
        context = stage.server(module)
        context.sni_callback = callback
        return stage.meeting(context, stage.client())

    ours, told = refusals(meet)
    return ours, told, shown


def test_exception_in_sni_callback(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def callback(*args: Any) -> None:
        raise KeyError("no such host")

    ours, told, shown = refused_name(stage, callback, monkeypatch)
    assert ours.reason == "CALLBACK_FAILED"
    assert ours.alert_sent == ALERT.HANDSHAKE_FAILURE
    assert told.reason == alert_reason("HANDSHAKE_FAILURE")
    assert [type(error) for error in shown] == [KeyError, KeyError]  # the stdlib's, and ours
    assert ours.__cause__ is shown[1]


def test_wrong_answer_of_sni_callback(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _, shown = refused_name(stage, lambda *args: "not a number", monkeypatch)
    assert ours.reason == "CALLBACK_FAILED"
    assert [type(error) for error in shown] == [TypeError, TypeError]
    assert ours.__cause__ is shown[1]


@pytest.mark.parametrize(
    "answer", [0, False, -1, 256, 1 << 70], ids=["0", "False", "-1", "256", "2**70"]
)
def test_senseless_number_from_sni_callback(
    stage: Stage, answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is not None refuses, as in the stdlib, if it makes a senseless alert too: a callback
    must not fail open.
    """
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)

    def scenario(module: ModuleType) -> BaseException:
        context = stage.server(module)
        context.sni_callback = lambda *args: answer
        with stage.meeting(context, stage.client()) as (end, puppet):
            shaking = Background(puppet.shake)
            try:
                return failure(end.do_handshake)
            finally:
                end.shutdown(socket.SHUT_RDWR)
                assert shaking.error is not None

    assert both(scenario).reason == "CALLBACK_FAILED"


def test_refusal_by_sni_callback(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = int(ALERT.UNRECOGNIZED_NAME)
    ours, told, shown = refused_name(stage, lambda *args: answer, monkeypatch)
    assert ours.alert_sent == ALERT.UNRECOGNIZED_NAME
    assert told.reason == "TLSV1_UNRECOGNIZED_NAME"
    assert shown == []
    assert ours.__cause__ is None
    assert ours.hint == (
        "A callback of this server's context refused the name 'localhost' with the alert "
        "unrecognized_name (112)."
    )


@pytest.mark.parametrize("early", [0, 16384], ids=["", "early data"])
@pytest.mark.parametrize("callback", ["sni_callback", "client_hello_callback"])
def test_refusal_is_told_again_and_logged_once(
    stage: Stage, callback: str, early: int, caplog: pytest.LogCaptureFixture
) -> None:
    """libssl says only once why a handshake has failed. What it says afterwards, that the client
    went away, or that a function must not be called, is not true.
    """
    context = stage.server(tlskit)
    context.max_early_data = early
    setattr(context, callback, lambda *args: int(ALERT.UNRECOGNIZED_NAME))
    with (
        caplog.at_level("INFO", "tlskit"),
        stage.meeting(context, stage.client()) as (end, puppet),
    ):
        first, _ = shake_against(end, puppet)
        for again in (end.do_handshake, lambda: end.recv(1), lambda: end.send(b"x")):
            later = failure(again)
            assert type(later) is type(first)
            assert str(later) == str(first)
            assert later.alert_sent == ALERT.UNRECOGNIZED_NAME
    (line,) = [record.getMessage() for record in caplog.records]
    assert "(localhost) failed: [SSL: CALLBACK_FAILED]" in line
    assert line.endswith("with the alert unrecognized_name (112).")
    assert +Counter(context.handshake_failures) == {"callback_failed": 1}


def test_failed_handshake_is_told_again(stage: Stage) -> None:
    context = stage.client(tlskit)
    with stage.alone(context) as (end, far):
        far.sendall(HTTP_ANSWER)
        first = failure(end.do_handshake)
        for again in (end.do_handshake, lambda: end.recv(1), lambda: end.send(b"x")):
            assert str(failure(again)) == str(first)
    assert first.reason == "WRONG_VERSION_NUMBER"
    assert +Counter(context.handshake_failures) == {"wrong_version_number": 1}


def test_exception_stays_on_its_own_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection's callback has raised; another one of the same context fails for its own
    reason.
    """
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)

    def callback(*args: Any) -> None:
        raise KeyError("no such host")

    context = stage.server(tlskit)
    context.sni_callback = callback
    with (
        stage.alone(context) as (other, far),
        stage.meeting(context, stage.client()) as (end, puppet),
    ):
        ours, _ = shake_against(end, puppet)
        far.sendall(HTTP_ANSWER)
        later = failure(other.do_handshake)
    assert isinstance(ours.__cause__, KeyError)
    assert later.reason == "WRONG_VERSION_NUMBER"
    assert later.__cause__ is None


# -- nothing sticks --------------------------------------------------------------------------------


def test_fault_of_one_connection_is_not_another_s(stage: Stage) -> None:
    """A failure in between, on the same thread, changes nothing for a connection that only waits,
    or ends.
    """
    with stage.connected(tlskit) as (end, puppet), stage.alone(stage.client(tlskit)) as (bad, far):
        end.setblocking(False)
        assert type(failure(end.recv, 1)) is tlskit.SSLWantReadError
        far.sendall(HTTP_ANSWER)
        failure(bad.do_handshake)
        assert type(failure(end.recv, 1)) is tlskit.SSLWantReadError
        puppet.send(puppet.seal(b"x") + puppet.farewell())
        raw.until(lambda: readable(end))
        assert end.recv(1) == b"x"
        with pytest.raises(FileNotFoundError):
            stage.client(stdlib).load_verify_locations("/nonexistent")
        assert end.recv(1) == b""


def test_want_errors(stage: Stage) -> None:
    def wants(module: ModuleType, reading: bool) -> BaseException:
        with stage.connected(module) as (end, _):
            end.setblocking(False)
            if reading:
                return failure(end.recv, 1)
            data = bytes(1 << 20)
            return failure(lambda: [end.send(data) for _ in range(100)])

    reading, writing = (
        both(lambda module: wants(module, True)),
        both(lambda module: wants(module, False)),
    )
    assert type(reading) is tlskit.SSLWantReadError
    assert type(writing) is tlskit.SSLWantWriteError
    assert reading.args[0] == tlskit.SSL_ERROR_WANT_READ
    assert writing.args[0] == tlskit.SSL_ERROR_WANT_WRITE


def test_looks_like_the_stdlib_s(stage: Stage) -> None:
    """Also in a log, where the repr of an exception ends up."""

    def scenario(module: ModuleType) -> BaseException:
        with stage.alone(stage.client(module)) as (end, far):
            far.sendall(HTTP_ANSWER)
            return failure(end.do_handshake)

    ours, theirs = scenario(tlskit), scenario(stdlib)
    begins = re.sub(r"( \(_ssl\.c:\d+\))?'\)$", "", repr(theirs))  # PyPy names no line of C
    assert repr(ours).replace('"', "'").startswith(f"{begins}. The server answered in plain HTTP")


def test_classes_are_the_stdlib_s() -> None:
    for name in (
        "SSLError", "SSLEOFError", "SSLZeroReturnError", "SSLWantReadError", "SSLWantWriteError",
        "SSLSyscallError",
        "SSLCertVerificationError", "CertificateError",
    ):  # fmt: skip
        assert getattr(tlskit, name) is getattr(stdlib, name)


@raw.needs_resets
def test_a_reset_in_the_handshake_is_reported_again() -> None:
    """Each operation after it says something. OpenSSL 4.0 itself does so only once."""
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    peer, plain = raw.tcp_pair()
    with server.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as end:
        peer.sendall(b"\x16\x03\x01")
        raw.reset(peer)
        with pytest.raises(ConnectionResetError):
            end.do_handshake()
        for _ in range(2):
            # by OpenSSL's version, and by the running Python's OP_IGNORE_UNEXPECTED_EOF
            with pytest.raises(
                (ConnectionResetError, tlskit.SSLEOFError, tlskit.SSLZeroReturnError)
            ):
                end.do_handshake()

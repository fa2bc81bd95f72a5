"""Each way in which an SSLError or an OSError arises: tlskit's has the class, errno, library,
reason and number of arguments of the stdlib's, and its message begins with the stdlib's words.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl as stdlib
import subprocess
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import tlskit

from ..support import peers
from ..support.names import knows_reason
from ..support.pairs import client_context, only, server_context, shake
from ..support.pki import PKI
from ..support.pypy import PYPY
from .compare import same_openssl

pytestmark = [
    same_openssl,
    pytest.mark.skipif(PYPY, reason="PyPy's ssl numbers its errors in another way"),
]

#: What the stdlib appends to a message: where in its C source the error was raised.
_PLACE = re.compile(r"^_ssl\.c:\d+: | \(_ssl\.c:\d+\)$")


@pytest.fixture(scope="module")
def files(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Files that are not what they should be."""
    folder = tmp_path_factory.mktemp("files")
    damaged = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"
    contents = {
        "empty": b"", "garbage": bytes(range(256)), "damaged": damaged,
        "half": pki.server.chain.read_bytes()[:200],
        "hollow": damaged.replace(b"!!!!", b"MAA="),
    }  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    subprocess.run(
        [peers.command(), "pkey", "-in", str(pki.server.key), "-aes256",
         "-passout", "pass:secret", "-out", str(folder / "encrypted")],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def _loading(**arguments: str) -> Callable[[ModuleType, Any], Any]:
    """Load a chain from these files of `files`, or of the PKI where there is none."""

    def attempt(ssl: ModuleType, at: Any) -> None:
        given = {"certfile": at.pki.server.chain, "keyfile": at.pki.server.key}
        given |= {name: at.files / value for name, value in arguments.items() if name != "password"}
        if "password" in arguments:
            given["password"] = arguments["password"]
        server_context(at.pki, module=ssl).load_cert_chain(**given)

    return attempt


def _trusting(**arguments: Any) -> Callable[[ModuleType, Any], Any]:
    def attempt(ssl: ModuleType, at: Any) -> None:
        given = {
            name: value if name == "cadata" else at.files / value
            for name, value in arguments.items()
        }
        client_context(at.pki, module=ssl).load_verify_locations(**given)

    return attempt


def _setting(name: str, *arguments: Any) -> Callable[[ModuleType, Any], Any]:
    def attempt(ssl: ModuleType, at: Any) -> None:
        getattr(client_context(at.pki, module=ssl), name)(*arguments)

    return attempt


def _key_of(identity: str) -> Callable[[ModuleType, Any], Any]:
    """Load a chain with somebody else's key."""

    def attempt(ssl: ModuleType, at: Any) -> None:
        other = getattr(at.pki, identity).key
        server_context(at.pki, module=ssl).load_cert_chain(at.pki.server.chain, other)

    return attempt


def _parameters(name: str) -> Callable[[ModuleType, Any], Any]:
    return lambda ssl, at: server_context(at.pki, module=ssl).load_dh_params(at.files / name)


def _keylog_in_a_folder(ssl: ModuleType, at: Any) -> None:
    client_context(at.pki, module=ssl).keylog_filename = at.files


def _wrong_side(*, server: bool, memory: bool) -> Callable[[ModuleType, Any], Any]:
    def attempt(ssl: ModuleType, at: Any) -> None:
        context = (client_context if server else server_context)(at.pki, module=ssl)
        context.check_hostname = False
        if memory:
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=server)
        else:
            at.open.enter_context(context.wrap_socket(_pair(at)[0], server_side=server))

    return attempt


# -- handshakes ------------------------------------------------------------------------------------


def _ends(ssl: ModuleType, client: Any, server: Any, name: str = "localhost") -> SimpleNamespace:
    """Two ends in memory, and what each has sent."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    return SimpleNamespace(
        near=client.wrap_bio(to_client, to_server, server_hostname=name),
        far=server.wrap_bio(to_server, to_client, server_side=True),
        to_client=to_client,
        to_server=to_server,
    )


def _both(ssl: ModuleType, at: Any) -> tuple[Any, Any]:
    client, server = client_context(at.pki, module=ssl), server_context(at.pki, module=ssl)
    if at.version is not None:
        only(at.version, client, server)
    return client, server


def _until_it_fails(*ends: Any) -> None:
    for _ in range(5):
        for end in ends:
            with contextlib.suppress(stdlib.SSLWantReadError):
                end.do_handshake()


def _name_mismatch(ssl: ModuleType, at: Any) -> None:
    ends = _ends(ssl, *_both(ssl, at), name="elsewhere.example")
    _until_it_fails(ends.near, ends.far)


def _address_mismatch(ssl: ModuleType, at: Any) -> None:
    ends = _ends(ssl, *_both(ssl, at), name="127.0.0.9")
    _until_it_fails(ends.near, ends.far)


def _nobody_trusted(ssl: ModuleType, at: Any) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ends = _ends(ssl, client, _both(ssl, at)[1])
    _until_it_fails(ends.near, ends.far)


def _alert_from_a_client(ssl: ModuleType, at: Any) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ends = _ends(ssl, client, _both(ssl, at)[1])
    with contextlib.suppress(stdlib.SSLCertVerificationError):
        _until_it_fails(ends.near, ends.far)
    ends.far.do_handshake()


def _no_client_certificate(ssl: ModuleType, at: Any) -> None:
    client, server = _both(ssl, at)
    server.verify_mode = ssl.CERT_REQUIRED
    ends = _ends(ssl, client, server)
    _until_it_fails(ends.near, ends.far)


def _no_cipher_in_common(ssl: ModuleType, at: Any) -> None:
    client, server = _both(ssl, at)
    only(ssl.TLSVersion.TLSv1_2, client, server)
    client.set_ciphers("AES256-SHA256")
    server.set_ciphers("AES128-SHA256")
    ends = _ends(ssl, client, server)
    _until_it_fails(ends.near, ends.far)


def _no_version_in_common(ssl: ModuleType, at: Any) -> None:
    client, server = _both(ssl, at)
    only(ssl.TLSVersion.TLSv1_2, client)
    only(ssl.TLSVersion.TLSv1_3, server)
    ends = _ends(ssl, client, server)
    _until_it_fails(ends.near, ends.far)


def _alert_of_a_server(ssl: ModuleType, at: Any) -> None:
    client, server = _both(ssl, at)
    only(ssl.TLSVersion.TLSv1_2, client)
    only(ssl.TLSVersion.TLSv1_3, server)
    ends = _ends(ssl, client, server)
    with contextlib.suppress(stdlib.SSLError):
        _until_it_fails(ends.near, ends.far)
    ends.near.do_handshake()


def _sent_to(side: str, data: bytes) -> Callable[[ModuleType, Any], Any]:
    """Something other than TLS."""

    def attempt(ssl: ModuleType, at: Any) -> None:
        ends = _ends(ssl, *_both(ssl, at))
        with contextlib.suppress(stdlib.SSLWantReadError):
            ends.near.do_handshake()
        if side == "client":
            ends.to_client.write(data)
            ends.near.do_handshake()
        else:
            ends.to_server.read()
            ends.to_server.write(data)
            ends.far.do_handshake()

    return attempt


def _end_in_the_handshake(ssl: ModuleType, at: Any) -> None:
    ends = _ends(ssl, *_both(ssl, at))
    ends.to_client.write_eof()
    ends.near.do_handshake()


def _a_handshake_that_waits(ssl: ModuleType, at: Any) -> None:
    _ends(ssl, *_both(ssl, at)).near.do_handshake()


def _refused_name(ssl: ModuleType, at: Any) -> None:
    client, server = _both(ssl, at)
    server.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    ends = _ends(ssl, client, server)
    _until_it_fails(ends.far, ends.near)


# -- connections -----------------------------------------------------------------------------------


def _connected(ssl: ModuleType, at: Any, **changes: Any) -> SimpleNamespace:
    client, server = _both(ssl, at)
    for name, value in changes.items():
        setattr(client if name.startswith("client_") else server, name.split("_", 1)[1], value)
    ends = _ends(ssl, client, server)
    shake(ends.near, ends.far)
    with contextlib.suppress(stdlib.SSLWantReadError):
        ends.near.read(1)
    return ends


def _a_read_that_waits(ssl: ModuleType, at: Any) -> None:
    _connected(ssl, at).near.read(1)


def _a_read_into_that_waits(ssl: ModuleType, at: Any) -> None:
    _connected(ssl, at).near.read(1, bytearray(1))


def _a_read_at_the_end(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    ends.to_client.write_eof()
    ends.near.read(1)


def _a_read_after_close_notify(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    with contextlib.suppress(stdlib.SSLWantReadError):
        ends.far.unwrap()
    ends.near.read(1)


def _a_write_after_unwrap(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    with contextlib.suppress(stdlib.SSLWantReadError):
        ends.near.unwrap()
    ends.near.write(b"x")


def _an_unwrap_that_waits(ssl: ModuleType, at: Any) -> None:
    _connected(ssl, at).near.unwrap()


def _an_unwrap_twice(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    for _ in range(2):
        with contextlib.suppress(stdlib.SSLWantReadError):
            ends.near.unwrap()
    ends.near.unwrap()


def _an_unwrap_at_the_end(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    ends.to_client.write_eof()
    ends.near.unwrap()
    ends.near.unwrap()


def _a_changed_record(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    ends.far.write(b"hello")
    record = bytearray(ends.to_client.read())
    record[-1] ^= 1
    ends.to_client.write(record)
    ends.near.read(5)


def _bytes_between_records(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    ends.to_client.write(b"nonsense" * 8)
    ends.near.read(5)


def _an_alert_between_records(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    ends.to_server.write(b"nonsense" * 8)
    with contextlib.suppress(stdlib.SSLError):
        ends.far.read(1)
    ends.near.read(5)


def _a_read_again(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    ends.to_client.write(b"nonsense" * 8)
    with contextlib.suppress(stdlib.SSLError):
        ends.near.read(5)
    ends.near.read(5)


def _a_write_before_the_handshake(ssl: ModuleType, at: Any) -> None:
    _ends(ssl, *_both(ssl, at)).near.write(b"x")


def _a_write_to_a_queue_that_ended(ssl: ModuleType, at: Any) -> None:
    queue = ssl.MemoryBIO()
    queue.write_eof()
    queue.write(b"x")


def _a_connection_over_a_queue_that_ended(ssl: ModuleType, at: Any) -> None:
    ends = _connected(ssl, at)
    ends.to_server.write_eof()
    ends.near.write(b"x")


def _late(**changes: Any) -> Callable[[ModuleType, Any], Any]:
    def attempt(ssl: ModuleType, at: Any) -> None:
        _connected(ssl, at, **changes).far.verify_client_post_handshake()

    return attempt


def _late_on_a_client(ssl: ModuleType, at: Any) -> None:
    _connected(ssl, at).near.verify_client_post_handshake()


def _late_before_the_handshake(ssl: ModuleType, at: Any) -> None:
    _ends(ssl, *_both(ssl, at)).far.verify_client_post_handshake()


def _late_twice(ssl: ModuleType, at: Any) -> None:
    client, server = _both(ssl, at)
    client.post_handshake_auth = server.post_handshake_auth = True
    server.verify_mode = ssl.CERT_OPTIONAL
    ends = _ends(ssl, client, server)
    shake(ends.near, ends.far)
    for _ in range(2):
        ends.far.verify_client_post_handshake()


# -- sockets ---------------------------------------------------------------------------------------


def _pair(at: Any) -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair()
    return at.open.enter_context(near), at.open.enter_context(far)


def _end_on_a_socket(ssl: ModuleType, at: Any) -> None:
    near, far = _pair(at)
    far.shutdown(socket.SHUT_WR)
    _both(ssl, at)[0].wrap_socket(near, server_hostname="localhost")


def _reset_on_a_socket(ssl: ModuleType, at: Any) -> None:
    near, far = _pair(at)
    far.close()
    at.open.enter_context(_both(ssl, at)[0].wrap_socket(near, server_hostname="localhost"))


def _timeout_on_a_socket(ssl: ModuleType, at: Any) -> None:
    near, _ = _pair(at)
    near.settimeout(0.01)
    at.open.enter_context(_both(ssl, at)[0].wrap_socket(near, server_hostname="localhost"))


def _nothing_yet_on_a_socket(ssl: ModuleType, at: Any) -> None:
    near, _ = _pair(at)
    near.setblocking(False)
    wrapped = _both(ssl, at)[0].wrap_socket(
        near, server_hostname="localhost", do_handshake_on_connect=False
    )
    at.open.enter_context(wrapped).do_handshake()


def _full_socket(ssl: ModuleType, at: Any) -> None:
    near, _ = _pair(at)
    near.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            near.send(bytes(65536))
    wrapped = _both(ssl, at)[0].wrap_socket(
        near, server_hostname="localhost", do_handshake_on_connect=False
    )
    at.open.enter_context(wrapped).do_handshake()


def _closed_socket(ssl: ModuleType, at: Any) -> None:
    near, _ = _pair(at)
    wrapped = _both(ssl, at)[0].wrap_socket(
        near, server_hostname="localhost", do_handshake_on_connect=False
    )
    wrapped.close()
    wrapped.do_handshake()


def _words_before_tls(ssl: ModuleType, at: Any) -> None:
    """Since Python 3.11.5 and the like, a socket that ended with unread data is refused."""
    near, far = _pair(at)
    far.send(b"220 hello\r\n")
    far.close()
    wrapped = _both(ssl, at)[0].wrap_socket(
        near, server_hostname="localhost", do_handshake_on_connect=False
    )
    at.open.enter_context(wrapped).do_handshake()


WAYS: dict[str, Callable[[ModuleType, Any], Any]] = {
    **{f"certificate {name}": _loading(certfile=name)
       for name in ("empty", "garbage", "damaged", "half", "hollow", "missing", "")},
    **{f"key {name}": _loading(keyfile=name)
       for name in ("empty", "garbage", "damaged", "half", "missing", "")},
    "key none": lambda ssl, at: server_context(at.pki, module=ssl).load_cert_chain(at.pki.root),
    "wrong password": _loading(keyfile="encrypted", password="wrong"),
    "empty password": _loading(keyfile="encrypted", password=""),
    "another key": _key_of("client"), "a key of another type": _key_of("rsa"),
    **{f"cafile {name}": _trusting(cafile=name)
       for name in ("empty", "garbage", "damaged", "half", "hollow", "missing", "")},
    "capath missing": _trusting(capath="missing"),
    "cadata words": _trusting(cadata="words"),
    "cadata bytes": _trusting(cadata=b"words"),
    "cadata damaged": _trusting(
        cadata="-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
    "cadata hollow": _trusting(cadata=b"\x30\x00"),
    "parameters garbage": _parameters("garbage"), "parameters missing": _parameters("missing"),
    "ciphers": _setting("set_ciphers", "nonsense"), "no ciphers": _setting("set_ciphers", ""),
    "curve": _setting("set_ecdh_curve", "nonsense"),
    "protocols": _setting("set_alpn_protocols", [""]),
    "long protocols": _setting("set_alpn_protocols", ["x" * 256]),
    **{f"{name} {value!r}": _setting(name, value)
       for name in ("set_ciphersuites", "set_groups", "set_client_sigalgs", "set_server_sigalgs")
       for value in ("nonsense", "") if hasattr(stdlib.SSLContext, name)},
    **{name: _setting(name, lambda *_: None)
       for name in ("set_psk_server_callback",) if hasattr(stdlib.SSLContext, name)},
    "keylog in a folder": _keylog_in_a_folder,
    **{f"wrong side, {server=} {memory=}": _wrong_side(server=server, memory=memory)
       for server in (False, True) for memory in (False, True)},
    "plain http": _sent_to("server", b"GET / HTTP/1.0\r\n\r\n"),
    "plain connect": _sent_to("server", b"CONNECT x:1 HTTP/1.0\r\n\r\n"),
    "garbage to a server": _sent_to("server", bytes(64)),
    "plain answer": _sent_to("client", b"HTTP/1.0 400 Bad request\r\n\r\n"),
    "late, not asked for": _late(), "late, no verification": _late(client_post_handshake_auth=True),
    "late, no client": _late(server_verify_mode=stdlib.CERT_OPTIONAL),
    **{way.__name__.strip("_").replace("_", " "): way for way in (
        _name_mismatch, _address_mismatch, _nobody_trusted, _alert_from_a_client,
        _no_client_certificate, _no_cipher_in_common, _no_version_in_common, _alert_of_a_server,
        _end_in_the_handshake, _a_handshake_that_waits, _refused_name, _a_read_that_waits,
        _a_read_into_that_waits,
        _a_read_at_the_end, _a_read_after_close_notify, _a_write_after_unwrap,
        _an_unwrap_that_waits, _an_unwrap_twice, _an_unwrap_at_the_end, _a_changed_record,
        _bytes_between_records,
        _an_alert_between_records, _a_read_again, _a_write_before_the_handshake,
        _a_write_to_a_queue_that_ended,
        _a_connection_over_a_queue_that_ended, _late_on_a_client, _late_before_the_handshake,
        _late_twice,
        _end_on_a_socket, _reset_on_a_socket, _timeout_on_a_socket, _nothing_yet_on_a_socket,
        _full_socket, _closed_socket, _words_before_tls,
    )},
}  # fmt: skip


def _raised(way: Callable[[ModuleType, Any], Any], ssl: ModuleType, at: Any) -> Exception | None:
    with contextlib.ExitStack() as at.open:
        try:
            way(ssl, at)
        except Exception as error:
            return error
    return None


#: Facts in which tlskit's error says more than the stdlib's, on purpose.
MORE: dict[str, set[str]] = {
    **{f"{what} {where}": {"filename"} for what in ("certificate", "key", "cafile")
       for where in ("missing", "")},
    # a path is text, as in what open() raises
    "parameters missing": {"filename"}, "keylog in a folder": {"filename"},
    # without a number, the stdlib's error has no text but a tuple's, and no library at all
    **{way: {"library", "reason", "strerror"} for way in (
        "ciphers", "no ciphers", "protocols", "long protocols", "a write to a queue that ended",
    )},
    # the stdlib says that there is no certificate, whatever is wrong with it
    "cadata damaged": {"arguments", "errno", "library", "words"},
    # ... and that none was assigned, because OpenSSL drops it when the key is of another type
    "a key of another type": {"arguments", "errno", "library", "reason", "words"},
    # what ended a connection is said again, and not that its end is missing
    "a read again": {"class", "arguments", "errno", "library", "reason", "words"},
}  # fmt: skip


#: What every error has that says more than that an operation cannot go on now.
ADDED = ["hint", "errors", "alert_sent", "alert_received"]
WAITING = (tlskit.SSLWantReadError, tlskit.SSLWantWriteError, tlskit.SSLZeroReturnError)


def _facts(error: Exception | None) -> dict[str, Any]:
    """What a program looks at, but for the words."""
    facts: dict[str, Any] = {"class": type(error)}
    if error is None:
        return facts
    facts["arguments"] = tuple(map(type, error.args)), error.args[:-1]
    for name in ("errno", "library", "reason", "filename", "verify_code", "verify_message"):
        facts[name] = getattr(error, name, "not there")
    facts["strerror"] = type(getattr(error, "strerror", None))
    return facts


def _words(error: Exception | None) -> str:
    """The message, without the places in C that the stdlib names in it."""
    text = str(error.args[-1]) if error is not None and error.args else str(error)
    return _PLACE.sub("", text).rstrip(".")


@pytest.mark.parametrize("version", [stdlib.TLSVersion.TLSv1_2, stdlib.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("way", WAYS)
def test_the_error_is_the_stdlibs(way: str, version: Any, pki: PKI, files: Any) -> None:
    more, found = MORE.get(way, set()), []
    for module in (stdlib, tlskit):
        at = SimpleNamespace(pki=pki, files=files, version=version)
        found.append(_raised(WAYS[way], module, at))
    theirs, ours = found
    differing = {name for name, fact in _facts(theirs).items() if _facts(ours)[name] != fact}
    words = _words(ours)
    if theirs is not None and not knows_reason(theirs) and "reason" in differing - more:
        differing.remove("reason")
        words = words.replace(f"[SSL: {ours.reason}]", "[SSL]", 1)
    if not words.startswith(_words(theirs)):
        differing.add("words")
    assert differing == more, (theirs, ours)
    if isinstance(ours, tlskit.SSLError) and not isinstance(ours, WAITING):
        assert [name for name in ADDED if not hasattr(ours, name)] == []


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("ciphers", "No cipher can be selected."),
        ("protocols", "ALPN protocols must be 1 to 255 in length"),
        ("a write to a queue that ended", "cannot write() after write_eof()"),
    ],
)
def test_the_text_of_an_error_without_a_number(way: str, text: str, pki: PKI, files: Any) -> None:
    at = SimpleNamespace(pki=pki, files=files, version=None)
    error = _raised(WAYS[way], tlskit, at)
    assert str(error) == text
    assert isinstance(error, tlskit.SSLError)
    assert error.errno is None


DAMAGED = "A PEM block is damaged, or ends too early."


@pytest.mark.parametrize(
    ("way", "hint"),
    [
        ("cafile empty", "There is no PEM block of a certificate or a revocation list"),
        ("cafile garbage", "There is no PEM block of a certificate or a revocation list"),
        ("cafile damaged", DAMAGED),
        ("cafile half", DAMAGED),
        ("cadata damaged", DAMAGED),
        ("certificate damaged", DAMAGED),
        ("certificate half", DAMAGED),
        ("wrong password", "The password is wrong."),
        *((f"key {name}", "No private key was found there") for name in (
            "empty", "garbage", "damaged", "half", "none",
        )),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else_is_explained(
    way: str, hint: str, pki: PKI, files: Any
) -> None:
    error = _raised(WAYS[way], tlskit, SimpleNamespace(pki=pki, files=files, version=None))
    assert getattr(error, "hint", "").startswith(hint)
    assert hint in str(error)

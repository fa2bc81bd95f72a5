"""Bad input, table by table: what the stdlib raises for it, tlskit raises too; where tlskit's
answer is another one, it is listed.

Every value goes to every place: most of them are wrong there, some are right, and both modules have
to agree which.
"""

from __future__ import annotations

import array
import contextlib
import os
import pathlib
import socket
import ssl as stdlib
import subprocess
import sys

import pytest

import tlskit

from ..support import peers
from ..support.pairs import Background, client_context, memory_pair, server_context, shake
from ..support.pypy import PYPY
from .compare import MODULES, Outcome, agree, compared, knows_shared_ciphers, outcome, quiet

VALUES = [
    None, True, False, 0, 1, -1, 2, 7, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, -(2**63), 1.5,
    float("nan"), "", "x", "a\0b", "\xe9",
    "\udcff", "x" * 100_000, b"", b"x", b"a\0b", bytearray(b"x"), memoryview(b"x"), [], ["x"],
    [b"x"], ["x" * 256], [""],
    ["\xe9"], (), {}, object,
    len,
]  # fmt: skip
PROTOCOLS = ["PROTOCOL_TLS_CLIENT", "PROTOCOL_TLS_SERVER", "PROTOCOL_TLS"]


def shown(value):
    text = repr(value)
    return text if len(text) < 24 else f"{text[:20]}... {len(text)}"


def named(values):
    return pytest.mark.parametrize("value", values, ids=shown)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Some values are good file names."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def files(pki, tmp_path_factory):
    """Files that hold something else than they should."""
    folder, chain = tmp_path_factory.mktemp("bad"), pki.server.chain.read_bytes()
    damaged = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"
    contents = {
        "empty": b"", "garbage": bytes(range(256)), "half": chain[:200], "damaged": damaged,
        "second damaged": chain + damaged,
        "hollow": damaged.replace(b"!!!!\n", b""), "crlf": chain.replace(b"\n", b"\r\n"),
        "between words": b"before\n" + chain + b"after\n",
    }  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    for name, command in {"pkcs8": ["pkey"], "traditional": ["ec"]}.items():
        words = [
            peers.command(),
            *command,
            "-in",
            str(pki.server.key),
            "-aes256",
            "-passout",
            "pass:secret",
            "-out",
            str(folder / name),
        ]
        subprocess.run(words, check=True, capture_output=True)
    return folder


def context(module, protocol="PROTOCOL_TLS_SERVER"):
    return quiet(lambda: module.SSLContext(getattr(module, protocol)))


# -- contexts --------------------------------------------------------------------------------------

SETTINGS = [
    "check_hostname", "hostname_checks_common_name", "keylog_filename", "maximum_version",
    "minimum_version", "num_tickets", "options",
    "post_handshake_auth", "sni_callback", "verify_flags", "verify_mode", "_host_flags",
    "_msg_callback", "protocol",
]  # fmt: skip


def better_setting(name, value):
    """Where the stdlib takes what means nothing, or refuses what has a meaning here."""
    number = type(value) is int
    return (
        (
            name == "verify_flags" and number and not 0 <= value < 2**64
        )  # the stdlib cuts it down to 64 bits
        or (name == "_host_flags" and number and not 0 <= value < 2**31)  # ... or 32
        or (
            name in ("minimum_version", "maximum_version")
            and (value in (None, -(2**63)) or isinstance(value, str))
        )  # None: any version; a text: its name
        or (PYPY and name == "keylog_filename" and value in (b"x", "\udcff"))  # no such paths there
        or (PYPY and name == "_msg_callback" and value is None)  # it wants a function
        or (PYPY and name == "sni_callback" and callable(value))  # it gives back another object
        or (
            name == "options" and number and sys.version_info < (3, 12) and not 0 <= value < 2**63
        )  # it was signed there
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", SETTINGS)
@named(VALUES)
def test_settings(protocol, name, value):
    def work(module):
        changed = context(module, protocol)
        before = getattr(changed, name)
        try:
            setattr(changed, name, value)
        except Exception:
            assert getattr(changed, name) == before  # what is refused changes nothing
            raise
        return getattr(changed, name), type(getattr(changed, name)).__name__

    if better_setting(name, value):
        outcome(lambda: work(tlskit))
    else:
        compared(work)


CALLS = [
    "get_ca_certs", "load_cert_chain", "load_default_certs", "load_dh_params",
    "load_verify_locations", "set_alpn_protocols", "set_ciphers",
    "set_ecdh_curve", "set_servername_callback", "wrap_socket",
]  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@named(VALUES)
def test_calls(name, value):
    if name == "set_ciphers" and isinstance(value, (list, tuple, dict)):
        # names of ciphers, which the stdlib takes as a text alone; none of these is one
        found = outcome(lambda: context(tlskit).set_ciphers(value))
        assert found.raised in (TypeError, tlskit.SSLError)
    else:
        compared(lambda module: getattr(context(module), name)(value))


@pytest.mark.parametrize(
    "name",
    ["cert_store_stats", "get_ciphers", "session_stats", "set_default_verify_paths", "set_ciphers"],
)
def test_one_argument_too_many(name):
    assert compared(lambda module: getattr(context(module), name)("x", "y")).raised is TypeError


@named(VALUES)
def test_protocols(value):
    compared(lambda module: type(module.SSLContext(value)).__name__)


# -- files -----------------------------------------------------------------------------------------

NAMES = [
    "missing", "empty", "garbage", "folder", "half", "damaged", "second damaged", "hollow", "crlf",
    "between words",
    "a\0b", b"a\0b", "", b"", "\udcff", "x" * 5000,
]  # fmt: skip


def at(files, value):
    return (
        str(files / value)
        if isinstance(value, str) and value and "\0" not in value and len(value) < 20
        else value
    )


@named(NAMES)
def test_chains(pki, files, value):
    compared(lambda module: context(module).load_cert_chain(at(files, value)))
    compared(lambda module: context(module).load_cert_chain(at(files, value), pki.server.key))


@named(NAMES)
def test_keys(pki, files, value):
    compared(lambda module: context(module).load_cert_chain(pki.server.chain, at(files, value)))


@pytest.mark.parametrize("how", ["cafile", "capath"])
@named(NAMES)
def test_authorities(files, how, value):
    def work(module):
        trusting = context(module)
        trusting.load_verify_locations(**{how: at(files, value)})
        return trusting.cert_store_stats()

    compared(work)


@named(NAMES)
def test_parameters(files, value):
    """Which words OpenSSL has for it depends on how far it came."""
    theirs, ours = (
        outcome(lambda module=module: context(module).load_dh_params(at(files, value)))
        for module in MODULES
    )
    assert theirs.raised is not None
    assert ours.raised is theirs.raised or (PYPY and agree(theirs, ours))


def raising(*args):
    raise KeyError("asked")


PASSWORDS = [
    "secret", b"secret", bytearray(b"secret"), "wrong", "", b"", "x" * 1024, "x" * 1025,
    b"x" * 102_400, 5, [], memoryview(b"secret"), True,
    "a\0b", "\xe9", "\udcff",
]  # fmt: skip
ANSWERS = [*PASSWORDS, None, raising]


@pytest.mark.parametrize("kind", ["pkcs8", "traditional"])
@named([None, *PASSWORDS])
def test_passwords(pki, files, kind, value):
    if value is None:  # the stdlib asks at the terminal
        with pytest.raises(tlskit.SSLError, match="encrypted, and no password was given"):
            context(tlskit).load_cert_chain(pki.server.chain, files / kind)
        return
    compared(lambda module: context(module).load_cert_chain(pki.server.chain, files / kind, value))


@pytest.mark.parametrize("kind", ["pkcs8", "traditional"])
@named(ANSWERS)
def test_functions_that_give_passwords(pki, files, kind, value):
    function = value if value is raising else lambda: value
    compared(
        lambda module: context(module).load_cert_chain(pki.server.chain, files / kind, function)
    )


@named([*PASSWORDS, raising])
def test_passwords_that_nobody_needs(pki, value):
    compared(
        lambda module: context(module).load_cert_chain(pki.server.chain, pki.server.key, value)
    )


def test_a_chain_that_was_refused_leaves_the_one_before(pki, files, version):
    client, server = client_context(pki), server_context(pki)
    for arguments in (
        (files / "garbage",),
        (pki.server.chain, pki.rsa.key),
        (pki.server.chain, files / "pkcs8", "wrong"),
    ):
        with pytest.raises(tlskit.SSLError):
            server.load_cert_chain(*arguments)
    near, _ = memory_pair(client, server)
    assert near.getpeercert()["subjectAltName"]


@pytest.mark.parametrize(
    "change", ["", "x", "+x", "twice", "cut", "bytes", "crlf", "nul", "accent", "list", "hollow"]
)
@pytest.mark.parametrize("form", ["pem", "der"])
def test_data(pki, form, change):
    pem = pki.root_pem
    whole = pem if form == "pem" else stdlib.PEM_cert_to_DER_cert(pem)
    empty, more = whole[:0], "x" if form == "pem" else b"x"
    data = {
        "": empty, "x": more, "+x": whole + more, "twice": whole * 2, "cut": whole[:-5],
        "bytes": bytearray(pem.encode()),
        "crlf": pem.replace("\n", "\r\n"), "nul": pem + "\0", "accent": "\xe9" + pem,
        "list": [whole], "hollow": b"\x30\x00",
    }[change]  # fmt: skip

    def work(module):
        trusting = context(module)
        trusting.load_verify_locations(cadata=data)
        return trusting.cert_store_stats()

    if (form, change) == ("der", "+x") and sys.version_info < (3, 12):
        pytest.skip("took what follows a certificate for nothing")
    theirs, ours = (outcome(lambda module=module: work(module)) for module in MODULES)
    if change == "bytes":  # tlskit takes PEM as bytes
        assert ours.value == {"x509": 1, "crl": 0, "x509_ca": 1}
        return
    if change == "accent":  # ... and any language in front of it, on a line of its own
        assert ours.raised is stdlib.SSLError
        return
    if PYPY and ours.raised is not None:
        assert agree(theirs, ours)
        return
    assert (ours.raised, ours.value if ours.raised is None else None) == (
        theirs.raised,
        theirs.value if theirs.raised is None else None,
    )


# -- functions of the module -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["PEM_cert_to_DER_cert", "DER_cert_to_PEM_cert", "cert_time_to_seconds", "RAND_bytes"]
)
@named([value for value in VALUES if not (type(value) is int and value >= 2**31 - 1)])
def test_functions(name, value):
    theirs, ours = (
        outcome(lambda module=module: getattr(module, name)(value)) for module in MODULES
    )
    assert ours.raised is theirs.raised


@pytest.mark.parametrize(
    "address",
    [
        ("localhost",),
        5,
        None,
        ("localhost", "x", 5),
        ("a\0b", 1),
        ("x" * 300, 1),
        ("127.0.0.1", 70_000),
    ],
    ids=shown,
)
def test_addresses(address):
    assert compared(lambda module: module.get_server_certificate(address)).raised is not None


# -- host names ------------------------------------------------------------------------------------

HOSTS = [
    "", b"", ".", ".x", "x.", "x", "localhost", b"localhost", "LOCALHOST", "a\0b", b"a\0b",
    "k\xf6nigsg\xe4\xdfchen.example",
    "xn--knig-5qa.example", "x" * 63, "x" * 64, "a." + "x" * 64, "127.0.0.1", "::1", "[::1]",
    "fe80::1%lo", "fe80::1%25lo", "1.2.3",
    "1.2.3.4.5", "0x7f.1", "*.example.org", "_x.example", "a b", "\xe9" * 70, "\udcff", b"\xff", 5,
    [], "\u2603.net", "a..b",
    "\u3002x", "\xdf.de", True,
]  # fmt: skip


#: From 4.0 on, OpenSSL looks at a name that it is to verify.
same_major = pytest.mark.skipif(
    stdlib.OPENSSL_VERSION_INFO[0] != tlskit.OPENSSL_VERSION_INFO[0],
    reason="the stdlib has another OpenSSL",
)


@same_major
@named(HOSTS)
def test_names_over_memory(value):
    def work(module):
        client = context(module, "PROTOCOL_TLS_CLIENT")
        return client.wrap_bio(
            module.MemoryBIO(), module.MemoryBIO(), server_hostname=value
        ).server_hostname

    compared(work)


@same_major
@named(HOSTS)
def test_names_over_sockets(value):
    def work(module):
        near, far = socket.socketpair()
        client = context(module, "PROTOCOL_TLS_CLIENT")
        with (
            near,
            far,
            client.wrap_socket(
                near, do_handshake_on_connect=False, server_hostname=value
            ) as wrapped,
        ):
            return wrapped.server_hostname

    compared(work)


@named(HOSTS)
def test_names_on_the_wire(pki, value):
    """What a server is told, if anything: an address is not (RFC 6066, section 3)."""

    def work(module):
        client, server, seen = (
            context(module, "PROTOCOL_TLS_CLIENT"),
            server_context(pki, module=module),
            [],
        )
        client.check_hostname, client.verify_mode = False, module.CERT_NONE
        server.sni_callback = lambda connection, name, context: seen.append(name)
        to_client, to_server = module.MemoryBIO(), module.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname=value)
        shake(near, server.wrap_bio(to_server, to_client, server_side=True))
        return seen

    if value in ("x.", "fe80::1%lo", "fe80::1%25lo"):  # the stdlib sends them as they are
        assert outcome(lambda: work(tlskit)).value == ["x" if value == "x." else None]
    else:
        compared(work)


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1"])
def test_addresses_are_verified_as_addresses(pki, name):
    client, server = client_context(pki), server_context(pki)
    assert memory_pair(client, server, hostname=name)[0].version()
    with pytest.raises(tlskit.SSLCertVerificationError, match="IP address mismatch"):
        memory_pair(client, server, hostname="127.0.0.2")


@pytest.mark.skipif(tlskit.OPENSSL_VERSION_INFO[0] < 4, reason="OpenSSL takes any name")
@pytest.mark.parametrize("name", ["x", "[::1]", "*.example.org", "a b"])
def test_names_that_openssl_refuses(pki, name):
    """Only where they are to be verified."""
    client = client_context(pki)
    with pytest.raises(tlskit.SSLError, match="as a host name to verify"):
        client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=name)
    client.check_hostname = False
    assert (
        client.wrap_bio(
            tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=name
        ).server_hostname
        == name
    )


@same_major
def test_the_zone_of_an_address_is_in_no_certificate(pki):
    """It means something on this machine only: the address counts. The stdlib finds neither."""
    near, _ = memory_pair(client_context(pki), server_context(pki), hostname="::1%lo")
    assert near.server_hostname == "::1%lo"


# -- connections -----------------------------------------------------------------------------------


def buffers():
    return {
        "none": None, "number": 5, "bytes": b"abc", "bytearray": bytearray(4),
        "empty": bytearray(0), "view": memoryview(bytearray(6)),
        "read-only": memoryview(b"xx"), "array": array.array("I", [0, 0, 0]),
        "strided": memoryview(bytearray(8))[::2],
        "text": "x", "list": [],
    }  # fmt: skip


def object_of(pki, module, state, data=b""):
    """An SSLObject before or after its handshake."""
    client = client_context(pki, module=module)
    if state == "fresh":
        return client.wrap_bio(module.MemoryBIO(), module.MemoryBIO(), server_hostname="localhost")
    near, far = memory_pair(client, server_context(pki, module=module), module=module)
    far.write(data)
    return near


class Number:
    """What is no int, and has a number."""

    def __init__(self, number):
        self.number = number

    def __index__(self):
        return self.number

    def __repr__(self):
        return f"Number({self.number})"


@pytest.mark.parametrize("state", ["fresh", "made"])
@pytest.mark.parametrize(
    "size", [0, 1, 5, -1, 2**31, None, "x", 1.0, True, Number(3), Number(-1)], ids=shown
)
@pytest.mark.parametrize("kind", buffers())
def test_reads(pki, state, size, kind):
    def work(module):
        buffer = buffers()[kind]
        got = object_of(pki, module, state, b"hello").read(size, buffer)
        return got, bytes(buffer) if isinstance(buffer, bytearray) else None

    compared(work)


@pytest.mark.parametrize("size", [sys.maxsize, 2**70, Number(2**40), Number(2**70)], ids=shown)
@pytest.mark.parametrize("buffer", [None, "bytearray"])
def test_reads_of_whatever_there_is(pki, size, buffer):
    """The stdlib makes room for all that is asked for, and fails. Here, a size is the most that is
    wanted.
    """
    end = object_of(pki, tlskit, "made", b"hello")
    if buffer is None:
        assert end.read(size) == b"hello"
    else:
        assert end.read(size, bytearray(8)) == 5
    queue = tlskit.MemoryBIO()
    queue.write(b"hello")
    assert queue.read(size) == b"hello"


@pytest.mark.parametrize("state", ["fresh", "made"])
@pytest.mark.parametrize("kind", buffers())
def test_writes(pki, state, kind):
    compared(lambda module: object_of(pki, module, state, b"x").write(buffers()[kind]))


@pytest.mark.parametrize("state", ["fresh", "made"])
def test_a_huge_write(pki, state):
    compared(lambda module: object_of(pki, module, state, b"x").write(bytes(2**22)))


@pytest.mark.parametrize("state", ["fresh", "made"])
@pytest.mark.parametrize(
    "name", ["session", "context", "server_side", "server_hostname", "session_reused"]
)
@named([None, 5, "x"])
def test_attributes(pki, state, name, value):
    assert (
        compared(lambda module: setattr(object_of(pki, module, state, b"x"), name, value)).raised
        is not None
    )


QUESTIONS = [
    "pending", "version", "cipher", "compression", "shared_ciphers", "selected_alpn_protocol",
    "selected_npn_protocol",
    "get_channel_binding", "verify_client_post_handshake", "unwrap", "do_handshake",
]  # fmt: skip


@pytest.mark.parametrize("state", ["fresh", "made"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_questions(pki, state, name):
    def work(module):
        return type(getattr(object_of(pki, module, state, b"x"), name)()).__name__

    if (name, state) == ("unwrap", "made"):  # the stdlib fails of data that is still there
        assert outcome(lambda: work(tlskit)).raised is tlskit.SSLWantReadError
    elif name == "shared_ciphers" and not knows_shared_ciphers:
        assert outcome(lambda: work(tlskit)) == Outcome(None, "NoneType", ())
    else:
        compared(work)
    assert (
        compared(lambda module: getattr(object_of(pki, module, state, b"x"), name)(1, 2, 3)).raised
        is TypeError
    )


@pytest.mark.parametrize(
    "kind", [None, 5, b"tls-unique", ["tls-unique"], "x", "tls-unique"], ids=shown
)
@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("state", ["fresh", "made"])
def test_channel_bindings(pki, state, inner, kind):
    def work(module):
        end = object_of(pki, module, state, b"x")
        found = (end._sslobj if inner else end).get_channel_binding(kind)
        return found and len(found)

    compared(work)


@pytest.mark.parametrize("data", [b"", b"x"])
@pytest.mark.parametrize("side", ["near", "far", "both"])
def test_a_write_after_close_notify(pki, side, data):
    """Also one of nothing: what has ended says so."""

    def work(module):
        near, far = memory_pair(
            client_context(pki, module=module), server_context(pki, module=module), module=module
        )
        for end in {"near": [near], "far": [far], "both": [near, far]}[side]:
            with contextlib.suppress(stdlib.SSLWantReadError):
                end.unwrap()
        return near.write(data)

    compared(work)


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b""), array.array("I")], ids=repr)
def test_sending_nothing_needs_no_handshake(pki, data):
    def work(module):
        near, far = socket.socketpair()
        client = client_context(pki, module=module)
        near.setblocking(False)
        with (
            far,
            client.wrap_socket(
                near, server_hostname="localhost", do_handshake_on_connect=False
            ) as end,
        ):
            return end.sendall(data)

    compared(work)


CURVES = [
    pathlib.PurePath("prime256v1"), b"prime256v1", "prime256v1", bytearray(b"prime256v1"),
    pathlib.PurePath("x"), pathlib.PurePath("a\0b"), 5, None,
]  # fmt: skip


@named(CURVES)
def test_curves(value):
    compared(lambda module: context(module).set_ecdh_curve(value))


@pytest.mark.parametrize("kind", buffers())
def test_memory(kind):
    def work(module):
        queue = module.MemoryBIO()
        return queue.write(buffers()[kind]), queue.pending, queue.read()

    compared(work)


@named([None, 0, -1, 5, "x", 1.5, 2**31 - 1, -(2**31), True, Number(3), Number(-1)])
def test_reading_memory(value):
    def work(module):
        queue = module.MemoryBIO()
        queue.write(b"hello")
        return queue.read(value)

    compared(work)


SOCKET_CALLS = [
    ("read", ()), ("read", (0,)), ("read", (-1,)), ("write", (b"x",)), ("write", ("x",)), ("recv",
    (0,)), ("recv", (-1,)), ("recv", (5, 1)),
    ("recv_into", (b"x",)), ("recv_into", ("x",)), ("recv_into", (bytearray(5), -1)), ("recv_into",
    (bytearray(5), 1, 1)), ("recvfrom", ()),
    ("recvmsg", ()), ("recvmsg_into", ([],)), ("send", ("x",)), ("send", (b"x", 1)), ("send",
    (b"",)), ("send", (5,)), ("sendall", ("x",)),
    ("sendall", (b"",)), ("sendall", (b"x", 1)), ("sendto", (b"x", ("127.0.0.1", 1))), ("sendmsg",
    ([b"x"],)), ("sendfile", (5,)),
    ("dup", ()), ("shutdown", (99,)), ("shutdown", ("x",)), ("pending", ()), ("version", ()),
    ("cipher", ()), ("compression", ()),
    ("shared_ciphers", ()), ("selected_alpn_protocol", ()), ("get_channel_binding", ("x",)),
    ("verify_client_post_handshake",
    ()), ("connect", (5,)),
    ("settimeout", (-1,)), ("do_handshake", ()),
]  # fmt: skip


@contextlib.contextmanager
def socket_in(pki, module, state):
    client = client_context(pki, module=module)
    if state == "unconnected":
        with client.wrap_socket(socket.socket(), server_hostname="localhost") as wrapped:
            yield wrapped
        return
    near, far = socket.socketpair()
    accepting = Background(
        lambda: server_context(pki, module=module).wrap_socket(far, server_side=True)
    )
    with client.wrap_socket(near, server_hostname="localhost") as wrapped, accepting.result():
        if state == "closed":
            wrapped.close()
        else:
            wrapped.settimeout(0.05 if state == "connected" else 0)  # there is nothing to receive
        yield wrapped


@pytest.mark.parametrize("state", ["connected", "non-blocking", "unconnected", "closed"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    SOCKET_CALLS,
    ids=lambda part: part if isinstance(part, str) else shown(part),
)
def test_sockets(pki, state, name, arguments):
    if not hasattr(socket.socket, name) and name in ("recvmsg", "recvmsg_into", "sendmsg"):
        pytest.skip("not on this system")

    def work(module):
        with socket_in(pki, module, state) as wrapped:
            return getattr(wrapped, name)(*arguments)

    if name == "shared_ciphers" and not knows_shared_ciphers:
        assert outcome(lambda: work(tlskit)) == Outcome(None, None, ())
    else:
        compared(work)


def test_no_descriptor_is_lost(pki):
    """Whatever was refused above, sockets are closed once."""
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        near, far = socket.socketpair()
        with far, pytest.raises(ValueError, match="check_hostname requires server_hostname"):
            client_context(pki).wrap_socket(near)
        near.close()
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert before == after


@pytest.mark.parametrize(
    "name",
    ["set_ciphers", "set_ciphersuites", "set_groups", "set_client_sigalgs", "set_server_sigalgs"],
)
@pytest.mark.parametrize(
    "value",
    [
        memoryview(b""),
        memoryview(b"abcd"),
        memoryview(b"abcd").cast("B", (2, 2)),
        array.array("B"),
        array.array("i", [1]),
    ],
    ids=["empty", "flat", "two dimensions", "empty array", "array"],
)
def test_an_array_is_not_a_list_of_names(name, value):
    # Iterating over a view of two dimensions raises NotImplementedError, as a missing feature does.
    with pytest.raises(TypeError, match=f"not {type(value).__name__}"):
        getattr(tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT), name)(value)


@pytest.mark.parametrize("through", ["memory", "socket"])
@pytest.mark.parametrize("side", [None, 0, "", b"", [], 1, "yes"], ids=repr)
def test_any_object_says_which_side(pki, side, through):
    """The stdlib asks only whether it is true, in memory from Python 3.12 on."""

    def work(module):
        context = (server_context if side else client_context)(pki, module=module)
        if not side:
            context.check_hostname = False
        if through == "memory":
            made = context.wrap_bio(module.MemoryBIO(), module.MemoryBIO(), server_side=side)
        else:
            made = context.wrap_socket(socket.socket(), server_side=side)
        try:
            return made.server_side
        finally:
            if through == "socket":
                made.close()

    theirs, ours = (outcome(lambda module=module: work(module)) for module in (stdlib, tlskit))
    assert ours.value == (bool(side) if through == "memory" else side)
    if theirs.raised is not TypeError:
        assert agree(theirs, ours)

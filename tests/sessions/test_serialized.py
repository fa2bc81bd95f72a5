"""Sessions as bytes: DER and PEM, there and back, here and in another process; and bytes that are
no session.
"""

from __future__ import annotations

import base64
import json
import random
import re
import socket
import subprocess

import pytest

import tlskit
from tlskit import SSLSession

from ..support import peers
from ..support.pairs import Background, echo_server
from .helpers import KINDS, alone, client_for, greet, server_for

FACTS = [
    "id",
    "time",
    "timeout",
    "ticket_lifetime_hint",
    "has_ticket",
    "is_resumable",
    "protocol",
    "cipher",
    "expires_at",
]


def facts(session):
    return [getattr(session, name) for name in FACTS]


@pytest.fixture
def session(memory, client, server):
    return memory.earn(client, server)


@pytest.fixture(scope="module")
def one(pki):
    """One session, for what does not depend on its kind."""
    from .helpers import Link

    return Link("memory").earn(
        client_for(KINDS[1], pki), server_for(KINDS[1], pki, identity=pki.direct)
    )


# -- there and back --------------------------------------------------------------------------------


def test_der_there_and_back(session):
    der = session.to_der()
    assert isinstance(der, bytes)
    again = SSLSession.from_der(der)
    assert facts(again) == facts(session)
    assert again == session
    assert again.to_der() == der


def test_pem_there_and_back(session):
    pem = session.to_pem()
    assert isinstance(pem, str)
    assert pem.startswith("-----BEGIN SSL SESSION PARAMETERS-----\n")
    assert pem.endswith("\n-----END SSL SESSION PARAMETERS-----\n")
    assert max(map(len, pem.splitlines())) <= 64
    for form in (pem, pem.encode(), bytearray(pem.encode()), memoryview(pem.encode())):
        again = SSLSession.from_pem(form)
        assert facts(again) == facts(session)
        assert again.to_pem() == pem


def test_pem_and_der_say_the_same(session):
    body = "".join(session.to_pem().splitlines()[1:-1])
    assert base64.b64decode(body) == session.to_der()


def test_both_sides_of_a_server(kind, memory, client, server):
    _, far = memory.connect(client, server)
    again = SSLSession.from_der(far.session.to_der())
    assert facts(again)[1:3] == facts(far.session)[1:3]


@pytest.mark.parametrize(
    "form", [bytes, bytearray, memoryview, lambda data: memoryview(data).cast("B")]
)
def test_der_from_any_buffer(one, form):
    assert SSLSession.from_der(form(one.to_der())) == one


def test_der_from_every_second_byte(one):
    """A buffer need not be in one piece."""
    spread = bytearray(2 * len(one.to_der()))
    spread[::2] = one.to_der()
    assert SSLSession.from_der(memoryview(spread)[::2]) == one


@pytest.mark.parametrize("ending", ["\r\n", "\n\n", " \n"])
def test_pem_of_another_system(one, ending):
    assert SSLSession.from_pem(one.to_pem().replace("\n", ending)) == one


def test_pem_among_other_things(one):
    """`openssl s_client -sess_out` files may be kept with a certificate beside them."""
    assert (
        SSLSession.from_pem(
            "# a comment: käse\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
            + one.to_pem()
            + "more\n"
        )
        == one
    )


def test_a_secret_is_in_it(one):
    """What `to_der` warns of: openssl reads the master key out."""
    done = subprocess.run(
        [peers.command(), "sess_id", "-noout", "-text"],
        input=one.to_pem(),
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = re.findall(r"Master-Key: ([0-9A-F]+)", done.stdout)
    assert bytes.fromhex(key) in one.to_der()


def test_nothing_to_write_before_a_cipher_is_agreed_on(pki):
    client, server = client_for(KINDS[0], pki), server_for(KINDS[0], pki)
    to_client, to_server, wire = tlskit.MemoryBIO(), tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, wire, server_side=True)
    for end in (near, far):
        with pytest.raises(tlskit.SSLWantReadError):
            end.do_handshake()
    to_client.write(wire.read()[:-9])
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    with pytest.raises(ValueError, match="cipher"):
        near.session.to_der()


# -- resuming from bytes ---------------------------------------------------------------------------


def test_in_the_same_context(kind, link, client, server):
    session = SSLSession.from_der(link.earn(client, server).to_der())
    near, far = link.connect(client, server, session=session)
    assert near.session_reused
    assert far.session_reused
    greet(near, far)


def test_in_another_context(kind, link, client, server, pki):
    session = SSLSession.from_pem(link.earn(client, server).to_pem())
    for _ in range(2):
        near, far = link.connect(client_for(kind, pki), server, session=session)
        assert near.session_reused
        greet(near, far)


def test_again_and_again_through_bytes(kind, link, client, server, pki):
    """What a resumed connection leaves can be written and read too."""
    session = link.earn(client, server)
    for _ in range(4):
        session = SSLSession.from_der(session.to_der())
        near, _ = link.connect(client_for(kind, pki), server, session=session)
        assert near.session_reused
        session = near.session


def test_the_certificate_is_still_there(kind, link, client, server, pki):
    near, _ = link.connect(client, server)
    full = near.getpeercert()
    near, _ = link.connect(
        client_for(kind, pki), server, session=SSLSession.from_der(near.session.to_der())
    )
    assert near.session_reused
    assert near.getpeercert() == full
    assert near.getpeercert(True)


RESUME = """
    import json, socket, sys
    import tlskit
    root, path, host, port, form, hostname, how = sys.argv[1:]
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    if how != "distrusting":
        context.load_verify_locations(root)
    read = getattr(tlskit.SSLSession, "from_" + form)
    with open(path, "rb") as file:
        session = read(file.read())
    try:
        with context.wrap_socket(socket.create_connection((host, int(port)), 10), server_hostname=hostname, session=session) as sock:
            sock.sendall(b"hello")
            print(json.dumps([sock.session_reused, sock.recv(5).decode(), sock.version()]))
    except tlskit.SSLError as error:
        print(json.dumps([type(error).__name__]))
"""


def in_another_process(address, pki, path, form, hostname="localhost", how="trusting"):
    done = alone(RESUME, str(pki.root), str(path), address[0], str(address[1]), form, hostname, how)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("form", ["der", "pem"])
def test_in_another_process(kind, memory, client, server, pki, tmp_path, form):
    session = memory.earn(client, server)
    path = tmp_path / "session"
    path.write_bytes(session.to_der() if form == "der" else session.to_pem().encode())
    with echo_server(server) as address:
        resumed, echo, version = in_another_process(address, pki, path, form)
    assert (resumed, echo, version) == (True, "hello", session.protocol)
    assert server.sessions.stats().hits == 1


@pytest.mark.parametrize(
    ("hostname", "how"), [("evil.example", "trusting"), ("localhost", "distrusting")]
)
def test_in_another_process_that_has_no_reason_to_trust(memory, pki, tmp_path, hostname, how):
    server = server_for(KINDS[3], pki, identity=pki.direct)
    session = memory.earn(client_for(KINDS[3], pki), server)
    path = tmp_path / "session"
    path.write_bytes(session.to_der())
    with echo_server(server) as address:
        assert in_another_process(address, pki, path, "der", hostname, how) == [
            "SSLCertVerificationError"
        ]
    assert server.sessions.stats().hits == 0


# -- with openssl's own client ---------------------------------------------------------------------


def s_client(address, pki, *arguments):
    """What s_client says, once it has had an answer (with which the tickets come) and was told to
    quit.
    """
    command = [
        peers.command(),
        "s_client",
        "-connect",
        f"{address[0]}:{address[1]}",
        "-servername",
        "localhost",
        "-CAfile",
        str(pki.root),
    ]
    with subprocess.Popen(
        [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write("hello\n")
        process.stdin.flush()

        def until_answered():
            said = []
            while not said or (said[-1] and said[-1] != "hello\n"):
                said.append(process.stdout.readline())
            return "".join(said)

        reading = Background(until_answered)
        try:
            said = reading.result(20)
        except BaseException:
            process.kill()
            raise
        process.stdin.write("Q\n")
        return said + process.communicate(timeout=20)[0]


def test_a_session_of_openssl_s_client(kind, pki, server, tmp_path):
    """The documentation of `from_pem`: "what ... `openssl s_client -sess_out` wrote"."""
    path = tmp_path / "s_client.pem"
    with echo_server(server) as address:
        said = s_client(address, pki, "-sess_out", str(path))
        assert path.exists(), said
        session = SSLSession.from_pem(path.read_bytes())
        assert session.protocol == ("TLSv1.3" if kind.modern else "TLSv1.2")
        plain = socket.create_connection(address, 20)
        with client_for(kind, pki).wrap_socket(
            plain, server_hostname="localhost", session=session
        ) as near:
            assert near.session_reused
            near.sendall(b"hello")
            assert near.recv(5) == b"hello"


def test_a_session_for_openssl_s_client(kind, pki, memory, client, server, tmp_path):
    """The documentation of `to_pem`: "... and `-sess_in` reads"."""
    path = tmp_path / "for_s_client.pem"
    path.write_text(memory.earn(client, server).to_pem())
    with echo_server(server) as address:
        said = s_client(address, pki, "-sess_in", str(path))
    assert "\nReused, TLSv1." in said
    assert said.count("\nhello\n") == 1, "it says that it has reused the session, and then gives up"


# -- bytes that are no session ---------------------------------------------------------------------


def refuses(read, data):
    with pytest.raises(tlskit.SSLError, match="not one whole session") as caught:
        read(data)
    assert caught.value.errno == tlskit.SSL_ERROR_SSL
    assert caught.value.library is None
    assert caught.value.reason is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"0",
        b"0\0",
        b"\x30\x80\0\0",
        b"garbage",
        bytes(1000),
        b"\xff" * 1000,
        bytearray(),
        memoryview(b"x"),
    ],
)
def test_garbage_for_der(data):
    refuses(SSLSession.from_der, data)


def test_every_truncation(session):
    der = session.to_der()
    for size in range(len(der)):
        refuses(SSLSession.from_der, der[:size])


@pytest.mark.parametrize("more", [b"\0", b"x", b"\x30\0", b"0" * 1000])
def test_trailing_bytes(session, more):
    refuses(SSLSession.from_der, session.to_der() + more)


def test_two_sessions(session):
    refuses(SSLSession.from_der, session.to_der() * 2)


def test_pem_is_not_der_and_der_is_not_pem(session):
    refuses(SSLSession.from_der, session.to_pem().encode())
    refuses(SSLSession.from_pem, session.to_der())


@pytest.mark.parametrize(
    "data",
    [
        "",
        b"",
        "garbage",
        "-----BEGIN SSL SESSION PARAMETERS-----",
        "-----BEGIN SSL SESSION PARAMETERS-----\n\n-----END SSL SESSION PARAMETERS-----\n",
    ],
)
def test_garbage_for_pem(data):
    refuses(SSLSession.from_pem, data)


def test_damaged_pem(one):
    pem = one.to_pem()
    lines = pem.splitlines(keepends=True)
    for damaged in (
        "".join(lines[:-1]),
        "".join(lines[1:]),
        "".join(lines[:1] + lines[2:]),
        pem.replace(lines[1][:1], "*", 1),
        pem[:200] + "é" + pem[201:],
        pem[:200] + "\0" + pem[201:],
        pem[:200] + "=" + pem[201:],
        pem[:200] + pem[201:],
        pem.replace("SSL SESSION PARAMETERS", "CERTIFICATE"),
        pem.replace("\n-----END", "AAAA\n-----END"),
        pem.lower(),
    ):
        refuses(SSLSession.from_pem, damaged)


@pytest.mark.parametrize("bad", [None, 5, "text", [1, 2], object()])
def test_der_of_the_wrong_type(bad):
    with pytest.raises(TypeError):
        SSLSession.from_der(bad)


@pytest.mark.parametrize("bad", [None, 5, [1, 2], object()])
def test_pem_of_the_wrong_type(bad):
    with pytest.raises(TypeError):
        SSLSession.from_pem(bad)


def test_damaged_bytes_do_no_harm(session, client, server):
    """Every byte changed in turn: refused, or a session that reads, writes and connects (in full,
    if need be) without a crash.
    """
    der = session.to_der()
    chance = random.Random(1)
    taken = 0
    for at in range(len(der)):
        damaged = bytearray(der)
        damaged[at] ^= 1 << chance.randrange(8)
        try:
            strange = SSLSession.from_der(damaged)
        except tlskit.SSLError:
            continue
        taken += 1
        assert isinstance(repr(strange), str)
        assert isinstance(facts(strange), list)
        assert hash(strange) is not None
        assert SSLSession.from_der(strange.to_der()) == strange
        incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
        near = client.wrap_bio(incoming, outgoing, server_hostname="localhost", session=strange)
        with pytest.raises(tlskit.SSLWantReadError):
            near.do_handshake()
        assert outgoing.pending
    assert 0 < taken < len(der)


def test_a_stolen_name_with_another_certificate_is_not_resumed(kind, link, pki, server):
    """Who puts another certificate into the bytes gains nothing: it has to pass."""
    stranger = server_for(kind, pki, identity=pki.stranger)
    careless = client_for(kind, pki)
    careless.check_hostname = False
    careless.verify_mode = tlskit.CERT_NONE
    der = link.earn(careless, stranger).to_der()
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(client_for(kind, pki), stranger, session=SSLSession.from_der(der))

"""`to_bytes` and `from_bytes`: a session whole, there and back; and bytes that are damaged, forged,
or from the future.
"""

from __future__ import annotations

import base64
import contextlib
import random
from hashlib import sha256

import pytest

import tlskit
from tlskit import SSLSession
from tlskit.sessions import records

from ..support import inside
from ..support.pairs import client_context, only, server_context, shake
from .helpers import KINDS, Link, aged, alone, client_for, greet, server_for
from .test_info import ders

IDS, TICKETS, STATEFUL, STATELESS = KINDS
HEAD, DIGEST = 14, 32
FACTS = [
    "id", "time", "timeout", "ticket_lifetime_hint", "has_ticket", "is_resumable", "protocol",
    "cipher", "expires_at", "hostname", "alpn",
    "max_early_data", "ticket", "peer_certificate", "info",
]  # fmt: skip


def facts(session):
    return [getattr(session, name) for name in FACTS]


def sealed(body, version=1):
    """An envelope around these records, with a digest that is right."""
    data = b"\x93tlskit\n" + version.to_bytes(2, "big") + len(body).to_bytes(4, "big") + body
    return data + sha256(data).digest()


def record(tag, body):
    return tag.to_bytes(2, "big") + len(body).to_bytes(4, "big") + body


def parts(data):
    return dict(records.read(data[HEAD:-DIGEST]))


def joined(found):
    return sealed(b"".join(record(tag, body) for tag, body in sorted(found.items())))


@pytest.fixture
def session(kind, memory, client, server):
    return memory.earn(client, server)


@pytest.fixture(scope="module")
def one(pki):
    """One session, for what does not depend on its kind; its certificate was issued by an
    intermediate authority.
    """
    return Link("memory").earn(client_for(STATELESS, pki), server_for(STATELESS, pki))


@pytest.fixture(scope="module")
def written(one):
    return one.to_bytes()


# -- there and back --------------------------------------------------------------------------------


def test_there_and_back(session):
    data = session.to_bytes()
    assert isinstance(data, bytes)
    again = SSLSession.from_bytes(data)
    assert facts(again) == facts(session)
    assert again == session
    assert hash(again) == hash(session)
    assert inside.binding_of(again) == inside.binding_of(session)
    assert again.to_der() == session.to_der()
    assert again.to_bytes() == data


def test_a_servers_session(kind, memory, client, server):
    _, far = memory.connect(client, server)
    again = SSLSession.from_bytes(far.session.to_bytes())
    assert facts(again) == facts(far.session)
    assert again == far.session


@pytest.mark.parametrize(
    "form",
    [
        bytes,
        bytearray,
        memoryview,
        lambda data: memoryview(bytes(x for b in data for x in (b, 0)))[::2],
    ],
)
def test_from_any_buffer(one, written, form):
    assert SSLSession.from_bytes(form(written)) == one


def test_it_is_small(pki, one, written):
    """A certificate that stands in several chains is in there once; beside the DER, which has the
    peer's own.
    """
    chain = [*ders(pki.server.chain), *ders(pki.root)]
    assert len(written) < len(one.to_der()) + sum(map(len, chain)) + 400
    for der in chain[1:]:
        assert written.count(der) == 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_resumes(pki, kind, link):
    """In another context, again and again; the intermediate authority is trusted by nobody."""
    server = server_for(kind, pki)
    near, _ = link.connect(client_for(kind, pki), server)
    chain, session = near.get_verified_chain(), near.session
    for _ in range(3):
        session = SSLSession.from_bytes(session.to_bytes())
        near, far = link.connect(client_for(kind, pki), server, session=session)
        assert near.session_reused
        assert near.get_verified_chain() == chain
        assert len(chain) == 3
        greet(near, far)
        session = near.session


def test_der_alone_does_not(pki, link):
    """The control: the certificate cannot be verified without the one between."""
    server = server_for(STATELESS, pki)
    session = link.earn(client_for(STATELESS, pki), server)
    near, _ = link.connect(
        client_for(STATELESS, pki), server, session=SSLSession.from_der(session.to_der())
    )
    assert not near.session_reused


def test_in_another_process(pki, one, written):
    """The policy's digest means the same there; the session is offered for the same name and no
    other.
    """
    script = """
    import base64, sys, tlskit
    sys.stdin.reconfigure(encoding="ascii")
    data, root = base64.b64decode(sys.argv[1]), sys.argv[2]
    session = tlskit.SSLSession.from_bytes(data)
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(root)
    context.minimum_version = context.maximum_version = tlskit.TLSVersion.TLSv1_3
    for name in ("localhost", "other.example"):
        outgoing = tlskit.MemoryBIO()
        end = context.wrap_bio(tlskit.MemoryBIO(), outgoing, server_hostname=name, session=session)
        try:
            end.do_handshake()
        except tlskit.SSLWantReadError:
            print(session.ticket in outgoing.read())
    print(len(session.info.verified_chain), hash(session.info) is not None)
    """
    done = alone(script, base64.b64encode(written).decode(), str(pki.root))
    assert done.stderr == ""
    assert done.stdout.split() == ["True", "False", "3", "True"]


# -- what it is bound to ---------------------------------------------------------------------------


def test_another_name(pki, kind, link, client, server):
    session = SSLSession.from_bytes(link.earn(client, server).to_bytes())
    near, _ = link.connect(
        client, server, hostname="other.example", session=session
    )  # which the certificate has too
    assert not near.session_reused
    assert session.hostname == "localhost"
    again, _ = link.connect(client, server, session=session)
    assert again.session_reused


def test_another_policy(pki, kind, link, client, server):
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    session = SSLSession.from_bytes(link.earn(client, server).to_bytes())
    strict = client_for(kind, pki)
    near, _ = link.connect(strict, server, session=session)
    assert not near.session_reused
    assert near.getpeercert()


def test_other_authorities(pki, kind, link, client, server):
    session = SSLSession.from_bytes(link.earn(client, server).to_bytes())
    client.load_verify_locations(pki.stranger_root)
    near, _ = link.connect(client, server, session=session)
    assert not near.session_reused


def test_no_name_stays_no_name(kind, memory, client, server):
    client.check_hostname = False
    session = SSLSession.from_bytes(memory.earn(client, server, hostname=None).to_bytes())
    assert session.hostname is None
    near, _ = memory.connect(client, server, hostname="localhost", session=session)
    assert not near.session_reused
    again, _ = memory.connect(client, server, hostname=None, session=session)
    assert again.session_reused


def test_it_belongs_to_no_context(kind, memory, client, server, pki):
    session = memory.earn(client, server)
    other = client_for(kind, pki)
    with pytest.raises(ValueError, match="different SSLContext"):
        memory.connect(other, server, session=session)
    memory.connect(other, server, session=SSLSession.from_bytes(session.to_bytes()))


def test_what_may_not_be_offered_stays_so(kind, memory, client, server):
    """A session of a context that was changed under it."""
    session = memory.earn(client, server)
    doubtful = inside.rebuilt(session, sound=False)
    again = SSLSession.from_bytes(doubtful.to_bytes())
    assert not again.is_resumable
    near, _ = memory.connect(client, server, session=again)
    assert not near.session_reused
    assert near.resumption.reason is tlskit.Reason.UNSOUND


def test_what_was_withdrawn_stays_so(pki, memory):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    session = memory.earn(client, server)
    client.sessions.mode = tlskit.SessionCacheMode.CLIENT
    kept = SSLSession.from_bytes(session.to_bytes())
    client.sessions.add(session)
    client.sessions.remove(session)
    assert kept.is_resumable
    assert not session.is_resumable
    again = SSLSession.from_bytes(session.to_bytes())
    assert not again.is_resumable
    near, _ = memory.connect(client, server, session=again)
    assert not near.session_reused
    assert SSLSession.from_bytes(again.to_bytes()) == session


def test_an_expired_one(kind, memory, client, server):
    session = SSLSession.from_bytes(aged(memory.earn(client, server), 8 * 86400).to_bytes())
    assert session.expires_in == 0.0
    near, _ = memory.connect(client, server, session=session)
    assert not near.session_reused


def test_without_a_binding(pki, link):
    """From DER to bytes: it is still nobody's, and its certificate is verified where it is
    offered.
    """
    server = server_for(STATELESS, pki, identity=pki.direct)
    session = SSLSession.from_der(link.earn(client_for(STATELESS, pki), server).to_der())
    again = SSLSession.from_bytes(session.to_bytes())
    assert inside.binding_of(again) is None
    near, _ = link.connect(client_for(STATELESS, pki), server, session=again)
    assert near.session_reused
    strict = client_context(pki)
    strict.load_verify_locations(pki.stranger_root)
    for hostname in ("nobody.example", "localhost"):
        other = client_for(STATELESS, pki)
        if hostname == "localhost":
            other = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
            other.load_verify_locations(pki.stranger_root)
        with pytest.raises(tlskit.SSLCertVerificationError):
            link.connect(other, server, hostname=hostname, session=again)


def test_without_a_binding_and_with_the_chain(pki, link, one, written):
    """The certificates that the peer once sent help to verify it, and are not trusted for that."""
    server = server_for(STATELESS, pki)
    near, _ = link.connect(client_for(STATELESS, pki), server)
    found = parts(near.session.to_bytes())
    del found[2]
    session = SSLSession.from_bytes(joined(found))
    assert inside.binding_of(session) is None
    again, _ = link.connect(client_for(STATELESS, pki), server, session=session)
    assert again.session_reused
    assert len(again.get_verified_chain()) == 3
    trusting_nobody_here = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    trusting_nobody_here.load_verify_locations(pki.stranger_root)
    with pytest.raises(tlskit.SSLCertVerificationError):
        link.connect(trusting_nobody_here, server, session=session)


# -- secrets ---------------------------------------------------------------------------------------


def test_the_secret_is_in_it_once(one, written):
    assert written.count(one.dangerous_master_secret()) == 1


def test_a_private_key_is_not_in_it(pki, kind, memory, client, server):
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.verify_mode = tlskit.CERT_REQUIRED
    server.load_verify_locations(pki.root)
    near, _ = memory.connect(client, server)
    again = SSLSession.from_bytes(near.session.to_bytes())
    assert near.info.private_key == tlskit.KeyInfo("EC", 256)
    assert again.info.private_key is None
    assert again.info.certificate_chain == ders(pki.client.chain)


def test_nothing_to_write_before_a_cipher_is_agreed_on(pki):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
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
        near.session.to_bytes()


# -- damage ----------------------------------------------------------------------------------------


def refused(data, match=None):
    with pytest.raises(tlskit.SSLError, match=match) as caught:
        SSLSession.from_bytes(data)
    assert caught.value.library is None
    assert caught.value.reason is None


def test_a_flipped_bit_anywhere(written):
    for at in range(len(written)):
        for bit in range(8):
            data = bytearray(written)
            data[at] ^= 1 << bit
            with pytest.raises(tlskit.SSLError):
                SSLSession.from_bytes(data)


def test_every_truncation(written):
    for size in range(len(written)):
        refused(written[:size])
    for size in range(1, len(written), 97):
        refused(written[size:])


@pytest.mark.parametrize("more", [b"\0", b"more", b"\x93tlskit\n"])
def test_bytes_behind_it(written, more):
    refused(written + more, "cut short or extended")
    refused(more + written)
    refused(written * 2)


def test_what_is_something_else(one):
    for data in (
        b"",
        b"\0",
        b"tlskit",
        one.to_der(),
        one.to_pem().encode(),
        b"\x93tlskit\n",
        bytes(5000),
    ):
        refused(data, "not a session that tlskit wrote")


@pytest.mark.parametrize("size", [2**31, 2**32 - 1, 2**20 + 1, 0])
def test_a_size_that_is_not_there(written, size):
    refused(written[:10] + size.to_bytes(4, "big") + written[14:], "cut short or extended")


@pytest.mark.parametrize("version", [2, 3, 255, 65535])
def test_a_later_version_says_so(written, version):
    refused(
        sealed(written[HEAD:-DIGEST], version),
        f"has format {version}, of a later version of tlskit",
    )


def test_version_nought(written):
    refused(sealed(written[HEAD:-DIGEST], 0))


@pytest.mark.parametrize("value", [None, "text", 5, object()])
def test_what_is_not_bytes(value):
    with pytest.raises(TypeError):
        SSLSession.from_bytes(value)


def test_random_bytes():
    source = random.Random(20)
    for _ in range(500):
        refused(source.randbytes(source.randrange(4000)))
        refused(sealed(source.randbytes(source.randrange(4000))))


# -- forgery: the digest is right, the inside is not -----------------------------------------------


def test_an_unknown_record_that_may_be_skipped(one, written):
    found = parts(written)
    again = SSLSession.from_bytes(joined({**found, 0xFFF0: b"from the future", 0x8000 | 99: b""}))
    assert again == one
    assert again.info == one.info


@pytest.mark.parametrize("tag", [4, 99, 0x7FFF])
def test_an_unknown_record_that_may_not(written, tag):
    refused(joined({**parts(written), tag: b""}), "their content is not valid")


@pytest.mark.parametrize("tag", [1, 3])
def test_a_record_that_is_needed(written, tag):
    found = parts(written)
    del found[tag]
    refused(joined(found), "their content is not valid")


def test_records_out_of_order_or_twice(written):
    body = written[HEAD:-DIGEST]
    first, *others = [record(tag, content) for tag, content in records.read(body)]
    refused(sealed(b"".join([*others, first])))
    refused(sealed(first + body))
    refused(sealed(body[:-1]))
    refused(sealed(body + b"\xff"))
    refused(sealed(b""))


@pytest.mark.parametrize(
    ("tag", "body"),
    [
        (1, b""), (1, b"0\x00"), (1, bytes(100)), (2, b""), (2, bytes(31)), (2, bytes(32) + b"x"),
        (2, bytes(32) + b"=\xff"),
        (2, bytes(32) + b"=" + b"a" * 2000), (3, b""), (3, b"\1\1"), (0x8001, b"1"), (0x8001,
        b"\xff" * 8), (0x8009, b"\0\0\0\1\0\0\0\0"),
        (0x8015, b"\xff\xfe"),
        (0x801E, b"odd"), (0x8033, b"\x09"), (0x803C, b"\0\0\0\1"), (0x803C, b"\0\0\0\5hello"),
        (0x803C, b"\xff\xff\xff\xff0\0"),
        (0x803C, b"\0\0\0\x020\1"), (0x803C, b"\0\0\0\x030\x80\0"), (0x803C, b"\0\0\0\x020\x84"),
    ],
)  # fmt: skip
def test_a_record_with_something_else_in_it(written, tag, body):
    refused(joined({**parts(written), tag: body}), "their content is not valid")


def test_a_thousand_mutations(pki, written):
    """With a digest that is right each time: refused, or a session that can be asked everything and
    offered anywhere.
    """
    source = random.Random(7)
    client = client_for(STATELESS, pki)
    server = server_for(STATELESS, pki)
    body = written[HEAD:-DIGEST]
    read = 0
    for _ in range(1000):
        data = bytearray(body)
        for _ in range(source.randrange(1, 4)):
            at = source.randrange(len(data))
            choice = source.randrange(4)
            if choice == 0:
                data[at] ^= 1 << source.randrange(8)
            elif choice == 1:
                data[at] = source.randrange(256)
            elif choice == 2:
                del data[at : at + source.randrange(1, 9)]
            else:
                data[at:at] = source.randbytes(source.randrange(1, 9))
        try:
            session = SSLSession.from_bytes(sealed(bytes(data)))
        except tlskit.SSLError:
            continue
        read += 1
        with contextlib.suppress(tlskit.SSLError):  # of a certificate that is none
            session.info.peer_certificate_data  # noqa: B018
        (
            repr(session.info),
            repr(session),
            session.to_text(),
            hash(session),
            session == session.with_times(time=5),
        )
        assert SSLSession.from_bytes(session.to_bytes()).info == session.info
        near = client.wrap_bio(
            tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost", session=session
        )
        with pytest.raises(tlskit.SSLWantReadError):
            near.do_handshake()
        if read % 20 == 0:
            connect(client, server, session)
    assert read > 100


def connect(client, server, session):
    """Whatever the session is: the connection is there, resumed or not."""
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with contextlib.suppress(
        tlskit.SSLError
    ):  # a secret that was changed: the server says so, as it would to anybody
        shake(near, far)
        greet(near, far)


def test_certificates_that_are_none(pki, link):
    """In place of those that the peer sent: nothing that they help to verify, and nothing that goes
    wrong.
    """
    server = server_for(STATELESS, pki)
    found = parts(link.earn(client_for(STATELESS, pki), server).to_bytes())
    del found[2]
    pool = b"".join(
        len(der).to_bytes(4, "big") + der for der in (found[1][:0] + b"0\x00", b"0\x03abc")
    )
    session = SSLSession.from_bytes(
        joined({**found, 0x8000 | 51: b"\0\1", 0x8000 | 52: b"\0\1", 0x8000 | 60: pool})
    )
    near, _ = link.connect(client_for(STATELESS, pki), server, session=session)
    assert not near.session_reused
    assert len(near.get_verified_chain()) == 3
    assert session.info.peer_certificate_chain == (
        session.peer_certificate,
    )  # what does not go with the leaf does not count


def test_too_much_to_write(one, monkeypatch):
    monkeypatch.setattr(records, "MOST", 1000)
    with pytest.raises(ValueError, match="at most 1000 bytes"):
        one.to_bytes()
    monkeypatch.undo()
    data = one.to_bytes()
    monkeypatch.setattr(records, "MOST", 1000)
    refused(data)


def test_contexts_are_not_kept_alive(pki):
    """Bytes hold nobody, and neither does what is read from them."""
    import gc
    import weakref

    near, far = client_context(pki), server_context(pki)
    only(tlskit.TLSVersion.TLSv1_2, near, far)
    data = Link("memory").earn(near, far).to_bytes()
    watched = weakref.ref(near)
    session = SSLSession.from_bytes(data)
    del near
    gc.collect()
    assert watched() is None
    assert session.info.verified

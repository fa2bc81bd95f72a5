"""SSLSession: what it says, where it may be set, what it refuses, and what it never shows."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import ssl as stdlib
import subprocess
import time
import warnings

import pytest

import tlskit

from ..support import inside, peers
from ..support.pairs import memory_pair, shake
from .helpers import KINDS, aged, alone, client_for, outcome, server_for

IDS = KINDS[0]


# -- what it says ----------------------------------------------------------------------------------


def test_the_attributes_of_the_stdlib(kind, link, client, server):
    session = link.earn(client, server)
    assert isinstance(session.id, bytes)
    assert len(session.id) == 32
    assert abs(session.time - time.time()) < 60
    assert session.timeout == 7200
    assert session.ticket_lifetime_hint == (0 if kind is IDS else 7200)
    assert session.has_ticket is (kind is not IDS)


def test_the_same_as_the_stdlib_has(kind, pki):
    """The same handshake, the same facts (ids and times apart)."""
    rows = []
    for module in (stdlib, tlskit):
        near, far = memory_pair(
            client_for(kind, pki, module=module),
            server_for(kind, pki, module=module),
            module=module,
        )
        rows.append(
            [
                (len(s.id), s.timeout, s.ticket_lifetime_hint, s.has_ticket)
                for s in (near.session, far.session)
            ]
        )
        rows[-1] += [near.session_reused, far.session_reused]
    assert rows[0] == rows[1]


def test_beyond_the_stdlib(kind, link, client, server):
    session = link.earn(client, server)
    assert session.protocol == ("TLSv1.3" if kind.modern else "TLSv1.2")
    assert session.cipher in {suite["name"] for suite in client.get_ciphers()}
    assert session.is_resumable
    assert session.expires_at == session.time + 7200


def test_it_expires_by_the_servers_hint(memory, pki):
    for kind in KINDS[1:]:
        client, server = client_for(kind, pki), server_for(kind, pki)
        server.sessions.timeout = 100
        session = memory.earn(client, server)
        assert session.expires_at == session.time + 100


def test_it_expires_by_its_own_timeout_without_a_hint(memory, pki):
    client, server = client_for(IDS, pki), server_for(IDS, pki)
    client.sessions.timeout = 50
    session = memory.earn(client, server)
    assert session.expires_at == session.time + 50


def without_hint(der):
    """The DER of a session without its field [9], the server's hint: the same as a hint of 0."""

    def parts(data):
        at = 0
        while at < len(data):
            size, start = data[at + 1], at + 2
            if size & 0x80:
                start += size & 0x7F
                size = int.from_bytes(data[at + 2 : start], "big")
            yield data[at], data[at : start + size], data[start : start + size]
            at = start + size

    ((_, _, body),) = parts(der)
    rest = b"".join(whole for tag, whole, _ in parts(body) if tag != 0xA9)
    return b"\x30\x82" + len(rest).to_bytes(2, "big") + rest


def test_a_hint_of_zero_is_the_end_in_tls_1_3(kind, memory, client, server):
    """RFC 8446, 4.6.1: "The value of zero indicates that the ticket should be discarded
    immediately.".
    """
    session = tlskit.SSLSession.from_der(without_hint(memory.earn(client, server).to_der()))
    assert session.ticket_lifetime_hint == 0
    assert session.expires_at == session.time + (0 if kind.modern else 7200)
    near, _ = memory.connect(client, server, session=session)
    assert near.session_reused is not kind.modern


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "time",
        "timeout",
        "ticket_lifetime_hint",
        "has_ticket",
        "is_resumable",
        "protocol",
        "expires_at",
    ],
)
def test_it_is_immutable(memory, pki, name):
    session = memory.earn(client_for(IDS, pki), server_for(IDS, pki))
    with pytest.raises(AttributeError):
        setattr(session, name, 5)
    with pytest.raises(AttributeError):
        session.new_attribute = 5


def test_it_has_no_constructor():
    with pytest.raises(TypeError):
        tlskit.SSLSession()
    with pytest.raises(TypeError):
        stdlib.SSLSession()


def test_no_session_before_there_is_one(kind, pki):
    for module in (stdlib, tlskit):
        near = client_for(kind, pki, module=module).wrap_bio(
            module.MemoryBIO(), module.MemoryBIO(), server_hostname="localhost"
        )
        assert near.session is None
        assert near.session_reused is False


def test_no_session_on_an_unconnected_socket(pki):
    import socket

    for module in (stdlib, tlskit):
        with client_for(IDS, pki, module=module).wrap_socket(
            socket.socket(), server_hostname="localhost"
        ) as near:
            assert near.session is None
            assert near.session_reused is None


def test_the_session_of_a_resumed_connection(kind, link, client, server):
    session = link.earn(client, server)
    near, _ = link.connect(client, server, session=session)
    second = near.session
    if kind.modern:
        assert second != session  # a new ticket has come
    else:
        assert second == session
    near, _ = link.connect(client, server, session=second)
    assert near.session_reused


def test_many_connections_from_one(kind, link, client, server):
    session = link.earn(client, server)
    for _ in range(5):
        near, _ = link.connect(client, server, session=session)
        assert near.session_reused


def test_a_dropped_connection_leaves_its_session(kind, memory, client, server):
    """SSL_free without a shutdown would mark it as not resumable."""
    near, far = memory.connect(client, server)
    session = near.session
    del near, far
    assert session.is_resumable
    near, _ = memory.connect(client, server, session=session)
    assert near.session_reused


def test_a_failed_handshake_leaves_what_was_offered(kind, pki):
    """Anybody on the way can send an alert before the keys are there: it says nothing of the
    session.
    """
    client, server = client_for(kind, pki), server_for(kind, pki)
    session = memory_pair(client, server)[0].session
    incoming, outgoing = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(incoming, outgoing, server_hostname="localhost", session=session)
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    incoming.write(b"\x15\x03\x03\x00\x02\x02\x28")  # handshake_failure
    with pytest.raises(tlskit.SSLError):
        near.do_handshake()
    near, _ = memory_pair(client, server, session=session)
    assert near.session_reused


# -- where it may be set ---------------------------------------------------------------------------


def test_setting_it_as_an_attribute(kind, client, server, memory):
    session = memory.earn(client, server)
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    near.session = session
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    assert near.session_reused


def refusals(module, kind, pki):
    """Every way to set a session wrongly, and what comes of each."""
    client, server = client_for(kind, pki, module=module), server_for(kind, pki, module=module)
    near, far = memory_pair(client, server, module=module)
    session, theirs = near.session, far.session

    def fresh(context, **options):
        return context.wrap_bio(module.MemoryBIO(), module.MemoryBIO(), **options)

    def setting(end, value):
        end.session = value

    other = client_for(kind, pki, module=module)
    found = {
        "after the handshake": outcome(lambda: setting(near, session)),
        "on a server": outcome(lambda: setting(fresh(server, server_side=True), theirs)),
        "on a server, from elsewhere": outcome(
            lambda: setting(fresh(server, server_side=True), session)
        ),
        "on a server, after the handshake": outcome(lambda: setting(far, theirs)),
        "another context": outcome(
            lambda: setting(fresh(other, server_hostname="localhost"), session)
        ),
        "another context, as an argument": outcome(
            lambda: fresh(other, server_hostname="localhost", session=session)
        ),
        "a server's on a client": outcome(
            lambda: setting(fresh(client, server_hostname="localhost"), theirs)
        ),
        "as an argument of a server": outcome(
            lambda: fresh(server, server_side=True, session=theirs)
        ),
    }
    for bad in (None, 5, b"session", "session", object):
        found[f"{bad!r}"] = outcome(
            lambda bad=bad: setting(fresh(client, server_hostname="localhost"), bad)
        )
        if bad is not None:
            argument = outcome(
                lambda bad=bad: fresh(client, server_hostname="localhost", session=bad)
            )
            found[f"{bad!r} as an argument"] = argument
    return found


def test_refusals_are_the_stdlibs(kind, pki):
    ours = refusals(tlskit, kind, pki)
    assert ours == refusals(stdlib, kind, pki)
    assert all(row[0] in ("ValueError", "TypeError") for row in ours.values())


def socket_refusals(module, pki):
    import socket

    client, server = client_for(IDS, pki, module=module), server_for(IDS, pki, module=module)
    session = memory_pair(client, server, module=module)[0].session
    other = client_for(IDS, pki, module=module)

    def wrapped(context, **options):
        one, two = socket.socketpair()
        with two:
            try:
                context.wrap_socket(one, do_handshake_on_connect=False, **options).close()
            finally:
                one.close()

    def unconnected(value):
        with client.wrap_socket(socket.socket(), server_hostname="localhost") as near:
            near.session = value
            return near.session

    return {
        "another context": outcome(
            lambda: wrapped(other, server_hostname="localhost", session=session)
        ),
        "a server": outcome(lambda: wrapped(server, server_side=True, session=session)),
        "an integer": outcome(lambda: wrapped(client, server_hostname="localhost", session=5)),
        "good": outcome(lambda: wrapped(client, server_hostname="localhost", session=session)),
        "unconnected": outcome(lambda: unconnected(session)),
        "unconnected, wrong type": outcome(lambda: unconnected(5)),
    }


def test_refusals_of_sockets_are_the_stdlibs(pki):
    ours = socket_refusals(tlskit, pki)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # up to 3.12, the stdlib leaves its socket open
        assert ours == socket_refusals(stdlib, pki)
        gc.collect()


def test_sessions_of_the_stdlib_and_ours_do_not_mix(kind, pki, client, server, memory):
    theirs = client_for(kind, pki, module=stdlib)
    foreign = memory_pair(theirs, server_for(kind, pki, module=stdlib), module=stdlib)[0].session
    with pytest.raises(TypeError, match=r"Value is not a SSLSession\."):
        memory.connect(client, server, session=foreign)
    ours = memory.earn(client, server)
    with pytest.raises(TypeError, match=r"Value is not a SSLSession\."):
        theirs.wrap_bio(
            stdlib.MemoryBIO(), stdlib.MemoryBIO(), server_hostname="localhost", session=ours
        )


def test_a_ticketless_tls_1_3_session_is_not_offered(pki, memory):
    """What is there right after the handshake, before the first read."""
    kind = KINDS[3]
    client, server = client_for(kind, pki), server_for(kind, pki)
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    early = near.session
    assert not early.has_ticket
    assert not early.is_resumable
    near, _ = memory.connect(client, server, session=early)
    assert not near.session_reused
    assert inside.offer_of(near).reason is tlskit.Reason.NOT_RESUMABLE


def test_a_cipher_that_is_no_longer_wanted(kind, memory, client, server):
    """OpenSSL's client names the session but not its suite, and the server aborts: so it is not to
    be offered.
    """
    if kind.modern:
        pytest.skip("the suites of TLS 1.3 are set apart")
    client.set_ciphers("ECDHE+AES128")
    server.set_ciphers("ECDHE+AES")
    session = memory.earn(client, server)
    client.set_ciphers("ECDHE+AES256")
    near, _ = memory.connect(client, server, session=session)
    assert near.cipher()[0] != session.cipher


# -- identity --------------------------------------------------------------------------------------


def test_equality(kind, memory, client, server):
    near, _ = memory.connect(client, server)
    one, two = near.session, near.session
    assert one is not two
    assert one == two
    assert hash(one) == hash(two)
    other = memory.earn(client, server)
    assert one != other
    assert len({one, two, other}) == 2


def test_equality_through_bytes(kind, memory, client, server):
    session = memory.earn(client, server)
    assert tlskit.SSLSession.from_der(session.to_der()) == session
    assert hash(tlskit.SSLSession.from_pem(session.to_pem())) == hash(session)


@pytest.mark.parametrize("other", [None, 5, b"", "session", object()])
def test_it_equals_nothing_else(memory, pki, other):
    session = memory.earn(client_for(IDS, pki), server_for(IDS, pki))
    assert session != other
    assert session.__eq__(other) is NotImplemented
    with pytest.raises(TypeError):
        _ = session < session


def test_two_times_are_two_sessions(memory, pki):
    session = memory.earn(client_for(IDS, pki), server_for(IDS, pki))
    assert aged(session, 10) != session


def test_copies_are_itself(memory, pki):
    session = memory.earn(client_for(IDS, pki), server_for(IDS, pki))
    assert copy.copy(session) is session
    assert copy.deepcopy({"key": [session]})["key"][0] is session


# -- what it never shows ---------------------------------------------------------------------------


def secrets(session):
    """The secret as `openssl sess_id -text` shows it, and the ticket: what may never be seen."""
    done = subprocess.run(
        [peers.command(), "sess_id", "-noout", "-text"],
        input=session.to_pem(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"(?:Master-Key|Resumption PSK):\s*([0-9A-F]+)", done.stdout)
    assert len(found) == 1, done.stdout
    assert len(found[0]) >= 64
    return found[0], session.ticket.hex()


def test_repr_shows_no_secret(kind, link, client, server):
    session = link.earn(client, server)
    master, ticket = secrets(session)
    shown = "".join(
        f(x)
        for f in (repr, str, ascii)
        for x in (
            session,
            [session],
            {session: session},
            inside.core_session(session),
            inside.binding_of(session),
        )
    )
    shown += f"{session}{session!r:>10}" + repr(vars(type(session)))
    for secret in filter(None, (master, ticket)):
        raw = bytes.fromhex(secret)
        for form in (secret.lower(), secret.upper(), repr(raw)[2:-1], raw.decode("latin-1")):
            assert form not in shown
            assert form.lower() not in shown.lower()
        assert secret.lower()[:16] not in shown.lower()
    assert session.protocol in repr(session)
    assert session.cipher in repr(session)
    assert "cdata" not in shown


def test_no_attribute_shows_the_secret(kind, memory, client, server):
    session = memory.earn(client, server)
    master, _ = secrets(session)
    for name in dir(session):
        if name.startswith("__") or name in ("to_der", "to_pem"):
            continue
        assert master.lower() not in repr(getattr(session, name)).lower()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_never_pickled(memory, pki, protocol):
    session = memory.earn(client_for(IDS, pki), server_for(IDS, pki))
    with pytest.raises(TypeError, match="to_bytes"):
        pickle.dumps(session, protocol)
    with pytest.raises(TypeError):
        pickle.dumps({"nested": [session]}, protocol)


def test_errors_show_no_secret(kind, memory, client, server, pki):
    session = memory.earn(client, server)
    master, ticket = secrets(session)
    texts = []
    for work in (
        lambda: pickle.dumps(session),
        lambda: tlskit.SSLSession.from_der(session.to_der() + b"x"),
        lambda: tlskit.SSLSession.from_pem(session.to_pem()[:-40]),
        lambda: memory.connect(client_for(kind, pki), server, session=session),
        lambda: setattr(session, "id", b""),
    ):
        with pytest.raises((TypeError, ValueError, AttributeError, tlskit.SSLError)) as caught:
            work()
        texts.append(
            (
                f"{caught.value!r} {caught.value} {vars(caught.value)} {caught.value.__cause__!r}"
            ).lower()
        )
    for secret in filter(None, (master, ticket)):
        assert not any(secret.lower() in text for text in texts)


# -- where C could go wrong ------------------------------------------------------------------------


BEGINNING = """
    import gc, pathlib, sys, tempfile
    import tlskit
    from tests.sessions.helpers import KINDS, Link, client_for, server_for
    from tests.support import pki as maker
    pki = maker.make(pathlib.Path(tempfile.mkdtemp()))
    memory, kind = Link("memory"), next(k for k in KINDS if k.name == "{kind}")
    client = client_for(kind, pki)
    first, second = server_for(kind, pki), server_for(kind, pki)
"""


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[2]], ids=lambda kind: kind.name)
def test_one_session_in_two_caches(kind):
    """An SSL_SESSION can stand in the list of one SSL_CTX only: the second cache needs a copy, or
    memory is corrupted.
    """
    done = alone(
        BEGINNING.format(kind=kind.name)
        + """
    sessions = [memory.connect(client, first)[1].session for _ in range(5)]
    for session in sessions:
        assert second.sessions.add(session)
    assert len(second.sessions) == 5
    before = len(first.sessions)
    assert before >= 5
    second.sessions.size = 2
    for _ in range(5):
        memory.connect(client, first)
        memory.connect(client, second)
    assert len(first.sessions) > before
    second.sessions.clear()
    first.sessions.clear()
    assert len(first.sessions) == len(second.sessions) == 0
    del first, second
    gc.collect()
    """
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_session_in_the_caches_of_two_clients():
    """The same with what a client was told of."""
    done = alone(
        BEGINNING.format(kind="tls13-ticket")
        + """
    contexts = [client_for(kind, pki) for _ in range(3)]
    contexts[0].sessions.mode = tlskit.SessionCacheMode.CLIENT
    kept = [memory.earn(contexts[0], first) for _ in range(4)]
    for context in contexts[1:]:
        for session in kept:
            context.sessions.add(session)
    contexts[0].sessions.clear()
    contexts[1].sessions.size = 1
    for session in kept:
        contexts[1].sessions.remove(session)
    for context in contexts:
        context.sessions.clear()
        assert len(context.sessions) == 0
    del contexts, context
    gc.collect()
    """
    )
    assert done.returncode == 0, done.stderr[-2000:]


MIDDLE = """
    import contextlib
    from tests.sessions.test_safety import ends
    server = server_for(kind, pki, identity=pki.direct)
    good, bad = memory.earn(client, server), memory.earn(client, server, hostname="other.example")
    shown = tlskit.PEM_cert_to_DER_cert(pki.server.chain.read_text().split("-----END")[0] + tlskit.PEM_FOOTER)
    for given in (good, bad, tlskit.SSLSession.from_der(good.to_der()), tlskit.SSLSession.from_der(bad.to_der())):
        for beginning in (None, good):
            for cut in (1, 5, 60, 90, 200, 400, 600, 700, 800, 100000):
                wire = tlskit.MemoryBIO()
                to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
                near = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=beginning)
                far = first.wrap_bio(to_server, wire, server_side=True)
                for end in (near, far):
                    with contextlib.suppress(tlskit.SSLWantReadError):
                        end.do_handshake()
                to_client.write(wire.read(cut))
                with contextlib.suppress(tlskit.SSLWantReadError):
                    near.do_handshake()
                refused = False
                try:
                    near.session = given
                except ValueError:
                    refused = True
                try:
                    for _ in range(4):
                        to_client.write(wire.read())
                        for end in (near, far):
                            with contextlib.suppress(tlskit.SSLWantReadError):
                                end.do_handshake()
                except tlskit.SSLError as error:
                    assert not refused, error
                    continue
                assert not near.session_reused
                assert near.getpeercert(True) == shown, "not the certificate of this server, but the one in a session"
"""


def test_setting_it_in_the_middle_of_a_handshake(kind):
    """Whatever it is and at whatever point: no crash, and the handshake that has begun goes on as
    it began, or fails.
    """
    done = alone(BEGINNING.format(kind=kind.name) + MIDDLE)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_session_after_everything_else_has_gone():
    done = alone(
        BEGINNING.format(kind="tls12-id")
        + """
    near, far = memory.connect(client, first)
    session, theirs = near.session, far.session
    del near, far, client, first, second
    gc.collect()
    assert session.to_der() and theirs.to_der() and repr(session)
    """
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""

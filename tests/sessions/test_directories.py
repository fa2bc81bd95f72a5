"""Sessions of contexts that trust a directory: what counts is what the directory holds, not what it
is called. A session from before an authority was taken out of it lets nobody in afterwards.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import tlskit
from tlskit import MemoryStore, SQLiteStore, SSLSession, TicketKeyring

from ..support import peers
from ..support.pairs import memory_pair, only, server_context
from .authority import Authority

PEM = Encoding.PEM


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def version(request):
    return tlskit.TLSVersion[request.param]


@pytest.fixture
def one(tmp_path):
    return Authority(tmp_path, "One")


@pytest.fixture
def other(tmp_path):
    return Authority(tmp_path, "Another")


@pytest.fixture
def folder(tmp_path, one, other):
    made = tmp_path / "hashed"
    made.mkdir()
    for authority in (one, other):
        put(made, authority)
    return made


def hash_of(authority):
    command = [peers.command(), "x509", "-hash", "-noout", "-in", str(authority.root)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def put(folder, authority):
    shutil.copy(authority.root, folder / f"{hash_of(authority)}.0")


def take_out(folder, authority):
    (folder / f"{hash_of(authority)}.0").unlink()


def client_of(folder, version, **options):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=folder)
    only(version, context)
    return context


def server_of(authority, version):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    identity, _ = authority.issue("localhost")
    context.load_cert_chain(identity.chain, identity.key)
    only(version, context)
    return context


# -- clients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("same", [True, False], ids=["this context", "a new context"])
@pytest.mark.parametrize("store", ["memory", "sqlite", "by hand"])
def test_a_client_after_its_authority_has_gone(tmp_path, one, folder, version, store, same):
    server = server_of(one, version)
    kept = {"memory": MemoryStore, "by hand": lambda: None}.get(
        store, lambda: SQLiteStore(tmp_path / "sessions.db", secret=b"0123456789abcdef" * 2)
    )()

    def client():
        context = client_of(folder, version)
        if kept is not None:
            context.sessions.store = kept
        return context

    context = client()
    near, _ = memory_pair(context, server)
    by_hand = None
    if kept is None:
        by_hand = SSLSession.from_bytes(near.session.to_bytes())
    assert memory_pair(context, server, session=by_hand)[0].session_reused
    take_out(folder, one)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(context if same else client(), server, session=by_hand)
    put(folder, one)  # the same content is the same policy
    context = client()
    near, _ = memory_pair(context, server, session=by_hand)
    if version is tlskit.TLSVersion.TLSv1_2:
        assert near.session_reused


def test_the_environment_names_a_directory(monkeypatch, one, folder, version):
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    server, store = server_of(one, version), MemoryStore()

    def client():
        context = tlskit.create_default_context()
        context.verify_flags &= ~tlskit.VERIFY_X509_STRICT
        only(version, context)
        context.sessions.store = store
        return context

    context = client()
    memory_pair(context, server)
    assert memory_pair(client(), server)[0].session_reused
    take_out(folder, one)
    for later in (context, client()):
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(later, server)


def test_a_relative_name_is_a_policy_for_each_place(tmp_path, monkeypatch, one, other, version):
    store, server = MemoryStore(), server_of(one, version)
    for name, authority in (("here", one), ("there", other)):
        (tmp_path / name / "ca").mkdir(parents=True)
        put(tmp_path / name / "ca", authority)
    monkeypatch.chdir(tmp_path / "here")
    client = client_of("ca", version)
    client.sessions.store = store
    memory_pair(client, server)
    assert memory_pair(client, server)[0].session_reused
    monkeypatch.chdir(tmp_path / "there")
    elsewhere = client_of("ca", version)
    elsewhere.sessions.store = store
    for context in (client, elsewhere):
        with pytest.raises(tlskit.SSLCertVerificationError):
            memory_pair(context, server)


def test_one_content_in_two_places_is_one_policy(tmp_path, one, other, folder, version):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    store, server = MemoryStore(), server_of(one, version)
    first, second = client_of(folder, version), client_of(copy, version)
    first.sessions.store = second.sessions.store = store
    memory_pair(first, server)
    assert memory_pair(second, server)[0].session_reused
    take_out(copy, other)  # not the one that counts here: another policy all the same
    assert not memory_pair(second, server)[0].session_reused


def test_whoever_comes_into_a_directory_is_trusted(one, folder, version):
    """As in the stdlib: without a new context."""
    take_out(folder, one)
    client, server = client_of(folder, version), server_of(one, version)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server)
    put(folder, one)
    memory_pair(client, server)


def test_a_file_in_a_directory_is_written_in_place(monkeypatch, tmp_path, one, folder, version):
    """Under the same name, with the same size, within one tick of the clock."""
    twin = Authority(tmp_path, "One")
    client = client_of(folder, version)
    memory_pair(client, server_of(one, version))
    path = folder / f"{hash_of(one)}.0"
    path.write_bytes(twin.root.read_bytes())
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server_of(one, version))
    memory_pair(client, server_of(twin, version))


def test_several_authorities_of_one_name(tmp_path, one, version):
    folder = tmp_path / "hashed twins"
    folder.mkdir()
    twin = Authority(tmp_path, "One")
    name = hash_of(one)
    (folder / f"{name}.1").write_bytes(twin.certificate.public_bytes(PEM))
    client = client_of(folder, version)
    with pytest.raises(tlskit.SSLCertVerificationError):  # a gap in the numbers ends them
        memory_pair(client, server_of(twin, version))
    (folder / f"{name}.0").write_bytes(one.certificate.public_bytes(PEM))
    for authority in (one, twin):
        memory_pair(client, server_of(authority, version))


@pytest.mark.parametrize(
    "name", ["{}.0.bak", "{}.00", "{}.x", "x{}.0", "{}0", "{}.", "{}.r", "readme", "{}.99999999999"]
)
def test_other_names_are_nobodys(tmp_path, one, version, name):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / name.format(hash_of(one))).write_bytes(one.certificate.public_bytes(PEM))
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client_of(folder, version), server_of(one, version))


@pytest.mark.skipif(sys.platform == "win32", reason="no such files")
def test_what_is_no_file_holds_nobody_up(tmp_path, one, other, version):
    import os

    folder = tmp_path / "strange"
    folder.mkdir()
    os.mkfifo(folder / f"{hash_of(one)}.0")
    (folder / f"{hash_of(other)}.0").mkdir()
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client_of(folder, version), server_of(one, version))


def test_three_processes(tmp_path, one, folder, version):
    """An SQLite file joins them; the second resumes, the third comes after the authority went."""
    identity, _ = one.issue("localhost")
    script = textwrap.dedent("""
        import sys, tlskit
        from tests.support.pairs import memory_pair, only
        folder, database, chain, key, version, keys = sys.argv[1:]
        client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(capath=folder)
        client.sessions.store = tlskit.SQLiteStore(database, secret=bytes(range(32)))
        server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
        server.tickets.dangerous_keys = bytes.fromhex(keys)
        only(tlskit.TLSVersion[version], client, server)
        try:
            print(memory_pair(client, server)[0].session_reused)
        except tlskit.SSLCertVerificationError:
            print("refused")
    """)

    def process():
        arguments = [
            folder,
            tmp_path / "db",
            identity.chain,
            identity.key,
            version.name,
            bytes(range(80)).hex(),
        ]
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip() or done.stderr

    assert [process(), process()] == ["False", "True"]
    take_out(folder, one)
    assert process() == "refused"


# -- servers ---------------------------------------------------------------------------------------


@pytest.fixture(params=["cache", "ticket", "keyring", "fleet", "store"])
def serving(request, pki, folder, version):
    """Makes servers that trust a directory for their clients, all with the same sessions."""
    store = MemoryStore()
    keyring = {
        "keyring": lambda: TicketKeyring(),
        "fleet": lambda: TicketKeyring.fleet(bytes(range(32))),
    }.get(request.param, lambda: None)()

    def make():
        context = server_context(pki)
        only(version, context)
        context.load_verify_locations(capath=folder)
        context.verify_mode = tlskit.CERT_REQUIRED
        if request.param == "cache":
            context.options |= tlskit.OP_NO_TICKET
        elif keyring is not None:
            context.tickets.keyring = keyring
        elif request.param == "store":
            context.sessions.store = store
        else:
            context.tickets.dangerous_keys = bytes(range(80))
        return context

    return make, request.param


def client_with(pki, authority, version):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.root)
    identity, _ = authority.issue("a client")
    context.load_cert_chain(identity.chain, identity.key)
    only(version, context)
    return context


@pytest.mark.parametrize("same", [True, False], ids=["this context", "a new context"])
def test_a_server_after_its_clients_authority_has_gone(pki, one, folder, version, serving, same):
    make, kind = serving
    if kind == "cache" and not same:
        pytest.skip("a cache belongs to its context")
    server, client = make(), client_with(pki, one, version)
    session = memory_pair(client, server)[0].session
    near, _ = memory_pair(client, server, session=session)
    assert near.session_reused
    session = near.session
    take_out(folder, one)
    with pytest.raises(tlskit.SSLError) as caught:
        memory_pair(client, server if same else make(), session=session)
    assert not isinstance(caught.value, tlskit.SSLWantReadError)


def test_a_server_whose_directory_gets_another(pki, tmp_path, one, folder, version, serving):
    """The client's authority is still there, so a full handshake follows, and the next resumes."""
    make, _ = serving
    server, client = make(), client_with(pki, one, version)
    session = memory_pair(client, server)[0].session
    put(folder, Authority(tmp_path, "A third"))
    near, _ = memory_pair(client, server, session=session)
    assert not near.session_reused
    assert memory_pair(client, server, session=near.session)[0].session_reused


# -- what no directory can do ----------------------------------------------------------------------


def test_the_distrusted_keys_are_part_of_the_policy(pki, version, monkeypatch):
    """A release that distrusts one more must not go on with sessions from before."""
    from tlskit._state import state as core

    store, server = MemoryStore(), server_context(pki)
    only(version, server)

    def client():
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(pki.root)
        context.sessions.store = store
        only(version, context)
        return context

    memory_pair(client(), server)
    assert memory_pair(client(), server)[0].session_reused
    monkeypatch.setattr(core, "DISTRUSTED", b"another list")
    assert not memory_pair(client(), server)[0].session_reused

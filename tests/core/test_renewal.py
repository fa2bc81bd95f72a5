"""Certificates and authorities that are replaced while a context is in use."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

import tlskit
from tlskit import MemoryStore, TLSVersion

from ..support.pairs import memory_pair, only


class Files:
    """A certificate, its key and authorities, as a renewal tool would write them."""

    def __init__(self, folder: Path) -> None:
        self.root = trustme.CA()
        self.chain, self.key, self.ca = (folder / n for n in ("chain.pem", "key.pem", "ca.pem"))
        self.root.cert_pem.write_to_path(str(self.ca))
        self.renew()

    def renew(self, *names: str, root: Any = None, **options: Any) -> None:
        leaf = (root or self.root).issue_cert(*(names or ("localhost",)), **options)
        self.chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(self.key))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture(params=[TLSVersion.TLSv1_2, TLSVersion.TLSv1_3], ids=lambda v: v.name)
def contexts(files: Files, request: pytest.FixtureRequest) -> tuple[Any, Any]:
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(files.ca)
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.chain, files.key)
    only(request.param, client, server)
    return client, server


def serial(end: Any) -> str:
    number: str = end.getpeercert()["serialNumber"]
    return number


def session(client: Any, server: Any) -> Any:
    """The session of a new connection, whose ticket has come."""
    near, far = memory_pair(client, server)
    far.write(b"x")
    near.read(1)
    return near.session


# -- servers ---------------------------------------------------------------------------------------


def test_later_connections_see_the_new_certificate(files, contexts):
    client, server = contexts
    near, far = memory_pair(client, server)
    before = serial(near)
    files.renew()
    server.reload(files.chain, files.key)
    assert serial(memory_pair(client, server)[0]) != before
    near.write(b"still here")
    assert far.read(10) == b"still here"
    assert serial(near) == before


@pytest.mark.parametrize("tickets", [True, False], ids=["tickets", "ids"])
@pytest.mark.parametrize("certified", [True, False], ids=["mutual", "plain"])
def test_sessions_outlive_the_renewal(files, contexts, pki, tickets, certified):
    client, server = contexts
    if not tickets:
        server.options |= tlskit.OP_NO_TICKET
    if certified:
        server.verify_mode = tlskit.CERT_REQUIRED
        server.load_verify_locations(pki.root)
        client.load_cert_chain(pki.client.chain, pki.client.key)
    session = memory_pair(client, server)[0].session
    files.renew()
    server.reload(files.chain, files.key)
    near, far = memory_pair(client, server, session=session)
    assert near.session_reused
    assert far.session_reused


def test_the_order_of_the_names_does_not_matter(files, contexts):
    client, server = contexts
    files.renew("localhost", "other.example", "127.0.0.1")
    server.reload(files.chain, files.key)
    client.sessions.store = MemoryStore()
    server.sessions.store = MemoryStore()  # whose entries are bound to the names
    _exchange(client, server)
    files.renew("127.0.0.1", "other.example", "localhost")
    server.reload(files.chain, files.key)
    assert _exchange(client, server).session_reused
    files.renew("127.0.0.1", "other.example", "localhost", "more.example")
    server.reload(files.chain, files.key)
    assert not _exchange(client, server).session_reused


def _exchange(client: Any, server: Any) -> Any:
    """A connection whose client has read its tickets."""
    near, far = memory_pair(client, server)
    far.write(b"x")
    assert near.read(1) == b"x"
    return near


def test_sessions_in_a_store_outlive_the_renewal(files, contexts):
    client, server = contexts
    server.sessions.store = MemoryStore()
    client.sessions.resume = True
    memory_pair(client, server)
    files.renew()
    server.reload(files.chain, files.key)
    assert memory_pair(client, server)[0].session_reused
    assert server.sessions.counters["resumed"] == 1


def test_a_connection_from_before_leaves_its_session_to_those_after(files, contexts):
    """The cache of sessions is one for all states of a context, and so is what is removed."""
    client, server = contexts
    server.options |= tlskit.OP_NO_TICKET
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    files.renew()
    server.reload(files.chain, files.key)
    for _ in range(4):
        for end in (near, far):
            with contextlib.suppress(tlskit.SSLWantReadError):
                end.do_handshake()
    far.write(b"x")
    assert near.read(1) == b"x"
    again, other = memory_pair(client, server, session=near.session)
    assert again.session_reused
    count = len(server.sessions)
    assert count > 0
    assert server.sessions.remove(other.session) or other.version() == "TLSv1.3"
    server.sessions.clear()
    assert not memory_pair(client, server, session=again.session)[0].session_reused


def test_the_counters_go_on(files, contexts):
    client, server = contexts
    for number in range(1, 4):
        memory_pair(client, server)
        files.renew()
        server.reload(files.chain, files.key)
        stats = server.sessions.stats()
        assert (stats.accept, stats.accept_good) == (number, number)
    del client
    assert server.session_stats()["accept"] == 3


def test_a_removed_session_of_another_state_is_told_of(files, contexts):
    client, server = contexts
    server.options |= tlskit.OP_NO_TICKET
    gone: list[Any] = []
    server.sessions.on_remove = gone.append
    memory_pair(client, server)
    files.renew()
    server.reload(files.chain, files.key)
    count = len(server.sessions)
    assert count > 0
    server.sessions.clear()
    assert len(gone) == count


# -- what is refused -------------------------------------------------------------------------------


def refused(
    server: Any, client: Any, error: type[Exception], match: str, *args: Any, **kw: Any
) -> None:
    before = serial(memory_pair(client, server)[0])
    with pytest.raises(error, match=match):
        server.reload(*args, **kw)
    assert serial(memory_pair(client, server)[0]) == before


YEAR = datetime.timedelta(days=365)
NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"not_after": NOW - YEAR, "not_before": NOW - 2 * YEAR}, "expired on"),
        ({"not_before": NOW + YEAR, "not_after": NOW + 2 * YEAR}, "not valid before"),
    ],
    ids=["expired", "not yet"],
)
def test_a_certificate_out_of_date(files, contexts, options, match):
    files.renew(**options)
    refused(contexts[1], contexts[0], ValueError, match, files.chain, files.key)


def test_a_certificate_for_other_names(files, contexts):
    client, server = contexts
    files.renew("other.example")
    refused(server, client, ValueError, "not valid for DNS:localhost", files.chain, files.key)
    server.reload(files.chain, files.key, other_names=True)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server)


def test_no_session_that_a_hook_gives_is_resumed_before_other_names(files, contexts):
    client, server = contexts
    server.tickets.enabled = False
    given: dict[bytes, Any] = {}
    server.sessions.on_new = lambda connection, one: given.__setitem__(one.id, one)
    server.sessions.on_get = lambda connection, name: given.get(name)
    before = session(client, server)
    server.sessions.flush(2**40)  # only the hook has it
    assert memory_pair(client, server, session=before)[0].session_reused
    before = session(client, server)
    files.renew("localhost", "other.example")
    server.reload(files.chain, files.key, other_names=True)
    near, far = memory_pair(client, server, session=before)
    assert not near.session_reused
    assert not far.resumption


@pytest.mark.parametrize("tickets", [True, False], ids=["tickets", "session ids"])
def test_no_session_from_before_other_names_is_resumed(files, contexts, tickets):
    """A client does not see the certificate in a resumption: it would not notice that it has come
    to a server of other names.
    """
    client, server = contexts
    server.tickets.enabled = tickets
    before = session(client, server)
    files.renew()
    server.reload(files.chain, files.key)
    near, _ = memory_pair(client, server, session=before)
    assert near.session_reused
    before = session(client, server)
    names = files.chain.read_bytes(), files.key.read_bytes()
    files.renew("localhost", "other.example")
    server.reload(files.chain, files.key, other_names=True)
    near, far = memory_pair(client, server, session=before)
    assert not near.session_reused
    assert not far.resumption
    assert memory_pair(client, server, session=session(client, server))[0].session_reused
    files.chain.write_bytes(names[0])
    files.key.write_bytes(names[1])
    server.reload(files.chain, files.key, other_names=True)
    assert memory_pair(client, server, session=before)[0].session_reused


def test_a_certificate_for_more_names(files, contexts):
    client, server = contexts
    files.renew("other.example", "localhost")
    server.reload(files.chain, files.key)
    assert len(memory_pair(client, server)[0].getpeercert()["subjectAltName"]) == 2


def test_a_key_of_another_certificate(files, contexts, pki):
    refused(contexts[1], contexts[0], tlskit.SSLError, None, files.chain, pki.server.key)


def test_a_chain_out_of_order(files, contexts):
    middle = files.root.create_child_ca()
    leaf = middle.issue_cert("localhost")
    blobs = [blob.bytes() for blob in leaf.cert_chain_pems]
    files.chain.write_bytes(blobs[0] + files.root.cert_pem.bytes() + b"".join(blobs[1:]))
    leaf.private_key_pem.write_to_path(str(files.key))
    refused(contexts[1], contexts[0], ValueError, "not in order", files.chain, files.key)


def test_a_chain_with_an_authority_of_the_right_name_and_another_key(files, contexts):
    middle = files.root.create_child_ca()
    leaf = middle.issue_cert("localhost")
    blobs = [blob.bytes() for blob in leaf.cert_chain_pems]
    name = x509.load_pem_x509_certificate(blobs[0]).issuer
    other = ec.generate_private_key(ec.SECP256R1())
    false = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(other.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - YEAR)
        .not_valid_after(NOW + YEAR)
        .sign(other, hashes.SHA256())
    )
    leaf.private_key_pem.write_to_path(str(files.key))
    files.chain.write_bytes(blobs[0] + false.public_bytes(Encoding.PEM))
    match = "certificate 0 was not signed by the key of certificate 1"
    refused(contexts[1], contexts[0], ValueError, match, files.chain, files.key)
    files.chain.write_bytes(b"".join(blobs))
    contexts[1].reload(files.chain, files.key)


def revocations(files: Files, since: Any, until: Any) -> bytes:
    """A list that revokes nothing, in PEM."""
    root = x509.load_pem_x509_certificate(files.root.cert_pem.bytes())
    key: Any = load_pem_private_key(files.root.private_key_pem.bytes(), None)
    builder = x509.CertificateRevocationListBuilder(root.subject, since, until)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("since", "until", "match"),
    [(-2, -1, "expired on"), (1, 2, "is not valid before")],
    ids=["expired", "not yet"],
)
def test_a_revocation_list_out_of_date(files, contexts, tmp_path, since, until, match):
    client, _ = contexts
    path = tmp_path / "crl.pem"
    good = revocations(files, NOW - YEAR, NOW + YEAR)
    path.write_bytes(good + revocations(files, NOW + since * YEAR, NOW + until * YEAR))
    before = client.describe()
    with pytest.raises(ValueError, match=rf"crl '.*': the list of .*trustme.* {match}"):
        client.reload(crl=path)
    assert client.describe() == before
    path.write_bytes(good)
    client.reload(crl=path)
    assert client.cert_store_stats()["crl"] == 1


def test_a_chain_that_stops_short(files, contexts):
    client, server = contexts
    middle = files.root.create_child_ca()
    files.renew(root=middle)
    server.reload(files.chain, files.key)
    leaf = middle.issue_cert("localhost")
    files.chain.write_bytes(leaf.cert_chain_pems[0].bytes())
    leaf.private_key_pem.write_to_path(str(files.key))
    refused(server, client, ValueError, "may be incomplete", files.chain, files.key)


def test_a_file_that_is_still_being_written(files, contexts):
    client, server = contexts
    files.renew()
    whole, key = files.chain.read_bytes(), files.key.read_bytes()
    for size in range(0, len(whole) - 3, 97):
        files.chain.write_bytes(whole[:size])
        refused(server, client, (tlskit.SSLError, ValueError), None, files.chain, files.key)
    files.chain.write_bytes(whole)
    for size in range(0, len(key) - 3, 31):
        files.key.write_bytes(key[:size])
        refused(server, client, tlskit.SSLError, None, files.chain, files.key)
    files.key.write_bytes(key)
    server.reload(files.chain, files.key)


def test_a_file_that_is_not_there(files, contexts, tmp_path):
    refused(contexts[1], contexts[0], OSError, None, tmp_path / "nowhere.pem")


def test_no_file_at_all(contexts):
    with pytest.raises(ValueError, match="needs a file"):
        contexts[1].reload()
    with pytest.raises(ValueError, match="needs a certfile"):
        contexts[1].reload(keyfile="x", cafile="y")


def test_good_authorities_with_a_bad_certificate(files, contexts, pki):
    """All or nothing."""
    client, _ = contexts
    files.renew("localhost", not_before=NOW - 2 * YEAR, not_after=NOW - YEAR)
    before = client.describe()
    with pytest.raises(ValueError, match="expired"):
        client.reload(files.chain, files.key, cafile=pki.stranger_root)
    assert client.describe() == before


# -- clients ---------------------------------------------------------------------------------------


def test_a_client_rotates_its_certificate(files, contexts):
    client, server = contexts
    server.verify_mode = tlskit.CERT_REQUIRED
    server.load_verify_locations(files.ca)
    seen = []
    for _ in range(2):
        files.renew("client.example")
        client.reload(files.chain, files.key)
        _, far = memory_pair(client, server)
        seen.append(serial(far))
    assert len(set(seen)) == 2


def test_new_authorities_take_the_place_of_the_old(files, contexts, pki):
    client, server = contexts
    session = memory_pair(client, server)[0].session
    client.reload(cafile=pki.root)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server)
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server, session=session)
    client.reload(cafile=files.ca)
    assert memory_pair(client, server, session=session)[0].session_reused


def test_a_file_without_authorities(files, contexts, pki):
    client, _ = contexts
    before = client.describe()
    with pytest.raises((tlskit.SSLError, ValueError)):
        client.reload(cafile=files.key)
    with pytest.raises((tlskit.SSLError, ValueError), match="revocation"):
        client.reload(crl=files.ca)
    assert client.describe() == before


# -- watching --------------------------------------------------------------------------------------


def test_a_look_reloads_what_has_changed(files, contexts):
    client, server = contexts
    watcher = server.watch(files.chain, files.key)
    assert watcher.check() is False
    before = serial(memory_pair(client, server)[0])
    files.renew()
    assert watcher.check() is True
    assert serial(memory_pair(client, server)[0]) != before
    assert watcher.check() is False
    assert (watcher.reloads, watcher.failures, watcher.last_error) == (1, 0, None)


def test_a_failure_is_reported_once_and_tried_again(files, contexts, caplog):
    client, server = contexts
    errors: list[Exception] = []
    watcher = server.watch(files.chain, files.key, on_error=errors.append)
    files.renew()
    fresh = files.chain.read_bytes()
    files.chain.write_bytes(fresh[:100])
    assert not watcher.check()
    assert not watcher.check()
    assert len(errors) == 1
    assert isinstance(watcher.last_error, tlskit.SSLError)
    memory_pair(client, server)
    files.chain.write_bytes(fresh)
    assert watcher.check()
    assert watcher.last_error is None
    assert watcher.failures == 2


def test_a_failure_without_a_callback_is_logged(files, contexts, caplog):
    watcher = contexts[1].watch(files.chain, files.key)
    files.chain.unlink()
    assert not watcher.check()
    assert [(r.name, r.levelname) for r in caplog.records] == [("tlskit", "ERROR")]
    assert "keeps its settings" in caplog.text


def test_a_thread_that_its_user_starts_and_stops(files, contexts):
    client, server = contexts
    done = threading.Event()
    watcher = server.watch(files.chain, files.key, interval=1, on_reload=done.set)
    before = serial(memory_pair(client, server)[0])
    with watcher:
        with pytest.raises(RuntimeError, match="running"):
            watcher.start()
        files.renew()
        assert done.wait(30)
    assert serial(memory_pair(client, server)[0]) != before
    files.renew()
    watcher.stop()
    assert watcher.reloads == 1


def test_a_task(files, contexts):
    _, server = contexts
    done = asyncio.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watcher = server.watch(
            files.chain, files.key, interval=1,
            on_reload=lambda: loop.call_soon_threadsafe(done.set),
        )  # fmt: skip
        task = asyncio.ensure_future(watcher.run())
        files.renew()
        await asyncio.wait_for(done.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("interval", [0, 0.5, -1, float("nan")])
def test_not_faster_than_a_second(files, contexts, interval):
    with pytest.raises(ValueError, match="at least 1 second"):
        contexts[1].watch(files.chain, files.key, interval=interval)
    with pytest.raises(ValueError, match="needs a file"):
        contexts[1].watch()


# -- a client whose certificates live for an hour --------------------------------------------------


def lists(client: Any) -> int:
    count: int = client.cert_store_stats()["crl"]
    return count


def test_a_client_whose_files_are_rotated(files, contexts, tmp_path, pki):
    """Its certificate, the authorities that it trusts, and their revocations, as an agent writes
    them: each step is taken whole or not at all, and said.
    """
    client, server = contexts
    server.verify_mode = tlskit.CERT_REQUIRED
    server.load_verify_locations(files.ca)
    bundle, crl = tmp_path / "bundle.pem", tmp_path / "crl.pem"
    mine, key = tmp_path / "client.pem", tmp_path / "client.key"

    def rotate() -> None:
        leaf = files.root.issue_cert("client.example", not_after=NOW + datetime.timedelta(hours=1))
        mine.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))

    rotate()
    bundle.write_bytes(files.ca.read_bytes())
    crl.write_bytes(revocations(files, NOW - YEAR, NOW + YEAR))
    client.load_cert_chain(mine, key)
    errors: list[Exception] = []
    watcher = client.watch(mine, key, cafile=bundle, crl=crl, on_error=errors.append)
    client.sessions.resume = True
    seen = [serial(memory_pair(client, server)[1])]

    rotate()
    assert watcher.check()
    assert lists(client) == 1
    near, far = memory_pair(client, server)
    seen.append(serial(far))
    assert len(set(seen)) == 2

    bundle.write_bytes(files.ca.read_bytes() + pki.root.read_bytes())  # before the old one goes
    assert watcher.check()
    assert client.cert_store_stats()["x509_ca"] == 2
    near, far = memory_pair(client, server)

    before = client.describe()
    for path, wrong in (
        (key, pki.client.key.read_bytes()),
        (mine, mine.read_bytes()[:200]),
        (bundle, b"not yet"),
        (crl, revocations(files, NOW - 2 * YEAR, NOW - YEAR)),
    ):
        good = path.read_bytes()
        path.write_bytes(wrong)
        errors.clear()
        assert not watcher.check()
        assert len(errors) == 1, path
        assert client.describe() == before
        memory_pair(client, server)
        path.write_bytes(good)
        assert watcher.check()
        assert watcher.last_error is None
        assert client.describe() == before
    near.write(b"and the connection from before goes on"[:3])
    assert far.read(3) == b"and"


@pytest.mark.parametrize("certified", [True, False], ids=["mutual", "plain"])
def test_sessions_under_a_keyring_outlive_the_renewal(files, contexts, pki, certified):
    client, server = contexts
    server.tickets.keyring = keyring = tlskit.TicketKeyring()
    if certified:
        server.verify_mode = tlskit.CERT_REQUIRED
        server.load_verify_locations(pki.root)
        client.load_cert_chain(pki.client.chain, pki.client.key)
    earned = session(client, server)
    files.renew()
    server.reload(files.chain, files.key)
    keyring.rotate()
    near, far = memory_pair(client, server, session=earned)
    assert near.session_reused
    assert far.session_reused

"""Encrypted ClientHello (ECH, RFC 9849): a client hides the server's name, and what becomes of it
when the server's keys have changed, or it has none any more.

The server is `s_server` of an `openssl` command that has ECH (TLSKIT_TEST_OPENSSL names another one
than the PATH's): tlskit has it for clients only.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import socket
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tlskit
from _tlsbind import FEATURES

from ..support import inside, peers
from ..support.certificates import Made, issue
from ..support.pairs import memory_pair, serving
from ..support.peers import PATIENCE, Server, s_server
from ..support.pki import Identity

HIDDEN, OUTER = "hidden.example", "outer.example"
SETTINGS: dict[str, Any] = {
    "ech_config_list": b"\x00\x02xx",
    "ech_outer_name": OUTER,
    "ech_grease": True,
}


def _has_command() -> bool:
    if peers.version() is None:
        return False
    said = subprocess.run([peers.COMMAND, "ech", "-help"], capture_output=True, check=False)
    return said.returncode == 0


needs_ech = pytest.mark.skipif(
    not FEATURES["ECH"].there, reason=f"{tlskit.OPENSSL_VERSION} has no ECH"
)
needs_server = pytest.mark.skipif(
    not (FEATURES["ECH"].there and _has_command()), reason="there is no openssl command with ECH"
)


class Keys:
    """A server's keys for ECH: the file for `s_server`, and the list that is for clients."""

    def __init__(self, folder: Path, *, public: str = OUTER) -> None:
        self.path = folder / f"{len(list(folder.iterdir()))}.pem"
        command = [peers.COMMAND, "ech", "-public_name", public, "-out", str(self.path)]
        subprocess.run(command, check=True, capture_output=True, env={"OPENSSL_CONF": os.devnull})
        found = re.search(r"ECHCONFIG-----\n(.*?)-----END", self.path.read_text(), re.DOTALL)
        assert found
        self.configs = b64decode(found[1])


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    (tmp_path / "ech").mkdir()
    return Keys(tmp_path / "ech")


@pytest.fixture
def other_keys(keys: Keys) -> Keys:
    """Those that the server had before."""
    return Keys(keys.path.parent)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory, root: Made) -> Made:
    """The certificate of the hidden name."""
    return issue(tmp_path_factory.mktemp("hidden"), "hidden", issuer=root, names=(HIDDEN,))


@pytest.fixture(scope="module")
def outer(tmp_path_factory: pytest.TempPathFactory, root: Made) -> Made:
    """The certificate of the name that everybody may see."""
    return issue(tmp_path_factory.mktemp("outer"), "outer", issuer=root, names=(OUTER,))


@contextlib.contextmanager
def ech_server(keys: Keys | None, hidden: Made, outer: Made) -> Iterator[Server]:
    """`s_server` that shows the outer name's certificate, and that of the hidden name to whoever
    asks for it.
    """
    names = ("-servername", HIDDEN, "-cert2", hidden.chain, "-key2", hidden.key)
    with_keys = () if keys is None else ("-ech_key", keys.path)
    shown: Identity = outer.identity
    with s_server(shown, *names, *with_keys, "-rev") as server:
        yield server


def connect(context: Any, address: Any, hostname: str = HIDDEN, **settings: Any) -> Any:
    return context.wrap_socket(
        socket.create_connection(address, timeout=PATIENCE), server_hostname=hostname, **settings
    )


def says(sock: Any) -> bytes:
    """What the server makes of a line; tickets have arrived then."""
    sock.sendall(b"abc\n")
    return bytes(sock.recv(100))


def sent(client: Any, hostname: str | None = HIDDEN) -> bytes:
    """The ClientHello of a connection of this context."""
    out = tlskit.MemoryBIO()
    near = client.wrap_bio(tlskit.MemoryBIO(), out, server_hostname=hostname)
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    return bytes(out.read())


def seen(client: Any, hostname: str | None = HIDDEN) -> Any:
    """... as a server sees it, between handshake and record."""
    found: list[Any] = []
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.client_hello_callback = lambda connection, hello: found.append(hello) or 40
    incoming = tlskit.MemoryBIO()
    incoming.write(sent(client, hostname))
    far = server.wrap_bio(incoming, tlskit.MemoryBIO(), server_side=True)
    with pytest.raises(tlskit.SSLError):
        far.do_handshake()
    return found[0]


# -- where OpenSSL has none ------------------------------------------------------------------------


@pytest.mark.skipif(FEATURES["ECH"].there, reason="this OpenSSL has ECH")
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("how", ["attribute", "configure"])
def test_an_older_openssl_refuses_with_a_sentence(client, name, how):
    before = client.describe()
    change = {
        "attribute": lambda: setattr(client, name, SETTINGS[name]),
        "configure": lambda: client.configure(**{name: SETTINGS[name]}),
    }[how]
    with pytest.raises(NotImplementedError, match=rf"^{name} requires OpenSSL 4\.0 or later"):
        change()
    assert client.describe() == before
    assert client.ech_config_list is None
    assert not client.ech_grease


@pytest.mark.parametrize("version", [tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3])
def test_a_connection_without_it_says_so(client, server):
    near, far = memory_pair(client, server)
    assert near.info.ech == near.session.info.ech == "not used"
    assert near.info.ech_outer_name is None
    assert far.info.ech is None


# -- what is set -----------------------------------------------------------------------------------


@needs_ech
@pytest.mark.parametrize(
    "value",
    [b"", b"\x00", b"AEH+DQA9", b"\x00\x03ab", b"\x00\x04\xff\xff\x00\x00"],
    ids=["empty", "one byte", "base64", "cut short", "of another version"],
)
def test_a_list_that_cannot_be_used_is_refused(client, value):
    before = client.describe()
    for given in (value, {HIDDEN: value}):
        with pytest.raises(ValueError, match="ECHConfigList"):
            client.ech_config_list = given
    client.ech_config_list = lambda name: value
    with pytest.raises(ValueError, match=f"ECHConfigList for '{HIDDEN}'"):
        client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=HIDDEN)
    client.ech_config_list = None
    assert client.describe() == before


@needs_ech
@pytest.mark.parametrize("value", ["AEH+DQA9", 7, {HIDDEN: "AEH"}, {7: b"\x00\x00"}])
def test_a_list_of_another_type_is_refused(client, value):
    with pytest.raises(TypeError, match="must be"):
        client.ech_config_list = value


@needs_ech
@pytest.mark.parametrize("name", SETTINGS)
def test_a_server_has_no_use_for_it(name):
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    with pytest.raises(ValueError, match=f"{name} cannot be set on TLS_SERVER context"):
        setattr(context, name, SETTINGS[name])


@needs_server
def test_it_needs_modern_tls(client, keys):
    client.ech_config_list = keys.configs
    client.maximum_version = tlskit.TLSVersion.TLSv1_2
    with pytest.raises(ValueError, match=r"needs TLS 1\.3"):
        client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=HIDDEN)


@needs_server
def test_an_exception_of_the_function_is_raised_where_the_connection_is_made(client):
    def fails(name: str) -> bytes:
        raise LookupError(name)

    client.ech_config_list = fails
    with pytest.raises(LookupError, match=HIDDEN):
        client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=HIDDEN)
    client.ech_config_list = lambda name: "text"
    with pytest.raises(TypeError, match="as bytes, or None, got str"):
        client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname=HIDDEN)


# -- what goes over the wire -----------------------------------------------------------------------


@needs_server
@pytest.mark.parametrize("how", ["list", "mapping", "function"])
def test_the_name_is_not_on_the_wire(client, keys, how):
    client.set_alpn_protocols(["h2"])
    asked: list[str] = []
    client.ech_config_list = {
        "list": keys.configs,
        "mapping": {HIDDEN.upper(): keys.configs},
        "function": lambda name: asked.append(name) or keys.configs,
    }[how]
    wire = sent(client, "Hidden.Example")
    assert b"hidden" not in wire.lower()
    assert OUTER.encode() in wire
    hello = seen(client)
    assert hello.server_name == OUTER
    assert hello.encrypted_client_hello
    assert set(asked) <= {HIDDEN}


@needs_server
def test_only_named_servers_have_it(client, keys):
    client.ech_config_list = {HIDDEN: keys.configs}
    assert b"other.example" in sent(client, "other.example")
    assert not seen(client, "other.example").encrypted_client_hello
    client.check_hostname = False
    client.ech_config_list = keys.configs
    for unnamed in (None, "127.0.0.1"):
        assert not seen(client, unnamed).encrypted_client_hello


@needs_ech
def test_grease_looks_like_it(client):
    assert not seen(client).encrypted_client_hello
    client.ech_grease = True
    hello = seen(client)
    assert hello.encrypted_client_hello
    assert hello.server_name == HIDDEN


@needs_ech
@pytest.mark.parametrize("version", [tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3])
def test_grease_costs_no_connection(client, server):
    client.ech_grease = True
    near, _ = memory_pair(client, server)
    assert near.info.ech == "grease"
    assert near.info.ech_outer_name is None


# -- accepted --------------------------------------------------------------------------------------


@needs_server
@pytest.mark.parametrize("groups", ["X25519", "P-384:X25519"], ids=["at once", "after a retry"])
def test_it_is_accepted(client, keys, hidden, outer, groups):
    client.ech_config_list = keys.configs
    client.set_groups(groups)
    with ech_server(keys, hidden, outer) as server, connect(client, server.address) as sock:
        assert says(sock) == b"cba\n"
        assert sock.info.ech == "accepted"
        assert (sock.info.server_name, sock.info.ech_outer_name) == (HIDDEN, OUTER)
        assert sock.info.matched_name == HIDDEN
        assert sock.version() == "TLSv1.3"
        assert sock.info.to_dict()["ech"] == "accepted"


@needs_server
def test_another_outer_name(client, keys, hidden, outer):
    client.ech_config_list, client.ech_outer_name = keys.configs, "Elsewhere.Example"
    assert seen(client).server_name == "elsewhere.example"
    with ech_server(keys, hidden, outer) as server, connect(client, server.address) as sock:
        assert sock.info.ech_outer_name == "elsewhere.example"
        assert sock.info.ech == "accepted"


@needs_server
def test_the_hidden_name_is_verified(client, keys, outer):
    """The server decrypts it, but is somebody else."""
    client.ech_config_list = keys.configs
    with (
        ech_server(keys, outer, outer) as server,
        pytest.raises(tlskit.SSLCertVerificationError, match=f"not valid for '{HIDDEN}'"),
    ):
        connect(client, server.address)


@needs_server
def test_over_asyncio(client, keys, hidden, outer):
    client.ech_config_list = keys.configs

    async def visit(address: Any, opened: Any) -> str:
        reader, writer = await opened(*address, ssl=client, server_hostname=HIDDEN)
        writer.write(b"abc\n")
        assert await reader.readline() == b"cba\n"
        status: str = writer.get_extra_info("ssl_object").info.ech
        writer.close()
        with contextlib.suppress(OSError):  # s_server may reset
            await writer.wait_closed()
        return status

    for opened in (asyncio.open_connection, tlskit.aio.open_connection):
        with ech_server(keys, hidden, outer) as server:
            assert asyncio.run(visit(server.address, opened)) == "accepted"


# -- rejected --------------------------------------------------------------------------------------


@needs_server
def test_a_rejection_brings_new_keys(client, keys, other_keys, hidden, outer):
    client.ech_config_list = other_keys.configs
    with (
        ech_server(keys, hidden, outer) as server,
        pytest.raises(tlskit.SSLError, match="keys have changed") as caught,
    ):
        connect(client, server.address)
    error: Any = caught.value
    assert error.reason == "ECH_REQUIRED"
    assert error.alert_sent == 121
    assert error.ech_retry_configs == keys.configs
    assert client.handshake_failures["ech_required"] == 1
    client.ech_config_list = error.ech_retry_configs
    with ech_server(keys, hidden, outer) as server, connect(client, server.address) as sock:
        assert sock.info.ech == "accepted"


@needs_server
def test_a_server_without_it_says_so_in_its_outer_name(client, keys, hidden, outer):
    client.ech_config_list = keys.configs
    with ech_server(None, hidden, outer) as server, pytest.raises(tlskit.SSLError) as caught:
        connect(client, server.address)
    error: Any = caught.value
    assert error.reason == "ECH_REQUIRED"
    assert error.ech_retry_configs == b""


@needs_server
@pytest.mark.parametrize("verifies", [True, False])
def test_a_rejection_by_somebody_else_brings_nothing(client, keys, other_keys, hidden, verifies):
    """Whoever is on the way has no certificate for the outer name."""
    client.ech_config_list = other_keys.configs
    if not verifies:
        client.check_hostname = False
        client.verify_mode = tlskit.CERT_NONE
    with ech_server(keys, hidden, hidden) as server, pytest.raises(tlskit.SSLError) as caught:
        connect(client, server.address)
    error: Any = caught.value
    if verifies:
        assert isinstance(error, tlskit.SSLCertVerificationError)
        assert f"not valid for '{OUTER}'" in str(error)
        assert getattr(error, "ech_retry_configs", None) is None
    else:
        assert error.reason == "ECH_REQUIRED"
        assert error.ech_retry_configs is None


@needs_server
def test_the_outer_name_is_verified_though_no_name_is(client, keys, other_keys, hidden):
    client.check_hostname = False
    client.ech_config_list = other_keys.configs
    with (
        ech_server(keys, hidden, hidden) as server,
        pytest.raises(tlskit.SSLCertVerificationError, match=f"not valid for '{OUTER}'"),
    ):
        connect(client, server.address)


@needs_server
def test_what_is_demanded_of_the_hidden_name_is_not_demanded_of_the_outer(
    client, keys, other_keys, hidden, outer
):
    asked: list[Any] = []
    client.ech_config_list = other_keys.configs
    client.verify_names = (HIDDEN,)
    client.pins = ("0" * 64,)
    client.verify_callback = lambda connection, chain: asked.append(chain)
    with ech_server(keys, hidden, outer) as server, pytest.raises(tlskit.SSLError) as caught:
        connect(client, server.address)
    error: Any = caught.value
    assert error.ech_retry_configs == keys.configs
    assert asked == []


@needs_server
def test_an_older_server_is_not_spoken_to(client, keys, hidden, outer):
    client.ech_config_list = keys.configs
    with (
        s_server(hidden.identity, "-tls1_2") as server,
        pytest.raises(tlskit.SSLError, match="PROTOCOL"),
    ):
        connect(client, server.address)


@needs_server
def test_no_client_certificate_is_shown_to_one_that_rejects_it(
    client, keys, other_keys, hidden, outer
):
    client.ech_config_list = other_keys.configs
    client.load_cert_chain(hidden.chain, hidden.key)
    with s_server(outer.identity, "-ech_key", keys.path, "-Verify", "1", "-naccept", "1") as server:
        with pytest.raises(tlskit.SSLError, match="ECH_REQUIRED"):
            connect(client, server.address)
        server.expect("alert")
    assert "hidden" not in "".join(server.output)


# -- sessions --------------------------------------------------------------------------------------


@needs_server
def test_a_session_is_resumed_under_it(client, keys, hidden, outer):
    client.sessions.store = tlskit.MemoryStore()
    client.ech_config_list = keys.configs
    with ech_server(keys, hidden, outer) as server:
        with connect(client, server.address) as sock:
            says(sock)
        with connect(client, server.address) as sock:
            assert says(sock) == b"cba\n"
            assert sock.session_reused
            assert sock.info.ech == "accepted"


@needs_server
@pytest.mark.parametrize("how", ["store", "explicit"])
@pytest.mark.parametrize("first", [True, False], ids=["hidden first", "clear first"])
def test_no_session_crosses(client, keys, hidden, outer, how, first):
    """One made with ECH is not offered in the clear, nor one made in the clear with it."""
    if how == "store":
        client.sessions.store = tlskit.MemoryStore()
    client.ech_config_list = keys.configs if first else None
    with ech_server(keys, hidden, outer) as server:
        with connect(client, server.address) as sock:
            says(sock)
            session = sock.session
        client.ech_config_list = None if first else keys.configs
        offered = {"session": session} if how == "explicit" else {}
        with connect(client, server.address, **offered) as sock:
            assert not sock.session_reused
            assert isinstance(sock.resumption, tlskit.NotOffered)
            assert sock.info.ech == ("not used" if first else "accepted")


@needs_server
def test_a_session_without_a_policy_is_not_offered(client, keys, hidden, outer):
    with ech_server(keys, hidden, outer) as server:
        with connect(client, server.address) as sock:
            says(sock)
            plain = tlskit.SSLSession.from_der(sock.session.to_der())
        client.ech_config_list = keys.configs
        with connect(client, server.address, session=plain) as sock:
            assert not sock.session_reused
            assert sock.resumption.reason is tlskit.Reason.OTHER_POLICY


@needs_server
def test_the_session_remembers_it(client, keys, hidden, outer):
    client.ech_config_list = keys.configs
    with ech_server(keys, hidden, outer) as server, connect(client, server.address) as sock:
        says(sock)
        copy = tlskit.SSLSession.from_bytes(sock.session.to_bytes())
    assert (copy.info.ech, copy.info.ech_outer_name) == ("accepted", OUTER)


@needs_server
@pytest.mark.parametrize("encrypted", [True, False])
def test_no_early_data_goes_with_it(client, keys, hidden, outer, encrypted):
    client.ech_config_list = keys.configs if encrypted else None
    names = ("-servername", HIDDEN, "-cert2", hidden.chain, "-key2", hidden.key)
    options = (*names, "-ech_key", keys.path, "-early_data")
    with s_server(outer.identity, *options) as server:
        with connect(client, server.address) as sock:
            server.say(b"hello\n")
            assert sock.recv(100) == b"hello\n"
            session = sock.session
        assert session.max_early_data > 0
        with connect(client, server.address, session=session, early_data=b"early\n") as sock:
            server.expect("early")
            assert not isinstance(sock.resumption, tlskit.NotOffered)
            without = sock.early_data_status is tlskit.EarlyDataStatus.NOT_SENT
            assert without == encrypted


# -- the settings as a whole -----------------------------------------------------------------------


@needs_server
def test_copies_and_descriptions_have_it(client, keys):
    client.configure(ech_config_list={HIDDEN: keys.configs}, ech_grease=True)
    other = client.copy()
    assert other.ech_config_list == {HIDDEN: keys.configs}
    assert "ech_config_list: for hidden.example" in other.describe()
    other.ech_config_list = None
    assert seen(client).server_name == OUTER
    assert seen(other).server_name == HIDDEN
    other.freeze()
    for name in SETTINGS:
        with pytest.raises(RuntimeError, match="frozen"):
            setattr(other, name, None)


@needs_server
def test_contexts_with_other_keys_have_other_descriptions(client, keys, other_keys):
    client.ech_config_list = {HIDDEN: keys.configs}
    other = client.copy()
    assert other.describe() == client.describe()
    other.ech_config_list = {HIDDEN: other_keys.configs}
    assert other.describe() != client.describe()


@needs_ech
def test_a_key_in_place_of_a_name_is_not_repeated(client):
    key = "-----BEGIN PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2Vw" * 20
    with pytest.raises(ValueError, match="1 to 255 characters") as caught:
        client.ech_outer_name = key
    assert "MC4CAQAw" not in str(caught.value)
    with pytest.raises(ValueError, match="1 to 255 characters") as caught:
        client.ech_config_list = {key: b"\0\0"}
    assert "MC4CAQAw" not in str(caught.value)


@needs_server
def test_a_change_is_for_later_connections(client, keys):
    out = tlskit.MemoryBIO()
    client.ech_config_list = keys.configs
    early = client.wrap_bio(tlskit.MemoryBIO(), out, server_hostname=HIDDEN)
    client.ech_config_list = None
    with pytest.raises(tlskit.SSLWantReadError):
        early.do_handshake()
    assert HIDDEN.encode() not in bytes(out.read())
    assert HIDDEN.encode() in sent(client)
    del early
    gc.collect()


@needs_ech
def test_the_policy_of_other_connections_is_the_same(client, leaf):
    plain = client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    before = inside.store_key(plain)
    client.ech_grease = True
    greased = client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
    assert inside.store_key(greased) == before
    assert memory_pair(client, serving(leaf))[0].info.ech == "grease"

"""`inject_into_ssl`: what it replaces, what goes on as before, and that it leaves nothing
behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl
import sys
import threading
import types
import warnings

import pytest

import tlskit
from tlskit._stdlib import classes as stdlib

from ..support.pairs import (
    Background,
    client_context,
    echo_server,
    memory_pair,
    server_context,
    shake,
)


@pytest.fixture(autouse=True)
def before():
    """Every name of `ssl`, and of its class, is after each test what it was before; but for the
    provision that stays.
    """
    tlskit.inject_into_ssl()
    tlskit.extract_from_ssl()
    names = dict(vars(ssl)), dict(vars(stdlib.SSLContext))
    assert ssl.SSLContext is stdlib.SSLContext
    yield names[0]
    tlskit.extract_from_ssl()
    assert dict(vars(ssl)) == names[0]
    assert {name: value for name, value in vars(ssl).items() if value is not names[0][name]} == {}
    assert dict(vars(stdlib.SSLContext)) == names[1]


@pytest.fixture
def module():
    """Makes modules that stay loaded until the end of the test."""
    made = []

    def make(name, **names):
        module = types.ModuleType(name)
        vars(module).update(names)
        sys.modules[name] = module
        made.append(name)
        return module

    yield make
    for name in made:
        del sys.modules[name]


def stdlib_context(pki):
    context = stdlib.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.root)
    return context


# -- in and out ------------------------------------------------------------------------------------


def test_contexts_are_ours():
    tlskit.inject_into_ssl()
    assert ssl.SSLContext is tlskit.SSLContext
    assert ssl.MemoryBIO is tlskit.MemoryBIO
    assert ssl.SSLSession is tlskit.SSLSession
    for make in (
        lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        ssl.create_default_context,
        lambda: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl._create_unverified_context,
        ssl._create_stdlib_context,
        ssl._create_default_https_context,
        lambda: http.client.HTTPSConnection("localhost")._context,
    ):
        assert type(make()) is tlskit.SSLContext
    tlskit.extract_from_ssl()
    assert ssl.SSLContext is stdlib.SSLContext
    assert type(ssl.create_default_context()) is stdlib.SSLContext


def test_a_default_context_is_as_strict_as_before():
    names = ["verify_mode", "check_hostname", "verify_flags", "maximum_version", "security_level"]
    theirs = ssl.create_default_context()
    names = [name for name in names if hasattr(theirs, name)]  # PyPy's has no security_level
    with tlskit.inject_into_ssl():
        ours = ssl.create_default_context()
    assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]
    assert ours.minimum_version >= theirs.minimum_version  # some distributions' Pythons have none
    assert ours.cert_store_stats() == theirs.cert_store_stats()


def test_what_stays_the_stdlibs(before):
    kept = [
        "SSLSocket",
        "SSLObject",
        "SSLError",
        "Purpose",
        "Options",
        "create_default_context",
        "get_server_certificate",
        "_ssl",
    ]
    with tlskit.inject_into_ssl():
        for name in kept:
            assert getattr(ssl, name) is before[name]
        assert ssl._ssl.MemoryBIO is stdlib.MemoryBIO


def test_answers_are_those_of_tlskit():
    """Also what the running Python has no name for."""
    with tlskit.inject_into_ssl():
        for name in tlskit.__all__:
            if name.startswith(("HAS_", "OPENSSL_")) or name in (
                "OP_ENABLE_KTLS",
                "OP_LEGACY_SERVER_CONNECT",
                "CHANNEL_BINDING_TYPES",
            ):
                assert getattr(ssl, name) == getattr(tlskit, name), name
        assert not hasattr(ssl, "SessionCacheMode")


def test_twice_is_once():
    tlskit.inject_into_ssl()
    tlskit.inject_into_ssl()
    assert ssl.SSLContext is tlskit.SSLContext
    tlskit.extract_from_ssl()
    assert ssl.SSLContext is stdlib.SSLContext
    tlskit.extract_from_ssl()
    assert ssl.SSLContext is stdlib.SSLContext


def test_with():
    with tlskit.inject_into_ssl():
        assert ssl.SSLContext is tlskit.SSLContext
    assert ssl.SSLContext is stdlib.SSLContext
    with pytest.raises(KeyError), tlskit.inject_into_ssl():
        raise KeyError
    assert ssl.SSLContext is stdlib.SSLContext


def test_with_inside_with():
    with tlskit.inject_into_ssl():
        with tlskit.inject_into_ssl():
            assert ssl.SSLContext is tlskit.SSLContext
        assert ssl.SSLContext is tlskit.SSLContext
    assert ssl.SSLContext is stdlib.SSLContext


def test_blocks_that_overlap():
    """As two threads may have them: it ends with the last one."""
    one, two = tlskit.inject_into_ssl(), tlskit.inject_into_ssl()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert ssl.SSLContext is tlskit.SSLContext
    two.__exit__(None, None, None)
    assert ssl.SSLContext is stdlib.SSLContext


def test_a_block_does_not_end_what_was_there_before():
    tlskit.inject_into_ssl()
    with tlskit.inject_into_ssl():
        pass
    assert ssl.SSLContext is tlskit.SSLContext


def test_a_call_inside_a_block_outlives_it():
    with tlskit.inject_into_ssl():
        tlskit.inject_into_ssl()
    assert ssl.SSLContext is tlskit.SSLContext


def test_extract_inside_a_block():
    with tlskit.inject_into_ssl():
        tlskit.extract_from_ssl()
        assert ssl.SSLContext is stdlib.SSLContext
        tlskit.inject_into_ssl()
    assert ssl.SSLContext is tlskit.SSLContext


def test_one_handle_for_two_blocks():
    handle = tlskit.inject_into_ssl()
    for _ in range(2):
        with handle:
            assert ssl.SSLContext is tlskit.SSLContext
        assert ssl.SSLContext is stdlib.SSLContext


def test_many_threads():
    """Whatever the order, inside of a block it is ours, and at the end it is not."""
    failed = []

    def work():
        for _ in range(20):
            with tlskit.inject_into_ssl():
                if ssl.SSLContext is not tlskit.SSLContext:
                    failed.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert ssl.SSLContext is stdlib.SSLContext


# -- copies ----------------------------------------------------------------------------------------


def test_copies_of_other_modules(module):
    mine = module("somebody", SSLContext=stdlib.SSLContext, _MemoryBIO=stdlib.MemoryBIO, other=5)
    module("nothing_but_a_name", __dict__=None)
    with tlskit.inject_into_ssl():
        assert mine.SSLContext is tlskit.SSLContext
        assert mine._MemoryBIO is tlskit.MemoryBIO
    assert vars(mine)["SSLContext"] is stdlib.SSLContext
    assert mine._MemoryBIO is stdlib.MemoryBIO


def test_copies_that_are_kept_on_purpose(module):
    """Whoever keeps the original under a name that says so needs the original."""
    mine = module(
        "somebody", _original_SSLContext=stdlib.SSLContext, orig_SSLContext=stdlib.SSLContext
    )
    with tlskit.inject_into_ssl():
        assert mine._original_SSLContext is mine.orig_SSLContext is stdlib.SSLContext


def test_names_that_mean_something_else(module):
    mine = module("somebody", SSLContext=int, MemoryBIO=None)
    with tlskit.inject_into_ssl():
        assert (mine.SSLContext, mine.MemoryBIO) == (int, None)


def test_a_second_call_finds_what_has_come_since(module):
    tlskit.inject_into_ssl()
    mine = module("somebody", SSLContext=stdlib.SSLContext)
    tlskit.inject_into_ssl()
    assert mine.SSLContext is tlskit.SSLContext
    tlskit.extract_from_ssl()
    assert mine.SSLContext is stdlib.SSLContext


def test_whoever_uses_tlskit_keeps_it(module):
    mine = module("somebody", SSLContext=tlskit.SSLContext)
    with tlskit.inject_into_ssl():
        pass
    assert mine.SSLContext is tlskit.SSLContext


def test_what_is_not_a_module(monkeypatch):
    """Programs put all sorts of things into sys.modules."""

    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            raise AssertionError(f"woken up for {name}")

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    monkeypatch.setitem(sys.modules, "none", None)
    monkeypatch.setitem(sys.modules, "number", 5)
    with tlskit.inject_into_ssl():
        pass


def test_a_module_that_cannot_be_changed(monkeypatch):
    """It keeps what it has, or what it was given; the others are served."""

    class Frozen(types.ModuleType):
        def __setattr__(self, name, value):
            if vars(self).get("frozen"):
                raise AttributeError(name)
            super().__setattr__(name, value)

    frozen, later, plain = Frozen("a"), Frozen("b"), types.ModuleType("c")
    for module in (frozen, later, plain):
        module.SSLContext = stdlib.SSLContext
        monkeypatch.setitem(sys.modules, module.__name__, module)
    frozen.frozen = True
    with tlskit.inject_into_ssl():
        assert frozen.SSLContext is stdlib.SSLContext
        assert later.SSLContext is plain.SSLContext is tlskit.SSLContext
        later.frozen = True
    assert plain.SSLContext is ssl.SSLContext is stdlib.SSLContext


def test_somebody_else_has_come_after(before):
    """What he put there is not ours to take away; and what he kept of ours and puts back is taken
    out by another call.
    """

    class Theirs(stdlib.SSLContext):
        pass

    tlskit.inject_into_ssl()
    kept, ssl.SSLContext = ssl.SSLContext, Theirs
    tlskit.extract_from_ssl()
    assert ssl.SSLContext is Theirs
    ssl.SSLContext = kept
    tlskit.extract_from_ssl()
    assert ssl.SSLContext is before["SSLContext"]


def test_somebody_else_was_there_before(module):
    """He stands there again afterwards, and his own name for his class stays his own."""

    class Theirs(stdlib.SSLContext):
        pass

    Theirs.__module__ = "theirs.deep"
    theirs = module("theirs", SSLContext=Theirs)
    user = module("user", SSLContext=Theirs)
    ssl.SSLContext = Theirs
    try:
        with tlskit.inject_into_ssl():
            assert ssl.SSLContext is user.SSLContext is tlskit.SSLContext
            assert theirs.SSLContext is Theirs
            assert isinstance(Theirs(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext)
        assert ssl.SSLContext is user.SSLContext is Theirs
    finally:
        ssl.SSLContext = stdlib.SSLContext


# -- contexts that a library makes when it is imported ---------------------------------------------


def requests_adapters(module, pki, **more):
    return module(
        "vendored.requests.adapters",
        create_urllib3_context=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        extract_zipped_paths=lambda path: path,
        DEFAULT_CA_BUNDLE_PATH=pki.root,
        **more,
    )


def test_a_preloaded_context_is_made_again(module, pki):
    theirs = stdlib_context(pki)
    theirs.minimum_version = ssl.TLSVersion.TLSv1_3
    theirs.check_hostname = False
    theirs.load_verify_locations(pki.stranger_root)
    theirs.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    mine = requests_adapters(module, pki, _preloaded_ssl_context=theirs)
    with tlskit.inject_into_ssl():
        made = mine._preloaded_ssl_context
        assert type(made) is tlskit.SSLContext
        assert made.minimum_version is ssl.TLSVersion.TLSv1_3
        assert made.check_hostname is False
        assert made.verify_mode is ssl.CERT_REQUIRED
        assert made.cert_store_stats()["x509"] == 2
        assert [
            suite["name"] for suite in made.get_ciphers() if not suite["name"].startswith("TLS_")
        ] == ["ECDHE-RSA-AES256-GCM-SHA384"]
    assert mine._preloaded_ssl_context is theirs


@pytest.mark.parametrize("value", [None, 5])
def test_no_preloaded_context(module, pki, value):
    mine = requests_adapters(module, pki, _preloaded_ssl_context=value)
    with tlskit.inject_into_ssl():
        assert mine._preloaded_ssl_context is value


def test_a_preloaded_context_that_cannot_be_made(module, pki):
    """The old one goes on."""
    theirs = stdlib_context(pki)
    mine = requests_adapters(module, pki, _preloaded_ssl_context=theirs)
    mine.DEFAULT_CA_BUNDLE_PATH = "/nowhere"
    with tlskit.inject_into_ssl():
        assert mine._preloaded_ssl_context is theirs


# -- contexts from before, and from meanwhile ------------------------------------------------------


def test_old_contexts_are_instances():
    """Some libraries take what is no instance of `ssl.SSLContext` for "no TLS", and go on in the
    clear.
    """
    old = stdlib.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with tlskit.inject_into_ssl():
        taken = ssl.SSLContext
        assert isinstance(old, ssl.SSLContext)
        assert issubclass(type(old), ssl.SSLContext)
        assert isinstance(tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT), ssl.SSLContext)
        assert not isinstance(object(), ssl.SSLContext)

        class Derived(ssl.SSLContext):
            pass

        assert not isinstance(old, Derived)
    assert isinstance(
        ssl.create_default_context(), taken
    )  # a module that was imported meanwhile still asks this class
    assert not isinstance(object(), taken)


@pytest.mark.parametrize(("name", "value"), [
    ("options", ssl.OP_NO_TICKET), ("verify_flags", ssl.VERIFY_X509_STRICT), ("verify_mode",
    ssl.CERT_OPTIONAL), ("check_hostname", False),
    ("minimum_version", ssl.TLSVersion.TLSv1_3), ("maximum_version", ssl.TLSVersion.TLSv1_2),
    ("keylog_filename", None),
    ("post_handshake_auth", True), ("hostname_checks_common_name", True), ("_msg_callback", None),
    ("_msg_callback", lambda *args: None),
])  # fmt: skip
def test_old_contexts_can_be_set(name, value):
    old = stdlib.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    with tlskit.inject_into_ssl():
        setattr(old, name, value)
        assert getattr(old, name) == value


@pytest.mark.parametrize("kinds", ["ours", "theirs", "both"])
def test_old_contexts_take_new_bios(pki, version, kinds):
    """asyncio makes `ssl.MemoryBIO()` for every connection, also with a context that was made long
    ago.
    """
    client = stdlib_context(pki)
    client.minimum_version = client.maximum_version = version
    server = server_context(pki, module=ssl)
    with tlskit.inject_into_ssl():
        to_client = stdlib.MemoryBIO() if kinds == "theirs" else ssl.MemoryBIO()
        to_server = ssl.MemoryBIO() if kinds == "ours" else stdlib.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        far = server.wrap_bio(to_server, to_client, server_side=True)
        assert type(near) is stdlib.SSLObject
    shake(near, far)  # it goes on after the end of the block
    far.write(b"hello")
    assert near.read(3) == b"hel"
    assert near.pending() == 2
    assert near.read(10) == b"lo"
    near.write(b"back")
    assert far.read(10) == b"back"
    assert near.context is client
    assert near.version() == far.version()
    assert near.getpeercert()
    session = near.session
    with pytest.raises(ssl.SSLWantReadError):
        near.unwrap()
    with contextlib.suppress(ssl.SSLWantReadError):
        far.unwrap()
    near.unwrap()
    assert session.time


def test_old_contexts_take_new_bios_afterwards(pki):
    """Who has taken the class meanwhile, as compiled code does, keeps it; the stdlib's own BIOs are
    used as they are.
    """
    bios = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    before = stdlib_context(pki).wrap_bio(*bios, server_hostname="localhost")
    with tlskit.inject_into_ssl():
        taken = ssl.MemoryBIO
    to_client, to_server = taken(), taken()
    near = stdlib_context(pki).wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server_context(pki, module=ssl).wrap_bio(to_server, to_client, server_side=True)
    shake(near, far)
    assert near.version() == far.version()
    plain = stdlib_context(pki).wrap_bio(
        stdlib.MemoryBIO(), stdlib.MemoryBIO(), server_hostname="localhost"
    )
    assert type(plain._sslobj) is type(before._sslobj)


def test_old_contexts_with_new_bios_at_the_end_and_in_errors(pki):
    with tlskit.inject_into_ssl():
        client, server = stdlib_context(pki), server_context(pki, identity=pki.stranger, module=ssl)
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = stdlib.SSLContext.wrap_bio(client, to_client, to_server, server_hostname="localhost")
        far = server.wrap_bio(to_server, to_client, server_side=True)
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(near, far)
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):  # the alert has got out
            shake(far)
        to_client = ssl.MemoryBIO()
        to_client.write_eof()
        near = client.wrap_bio(to_client, ssl.MemoryBIO(), server_hostname="localhost")
        for _ in range(2):
            with pytest.raises(ssl.SSLError) as ended:
                near.do_handshake()
            assert not isinstance(ended.value, ssl.SSLWantReadError)


def test_old_contexts_switch_in_new_bios(pki):
    """What is set on the connection object arrives at the one beneath."""
    first, second = server_context(pki, module=ssl), server_context(pki, module=ssl)
    seen = []

    def switch(connection, name, context):
        connection.context = second
        seen.append((connection, name))

    first.sni_callback = switch
    with tlskit.inject_into_ssl():
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = stdlib_context(pki).wrap_bio(to_client, to_server, server_hostname="localhost")
        far = first.wrap_bio(to_server, to_client, server_side=True)
        shake(near, far)
    assert seen == [(far, "localhost")]
    assert far.context is second


def test_old_contexts_refuse_what_is_no_bio(pki):
    with tlskit.inject_into_ssl(), pytest.raises(TypeError):
        stdlib_context(pki).wrap_bio(5, ssl.MemoryBIO(), server_hostname="localhost")


def test_our_contexts_go_on_afterwards(contexts):
    with tlskit.inject_into_ssl():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client, server = contexts
    near, far = memory_pair(client, server)
    far.write(b"x")
    assert near.read(1) == b"x"
    context.options |= ssl.OP_NO_TICKET
    assert context.options & ssl.OP_NO_TICKET


def test_old_sockets_go_on(pki):
    server = server_context(pki, module=ssl)
    near, far = socket.socketpair()
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    client = stdlib_context(pki).wrap_socket(near, server_hostname="localhost")
    with client, accepting.result() as accepted:
        with tlskit.inject_into_ssl():
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"
        accepted.sendall(b"y")
        assert client.recv(1) == b"y"


# -- the standard library with it ------------------------------------------------------------------


@contextlib.contextmanager
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("injected_client", [True, False], ids=["new", "old"])
def test_asyncio(pki, injected_client):
    """A context made before, and one made after, with streams over asyncio's own protocol."""
    client = None if injected_client else stdlib_context(pki)

    async def talk(address):
        reader, writer = await asyncio.open_connection(
            *address, ssl=client or ssl.create_default_context(cafile=pki.root)
        )
        writer.write(b"hello")
        word = await reader.readexactly(5)
        kind = type(writer.get_extra_info("ssl_object"))
        writer.close()
        await writer.wait_closed()
        return word, kind

    with no_warnings(), tlskit.inject_into_ssl(), echo_server(server_context(pki)) as address:
        word, kind = asyncio.run(talk(("localhost", address[1])))
    assert word == b"hello"
    assert kind is (tlskit.SSLObject if injected_client else stdlib.SSLObject)


def test_get_server_certificate(pki):
    with tlskit.inject_into_ssl(), echo_server(server_context(pki)) as address:
        assert (
            ssl.get_server_certificate(address, ca_certs=str(pki.root))
            in pki.server.chain.read_text()
        )
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.get_server_certificate(address, ca_certs=str(pki.stranger_root))


def test_derived_contexts(pki):
    """A class that a library derives from `ssl.SSLContext` meanwhile is one of ours, before and
    afterwards.
    """
    with tlskit.inject_into_ssl():

        class Derived(ssl.SSLContext):
            @property
            def options(self):
                return super().options

            @options.setter
            def options(self, value):
                super(Derived, Derived).options.__set__(self, value | ssl.OP_NO_TICKET)

        context = Derived(ssl.PROTOCOL_TLS_CLIENT)
    assert isinstance(context, tlskit.SSLContext)
    context.options |= 0
    assert context.options & ssl.OP_NO_TICKET
    context.load_verify_locations(pki.root)
    near, _ = memory_pair(context, server_context(pki))
    assert near.context is context


def test_it_verifies(pki):
    """The same refusals as ever."""
    with tlskit.inject_into_ssl():
        trusting = ssl.create_default_context(cafile=pki.root)
        for context, name, server in (
            (
                ssl.create_default_context(cafile=pki.stranger_root),
                "localhost",
                server_context(pki),
            ),
            (trusting, "nobody.example", server_context(pki)),
            (trusting, "localhost", server_context(pki, identity=pki.expired)),
        ):
            with pytest.raises(ssl.SSLCertVerificationError):
                memory_pair(context, server, hostname=name)
        near, _ = memory_pair(client_context(pki), server_context(pki))
        assert near.version()


def test_somebody_who_replaces_more_than_the_classes(before, module):
    """His functions go with his class: they would make something of our contexts. What a program
    has put there stays.
    """

    class Theirs(stdlib.SSLContext):
        pass

    class TheirSocket(socket.socket):
        pass

    def make(*args, **kwargs):
        context = before["create_default_context"](*args, **kwargs)
        context.__class__ = Theirs
        return context

    def chosen():
        raise AssertionError("called")

    for thing in (Theirs, TheirSocket, make):
        thing.__module__ = "theirs.green"
    ssl.SSLContext, ssl.SSLSocket, ssl.create_default_context, ssl._create_default_https_context = (
        Theirs,
        TheirSocket,
        make,
        chosen,
    )
    try:
        with tlskit.inject_into_ssl():
            assert type(ssl.create_default_context()) is tlskit.SSLContext
            assert ssl.SSLSocket is stdlib.SSLSocket
            assert ssl._create_default_https_context is chosen
        assert (ssl.SSLContext, ssl.SSLSocket, ssl.create_default_context) == (
            Theirs,
            TheirSocket,
            make,
        )
    finally:
        for name in (
            "SSLContext",
            "SSLSocket",
            "create_default_context",
            "_create_default_https_context",
        ):
            setattr(ssl, name, before[name])

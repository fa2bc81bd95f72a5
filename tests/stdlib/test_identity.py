"""Who is an instance of what, and what becomes of classes that others have derived."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import gc
import os
import socket
import ssl as stdlib
import subprocess
import sys
import sysconfig
import weakref

import pytest

import tlskit
from tlskit._stdlib.dormant import ContextType

from ..support.pairs import (
    Background,
    client_context,
    echo_server,
    memory_pair,
    server_context,
    shake,
    socket_pair,
)
from ..support.pypy import PYPY
from .compare import compared

KINDS = [(stdlib, "SSLObject"), (stdlib, "SSLSocket"), (tlskit, "SSLObject"), (tlskit, "SSLSocket")]


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0].__name__}.{kind[1]}")
def base(request):
    """Each class that somebody may derive from."""
    module, name = request.param
    return getattr(module, name)


def use(context, kind):
    """Let `context` make its connections of this class."""
    setattr(
        context,
        "sslobject_class" if issubclass(kind, stdlib.SSLObject) else "sslsocket_class",
        kind,
    )


def connect(base, client, server, **kwargs):
    """The client's end, of whichever kind `base` is, and what it has seen: (word, session, whether
    it was resumed).
    """
    if issubclass(base, stdlib.SSLObject):
        near, far = memory_pair(client, server, **kwargs)
        far.write(b"word")
        return near, (near.read(10), near.session, near.session_reused)
    with socket_pair(client, server, **kwargs) as (near, far):
        far.sendall(b"word")
        return near, (near.recv(10), near.session, near.session_reused)


# -- classes of somebody else ----------------------------------------------------------------------


def test_a_derived_class_is_used(contexts, base):
    calls = []

    class Derived(base):
        """Somebody's own."""

        def do_handshake(self, *args):
            calls.append(type(self).__name__)
            return super().do_handshake(*args)

        def read(self, *args):
            calls.append("read")
            return super().read(*args)

    client, server = contexts
    use(client, Derived)
    near, (word, *_) = connect(base, client, server)
    assert word == b"word"
    assert isinstance(near, Derived)
    assert isinstance(near, base)
    assert isinstance(near, getattr(tlskit, base.__name__))
    assert (type(near).__name__, type(near).__qualname__, type(near).__doc__,
    type(near).__module__) == (
        Derived.__name__, Derived.__qualname__, "Somebody's own.", __name__,
    )  # fmt: skip
    assert {"Derived", "read"} <= set(calls)


@pytest.mark.parametrize("kind", [stdlib.SSLSocket, tlskit.SSLSocket])
def test_sendall_sends_by_the_send_of_a_derived_class(contexts, kind):
    """One that counts or throttles, say."""
    client, server = contexts
    sent = []

    class Counting(kind):
        def send(self, data, flags=0):
            sent.append(super().send(data[:2], flags))
            return sent[-1]

    use(client, Counting)
    with socket_pair(client, server) as (near, far):
        near.sendall(b"hello")
        near.sendall(memoryview(b""))
        assert sent == [2, 2, 1]
        with far.makefile("rb") as received:
            assert received.read(5) == b"hello"


def test_servers_too(contexts, base):
    class Derived(base):
        pass

    client, server = contexts
    use(server, Derived)
    seen = []
    server.sni_callback = lambda connection, name, context: seen.append(connection)
    connect(base, client, server)
    assert isinstance(seen[0], Derived)
    assert isinstance(seen[0], getattr(tlskit, base.__name__))


@pytest.mark.parametrize("name", ["SSLObject", "SSLSocket"])
def test_the_stdlibs_own_class_stands_for_ours(contexts, name):
    client, server = contexts
    base = getattr(stdlib, name)
    use(client, base)
    near, _ = connect(base, client, server)
    assert type(near) is getattr(tlskit, name)


def test_combined_once(contexts):
    client, server = contexts

    class Derived(stdlib.SSLObject):
        pass

    client.sslobject_class = Derived
    assert client.sslobject_class is Derived
    one, two = (memory_pair(client, server)[0] for _ in range(2))
    assert type(one) is type(two)

    class Further(Derived):
        pass

    client.sslobject_class = Further
    three = memory_pair(client, server)[0]
    assert isinstance(three, Further)
    assert type(three) is not type(one)


@pytest.mark.skipif(
    sys.version_info < (3, 14) and bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="from the first thread on, free-threaded CPython 3.13 keeps every class",
)
def test_a_class_for_every_connection_is_not_kept(contexts):
    """There are programs that make one each time."""
    client, server = contexts

    def connect_once():
        class Derived(stdlib.SSLObject):
            pass

        client.sslobject_class = Derived
        memory_pair(client, server)
        del client.sslobject_class
        return weakref.ref(Derived)

    gone = [connect_once() for _ in range(3)]
    gc.collect()
    assert [ref() for ref in gone] == [None] * 3


def test_odd_classes(contexts):
    """With slots, with a metaclass that refuses attributes, with bases of their own."""

    class Closed(type):
        def __setattr__(cls, name, value):
            raise AttributeError(name)

    class Mixin:
        def version(self):
            return f"<{super().version()}>"

    class Slotted(Mixin, stdlib.SSLObject):
        __slots__ = ("extra",)

    class Sealed(stdlib.SSLObject, metaclass=Closed):
        pass

    client, server = contexts
    for kind in (Slotted, Sealed, Sealed):
        client.sslobject_class = kind
        near, _ = memory_pair(client, server)
        assert isinstance(near, kind)
    client.sslobject_class = Slotted
    near, _ = memory_pair(client, server)
    near.extra = 5
    assert near.version().startswith("<TLSv1.")


def test_a_class_of_another_kind(contexts):
    """What does not come from the stdlib's is asked for a connection as the stdlib would ask it."""

    class Own:
        @classmethod
        def _create(cls, incoming, outgoing, **kwargs):
            return incoming, outgoing, kwargs["server_hostname"]

    client, _ = contexts
    client.sslobject_class = Own
    assert client.wrap_bio(1, 2, server_hostname="localhost") == (1, 2, "localhost")


@pytest.mark.parametrize("kind", [None, 5, "x", int, socket.socket, len])
@pytest.mark.parametrize("name", ["sslsocket_class", "sslobject_class"])
def test_what_makes_no_connections(pki, name, kind):
    """It is asked for one, and refuses."""

    def work(module):
        client = client_context(pki, module=module)
        setattr(client, name, kind)
        with socket.socket() as plain:
            if name == "sslsocket_class":
                client.wrap_socket(plain, server_hostname="localhost")
            else:
                client.wrap_bio(module.MemoryBIO(), module.MemoryBIO(), server_hostname="localhost")

    assert compared(work).raised is AttributeError


def test_a_factory_in_place_of_a_class(contexts):
    class Factory:
        def _create(self, incoming, outgoing, **kwargs):
            return incoming, outgoing

    client, _ = contexts
    client.sslobject_class = Factory()
    assert client.wrap_bio(1, 2, server_hostname="localhost") == (1, 2)


# -- two ways of taking part -----------------------------------------------------------------------


def test_by_create(contexts, base):
    client, server = contexts
    _, (_, session, _) = connect(base, client, server)

    class Derived(base):
        @classmethod
        def _create(cls, *args, **kwargs):
            if issubclass(base, stdlib.SSLSocket):  # its handshake is made in there
                kwargs["session"] = session
                return super()._create(*args, **kwargs)
            self = super()._create(*args, **kwargs)
            self.session = session
            return self

    use(client, Derived)
    _, (word, _, reused) = connect(base, client, server)
    assert word == b"word"
    assert reused


def test_by_init(contexts, base):
    client, server = contexts
    _, (_, session, _) = connect(base, client, server)

    class Derived(base):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.arguments = args, kwargs
            self.session = session

    use(client, Derived)
    near, (word, _, reused) = connect(base, client, server)
    assert word == b"word"
    assert reused
    args, kwargs = near.arguments
    assert kwargs["context"] is client
    assert kwargs["server_hostname"] == "localhost"
    assert len(args) + len(kwargs) == (7 if issubclass(base, stdlib.SSLSocket) else 6)


@pytest.mark.parametrize("injected", [False, True])
def test_by_init_over_asyncio(contexts, injected):
    """A class for each connection, as a driver for a database makes it: here its sessions are
    resumed.
    """
    client, server = contexts

    async def connect(address, session):
        class Derived(stdlib.SSLObject):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                if session is not None:
                    self.session = session

        client.sslobject_class = Derived
        reader, writer = await asyncio.open_connection(
            *address, ssl=client, server_hostname="localhost"
        )
        writer.write(b"word")
        assert await reader.readexactly(4) == b"word"
        connection = writer.get_extra_info("ssl_object")
        seen = connection.session, connection.session_reused, isinstance(connection, Derived)
        writer.close()
        await writer.wait_closed()
        return seen

    with (
        echo_server(server) as address,
        tlskit.inject_into_ssl() if injected else contextlib.nullcontext(),
    ):
        session, reused, instance = asyncio.run(connect(address, None))
        assert not reused
        _, reused, instance = asyncio.run(connect(address, session))
    assert reused
    assert instance


def test_an_init_in_an_unconnected_socket(contexts):
    client, _ = contexts

    class Derived(stdlib.SSLSocket):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.seen = self._connected

    client.sslsocket_class = Derived
    with client.wrap_socket(socket.socket(), server_hostname="localhost") as sock:
        assert sock.seen is False


def test_an_init_for_somebody_else(contexts, base):
    """The stdlib never calls it; what does not take these arguments was not made for them."""

    class Derived(base):
        def __init__(self, colour):
            raise AssertionError("called")

    client, server = contexts
    use(client, Derived)
    assert connect(base, client, server)[1][0] == b"word"


def test_an_init_that_says_there_is_none(contexts, base):
    class Derived(base):
        def __init__(self, *args, **kwargs):
            raise TypeError("Derived does not have a public constructor.")

    client, server = contexts
    use(client, Derived)
    assert connect(base, client, server)[1][0] == b"word"


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError])
def test_an_init_that_fails(contexts, base, error):
    """It comes out, and the socket is closed."""

    class Derived(base):
        def __init__(self, *args, **kwargs):
            raise error("no")

    client, _ = contexts
    use(client, Derived)
    if issubclass(base, stdlib.SSLObject):
        with pytest.raises(error):
            client.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="localhost")
        return
    near, far = socket.socketpair()
    with far, pytest.raises(error):
        client.wrap_socket(near, server_hostname="localhost")
    assert near.fileno() == -1


def test_an_init_with_a_wrong_session(contexts, base):
    """A TypeError from deeper down is not taken for "no public constructor"."""

    class Derived(base):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.session = 5

    client, server = contexts
    use(client, Derived)
    with pytest.raises(TypeError, match="SSLSession"):
        connect(base, client, server)


def test_still_no_public_constructor(base):
    if base.__module__ == "ssl":
        base = getattr(tlskit, base.__name__)

    class Derived(base):
        pass

    for kind in (base, Derived):
        with pytest.raises(TypeError, match="public constructor"):
            kind()


# -- connections that others make with our contexts ------------------------------------------------


def test_the_stdlibs_object_over_our_context(contexts):
    """`ssl.SSLObject._create` itself, as a class that overrides much may call it."""
    client, server = contexts
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = stdlib.SSLObject._create(
        to_client, to_server, server_hostname="localhost", context=client
    )
    far = stdlib.SSLObject._create(to_server, to_client, server_side=True, context=server)
    shake(near, far)
    assert type(near) is stdlib.SSLObject
    assert near.context is client
    assert near._sslobj.owner is near
    far.write(b"hello")
    assert near.read(3) == b"hel"
    assert near.pending() == 2
    buffer = bytearray(5)
    assert near.read(5, buffer) == 2
    assert near.version() == far.version() is not None
    assert near.getpeercert()["subjectAltName"]
    assert near.session is not None
    assert not near.session_reused
    with pytest.raises(tlskit.SSLWantReadError):
        near.unwrap()


@pytest.mark.parametrize("timeout", [None, 5])
def test_the_stdlibs_socket_over_our_context(contexts, timeout):
    client, server = contexts
    near, far = socket.socketpair()
    near.settimeout(timeout)
    accepting = Background(lambda: stdlib.SSLSocket._create(far, server_side=True, context=server))
    near = stdlib.SSLSocket._create(near, server_hostname="localhost", context=client)
    far = accepting.result()
    with near, far:
        assert type(near) is stdlib.SSLSocket
        answering = Background(lambda: (far.recv(10), far.sendall(b"hello")))
        near.sendall(b"question")
        assert near.recv(10) == b"hello"
        assert answering.result()[0] == b"question"
        near.settimeout(0.01)
        with pytest.raises(TimeoutError):
            near.recv(10)
        near.settimeout(0)
        with pytest.raises(tlskit.SSLWantReadError):
            near.recv(10)
        near.settimeout(timeout)
        answering = Background(far.unwrap)
        assert near.unwrap() is near
        assert answering.result() is far
        near.sendall(b"in the clear")
        assert far.recv(20) == b"in the clear"


def test_it_verifies(pki):
    """Whoever makes the connection, it is our context that verifies."""
    client, server = client_context(pki), server_context(pki, identity=pki.stranger)
    near, far = socket.socketpair()
    failing = Background(lambda: stdlib.SSLSocket._create(far, server_side=True, context=server))
    with near, pytest.raises(tlskit.SSLCertVerificationError):
        stdlib.SSLContext.wrap_socket(client, near, server_hostname="localhost")
    assert isinstance(failing.error, OSError)
    near, far = socket.socketpair()
    failing = Background(lambda: stdlib.SSLSocket._create(far, server_side=True, context=server))
    with near, pytest.raises(tlskit.SSLCertVerificationError):
        stdlib.SSLSocket._create(near, server_hostname="localhost", context=client)
    assert isinstance(failing.error, OSError)


def test_a_socket_that_is_gone(contexts):
    client, _ = contexts
    near, far = socket.socketpair()
    with far:
        channel = client._wrap_socket(near, False, "localhost")
        near.close()
        with pytest.raises(tlskit.SSLError, match="connection gone"):
            channel.do_handshake()
        del near
        with pytest.raises(tlskit.SSLError, match="connection gone"):
            channel.read(1)


# -- past tlskit -----------------------------------------------------------------------------------


def test_past_tlskit_nothing_is_trusted(pki):
    """The C class's own methods reach the dormant base. However permissive our context is, that one
    verifies.
    """
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.root)
    context.check_hostname = False
    context.verify_mode = tlskit.CERT_NONE
    near, far = socket.socketpair()
    server = server_context(pki, module=stdlib)
    accepting = Background(lambda: server.wrap_socket(far, server_side=True))
    with near:
        raw = stdlib._ssl._SSLContext._wrap_socket(context, near, False, "localhost")
        with pytest.raises(stdlib.SSLCertVerificationError):
            raw.do_handshake()
    assert isinstance(accepting.error, OSError)


def test_past_tlskit_there_are_no_servers(pki):
    context = server_context(pki)
    if PYPY:  # its class makes one, which has no certificate
        to_client, to_server = stdlib.MemoryBIO(), stdlib.MemoryBIO()
        client = client_context(pki, module=stdlib)
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        far = stdlib._ssl._SSLContext._wrap_bio(context, to_server, to_client, True, None)
        with pytest.raises(stdlib.SSLError):
            shake(near, far)
        return
    near, far = socket.socketpair()
    with near, far, pytest.raises(stdlib.SSLError, match="PROTOCOL_TLS_CLIENT"):
        stdlib._ssl._SSLContext._wrap_socket(context, near, True)
    with pytest.raises(stdlib.SSLError, match="PROTOCOL_TLS_CLIENT"):
        stdlib._ssl._SSLContext._wrap_bio(context, stdlib.MemoryBIO(), stdlib.MemoryBIO(), True)


def test_a_server_of_the_stdlibs_shows_nothing_of_ours(pki):
    """Set in the stdlib's `sni_callback`, a context of ours stands for its dormant base, which has
    no certificate.
    """
    ours = server_context(pki)
    theirs = server_context(pki, module=stdlib)

    def switch(connection, name, context):
        connection.context = ours

    theirs.sni_callback = switch
    to_client, to_server = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    near = client_context(pki, module=stdlib).wrap_bio(
        to_client, to_server, server_hostname="localhost"
    )
    far = theirs.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(stdlib.SSLError):
        shake(near, far)


# -- beside the stdlib's class ---------------------------------------------------------------------


def settable():
    """The properties that the stdlib sets by way of super(SSLContext, SSLContext)."""
    context = stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT)
    return ["maximum_version", "minimum_version", "options", "verify_flags", "verify_mode"], context


@pytest.mark.parametrize("name", settable()[0])
def test_a_context_of_the_stdlibs_at_our_property(name):
    """This is where it arrives when `ssl.SSLContext` is tlskit's class."""
    values = {
        "maximum_version": stdlib.TLSVersion.TLSv1_3,
        "minimum_version": stdlib.TLSVersion.TLSv1_3,
    }
    value = values.get(name, 1)
    theirs, ours = (
        stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
    )
    theirs.check_hostname = ours.check_hostname = False
    before = getattr(ours, name)
    getattr(super(tlskit.SSLContext, tlskit.SSLContext), name).__set__(theirs, value)
    assert getattr(theirs, name) == value
    assert getattr(ours, name) == before
    getattr(super(tlskit.SSLContext, tlskit.SSLContext), name).__set__(ours, value)
    assert getattr(ours, name) == value


def test_properties_can_be_taken_over():
    """As gevent, eventlet and others do: `@SSLContext.options.setter` in a derived class."""
    seen = []

    class Derived(tlskit.SSLContext):
        @tlskit.SSLContext.options.setter
        def options(self, value):
            seen.append(value)
            super(tlskit.SSLContext, tlskit.SSLContext).options.__set__(self, value)

    context = Derived(tlskit.PROTOCOL_TLS_CLIENT)
    context.options |= tlskit.OP_NO_TICKET
    assert seen
    assert context.options & tlskit.OP_NO_TICKET


def test_derived_contexts_may_be_abstract():
    class Derived(tlskit.SSLContext, abc.ABC):
        pass

    assert isinstance(Derived(tlskit.PROTOCOL_TLS_CLIENT), tlskit.SSLContext)


def test_instances(monkeypatch):
    monkeypatch.setattr(
        ContextType, "standing_in", None
    )  # as in a process in which tlskit never stood in for `ssl`
    theirs, ours = (
        stdlib.SSLContext(stdlib.PROTOCOL_TLS_CLIENT),
        tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT),
    )

    class Derived(tlskit.SSLContext):
        pass

    assert isinstance(ours, tlskit.SSLContext)
    assert isinstance(ours, stdlib.SSLContext)
    assert not isinstance(theirs, tlskit.SSLContext)
    assert not isinstance(ours, Derived)
    assert issubclass(Derived, tlskit.SSLContext)
    assert not issubclass(stdlib.SSLContext, tlskit.SSLContext)


FUTURE = """
import ssl
BENEATH = {}
class Setting:
    def __get__(self, instance, owner=None): return self if instance is None else BENEATH.get(id(instance))
    def __set__(self, instance, value): BENEATH[id(instance)] = value
ssl.SSLContext.future_setting = Setting()
ssl.SSLContext.future_method = lambda self: BENEATH.update(called=True)
import tlskit
ours, theirs = tlskit.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
for work in (
    lambda: ours.future_setting, lambda: setattr(ours, "future_setting", 1), lambda: delattr(ours, "future_setting"),
    lambda: ours.future_method(), lambda: tlskit.SSLContext.future_method(ours),
):
    try:
        work()
    except NotImplementedError as error:
        assert "future_" in str(error)
    else:
        raise AssertionError("accepted")
assert not hasattr(ours, "future_setting") and not hasattr(ours, "future_method")
assert not BENEATH
theirs.future_setting = 5
assert theirs.future_setting == 5
with tlskit.inject_into_ssl():
    theirs.future_setting = 6
    theirs.future_method()
assert BENEATH == {id(theirs): 6, "called": True}
"""


def test_names_of_the_future():
    """What a later Python adds to its class does not silently set up the dormant base, and goes on
    for the stdlib's contexts.
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", FUTURE],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


ERRORS = [
    "CertificateError", "SSLCertVerificationError", "SSLEOFError", "SSLError", "SSLSyscallError",
    "SSLWantReadError", "SSLWantWriteError",
    "SSLZeroReturnError",
]  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_exceptions_are_the_stdlibs(name):
    assert getattr(tlskit, name) is getattr(stdlib, name)

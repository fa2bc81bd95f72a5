"""tlskit in the place of `ssl`, with libraries that were imported before and after, and beside
others that replace parts of it.

Each test is a process of its own: what is imported first matters, and gevent, eventlet and
truststore leave their traces.
"""

from __future__ import annotations

import http.server
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.pairs import server_context
from ..support.pki import PKI

PRELUDE = """
import os, ssl as _ssl_module, sys, warnings
warnings.simplefilter("ignore")
PORT, ROOT, STRANGER, BOTH = int(sys.argv[1]), *sys.argv[2:]
URL = f"https://localhost:{PORT}/"
for name in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(name, None)
ORIGINAL = next(kind for kind in _ssl_module.SSLContext.__mro__ if kind.__module__ == "ssl")
OURS = []

def watch():
    "From now on OURS has an entry for every connection of tlskit's."
    from tlskit._connection.channel import Channel
    begin = Channel.__init__
    def noted(self, *args, **kwargs):
        OURS.append(type(self).__name__)
        begin(self, *args, **kwargs)
    Channel.__init__ = noted

def talk(context, timeout=10):
    "Over a socket, and over asyncio."
    import asyncio, socket
    with socket.create_connection(("localhost", PORT), timeout) as plain, context.wrap_socket(plain, server_hostname="localhost") as sock:
        sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        got = b""
        while data := sock.recv(100):
            got += data
        assert got.endswith(b"hello"), got

def talk_over_asyncio(context):
    import asyncio
    async def talk():
        reader, writer = await asyncio.open_connection("localhost", PORT, ssl=context)
        writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
        got = await reader.read()
        kind = type(writer.get_extra_info("ssl_object"))
        writer.close()
        return got, kind
    got, kind = asyncio.run(talk())
    assert got.endswith(b"hello"), got
    return kind

def raises(kind, work):
    try:
        work()
    except kind:
        return
    raise AssertionError("nothing was raised")
"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *args: Any) -> None:
        pass  # clients that refuse the certificate are wanted here


@pytest.fixture(scope="module")
def run(pki: PKI) -> Iterator[Callable[..., None]]:
    """Runs a script beside an HTTPS server; without a library that it needs, the test is
    skipped.
    """
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = server_context(pki).wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    serving = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    serving.start()

    def run(
        script: str,
        *needed: str,
        first: str = "",
        files: tuple[Path, ...] = (pki.root, pki.stranger_root, pki.server.both),
    ) -> None:
        for name in needed:
            if importlib.util.find_spec(name) is None:
                pytest.skip(f"{name} is not installed")
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "SSL_CERT_FILE": str(pki.root),
        }
        env["EVENTLET_NO_GREENDNS"] = (
            "yes"  # it would import trio, which does not take what eventlet makes of sockets
        )
        done = subprocess.run(
            [sys.executable, "-c", first + PRELUDE + script, str(server.server_address[1]),
            *map(str, files)],
            env=env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    yield run
    server.shutdown()
    server.server_close()
    serving.join(10)


def ordered(script: str, library: str, before: bool) -> str:
    """The script, with the library imported before tlskit is injected, or after."""
    lines = [f"import {library}", "import tlskit; watch(); tlskit.inject_into_ssl()"]
    return "\n".join(lines if before else reversed(lines)) + "\n" + script


ORDERS = pytest.mark.parametrize("before", [True, False], ids=["before", "after"])

# -- libraries -------------------------------------------------------------------------------------

REQUESTS = """
import requests, urllib3.util.ssl_
assert urllib3.util.ssl_.SSLContext is tlskit.SSLContext
assert requests.get(URL, verify=ROOT).text == "hello"
with requests.Session() as session:
    session.verify = ROOT
    assert session.get(URL).text == "hello"
assert len(OURS) == 2, OURS
raises(requests.exceptions.SSLError, lambda: requests.get(URL, verify=STRANGER))
assert requests.get(URL, verify=False).text == "hello"
tlskit.extract_from_ssl()
import urllib3.util
assert urllib3.util.ssl_.SSLContext is urllib3.util.SSLContext is ORIGINAL
del OURS[:]
assert requests.get(URL, verify=ROOT).text == "hello"
assert not OURS
"""


@ORDERS
def test_requests(run: Callable[..., None], before: bool) -> None:
    run(ordered(REQUESTS, "requests", before), "requests")


URLLIB3 = """
with urllib3.PoolManager(ca_certs=ROOT) as pool:
    assert pool.request("GET", URL).data == b"hello"
assert len(OURS) == 1, OURS
with urllib3.PoolManager(ca_certs=STRANGER, retries=False) as pool:
    raises(urllib3.exceptions.SSLError, lambda: pool.request("GET", URL))
"""


@ORDERS
def test_urllib3(run: Callable[..., None], before: bool) -> None:
    run(ordered(URLLIB3, "urllib3", before), "urllib3")


HTTPX = """
import asyncio, ssl
assert httpx.get(URL, verify=ssl.create_default_context(cafile=ROOT)).text == "hello"
async def get():
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=ROOT)) as client:
        return (await client.get(URL)).text
assert asyncio.run(get()) == "hello"
assert len(OURS) == 2, OURS
raises(httpx.ConnectError, lambda: httpx.get(URL, verify=ssl.create_default_context(cafile=STRANGER)))
"""


@ORDERS
def test_httpx(run: Callable[..., None], before: bool) -> None:
    run(ordered(HTTPX, "httpx", before), "httpx")


AIOHTTP = """
import aiohttp.connector, asyncio, ssl
async def get(**kwargs):
    async with aiohttp.ClientSession() as session, session.get(URL, **kwargs) as response:
        return await response.text()
assert asyncio.run(get()) == "hello"                       # the context that was made with the module
assert asyncio.run(get(ssl=False)) == "hello"              # the other one
assert asyncio.run(get(ssl=ssl.create_default_context(cafile=ROOT))) == "hello"
assert len(OURS) == 3, OURS
raises(aiohttp.ClientConnectorCertificateError, lambda: asyncio.run(get(ssl=ssl.create_default_context(cafile=STRANGER))))
assert type(aiohttp.connector._SSL_CONTEXT_VERIFIED) is tlskit.SSLContext
assert aiohttp.connector._SSL_CONTEXT_VERIFIED.verify_mode is ssl.CERT_REQUIRED
assert aiohttp.connector._SSL_CONTEXT_UNVERIFIED.verify_mode is ssl.CERT_NONE
tlskit.extract_from_ssl()
assert aiohttp.connector.SSLContext is ORIGINAL
assert asyncio.run(get()) == "hello"
again = ssl.create_default_context(cafile=ROOT)            # it may have kept the class, to check contexts with
assert type(again) is ORIGINAL
assert asyncio.run(get(ssl=again)) == "hello"
"""


@ORDERS
def test_aiohttp(run: Callable[..., None], before: bool) -> None:
    run(ordered(AIOHTTP, "aiohttp", before), "aiohttp")


UVLOOP = """
import asyncio, ssl
{through}
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
talk_over_asyncio(ssl.create_default_context(cafile=ROOT))
assert OURS == [{kind!r}], OURS
talk_over_asyncio(old)
assert len(OURS) == 1
raises(ssl.SSLCertVerificationError, lambda: talk_over_asyncio(ssl.create_default_context(cafile=STRANGER)))

# Much, in both directions at once, with a protocol that takes bytes and one that brings its own buffer.
server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
server_side.load_cert_chain(BOTH)
MUCH = bytes(range(256)) * 12000

class Echo(asyncio.BufferedProtocol):
    def connection_made(self, transport): self.transport, self.buffer = transport, bytearray(70000)
    def get_buffer(self, hint): return self.buffer
    def buffer_updated(self, n): self.transport.write(bytes(self.buffer[:n]))

async def echo():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=server_side)
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context(cafile=ROOT), server_hostname="localhost")
    async def send():
        for at in range(0, len(MUCH), 12345):
            writer.write(MUCH[at : at + 12345])
            await writer.drain()
    sending = asyncio.create_task(send())
    assert await asyncio.wait_for(reader.readexactly(len(MUCH)), 30) == MUCH
    await sending
    writer.close()
    await writer.wait_closed()
    server.close()

asyncio.run(echo())
tlskit.extract_from_ssl()
talk_over_asyncio(ssl.create_default_context(cafile=ROOT))  # it has kept the class, and the stdlib's is back
"""


@ORDERS
@pytest.mark.parametrize("own", [True, False], ids=["own transport", "memory"])
def test_uvloop(run: Callable[..., None], before: bool, own: bool) -> None:
    """Over tlskit's transport; and without it, through the class of the MemoryBIO that uvloop was
    imported with: the stdlib's is pumped.
    """
    kind = "StreamChannel" if own else "QueueChannel" if before else "MemoryChannel"
    through = "" if own else "from tlskit import aio; aio.uninstall()"
    script = "old = _ssl_module.create_default_context(cafile=ROOT)\n"
    run(
        script + ordered(UVLOOP.format(kind=kind, through=through), "uvloop", before),
        "uvloop",
    )


# -- truststore ------------------------------------------------------------------------------------

TRUSTSTORE_IN_FRONT = """
import ssl, tlskit
watch()
tlskit.inject_into_ssl()
import truststore
truststore.inject_into_ssl()
assert ssl.SSLContext is truststore.SSLContext and issubclass(ssl.SSLContext, tlskit.SSLContext)
context = ssl.create_default_context()
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.options |= ssl.OP_NO_TICKET
context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
assert context.minimum_version == context._ctx.minimum_version == ssl.TLSVersion.TLSv1_3
assert type(context._ctx) is tlskit.SSLContext and context._ctx.options & ssl.OP_NO_TICKET
talk(context)
assert issubclass(talk_over_asyncio(context), tlskit.SSLObject)
assert len(OURS) == 2, OURS
os.environ["SSL_CERT_FILE"] = STRANGER
raises(ssl.SSLCertVerificationError, lambda: talk(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)))
truststore.extract_from_ssl()
assert ssl.SSLContext is tlskit.SSLContext
tlskit.extract_from_ssl()
assert ssl.SSLContext is ORIGINAL
"""


def test_truststore_in_front_of_tlskit(run: Callable[..., None]) -> None:
    """What it makes are connections of tlskit's, which it verifies in its own way."""
    run(TRUSTSTORE_IN_FRONT, "truststore")


TAKEN_OUT_IN_THE_WRONG_ORDER = """
import ssl, tlskit
tlskit.inject_into_ssl()
import truststore
truststore.inject_into_ssl()
tlskit.extract_from_ssl()
assert ssl.SSLContext is truststore.SSLContext
talk(ssl.create_default_context())
truststore.extract_from_ssl()
assert ssl.SSLContext is tlskit.SSLContext  # what it has kept
tlskit.extract_from_ssl()
assert ssl.SSLContext is ORIGINAL
"""


def test_truststore_taken_out_last(run: Callable[..., None]) -> None:
    run(TAKEN_OUT_IN_THE_WRONG_ORDER, "truststore")


TRUSTSTORE_BEHIND = """
import ssl
{first}
import truststore
truststore.inject_into_ssl()
old = ssl.create_default_context()
assert type(old) is truststore.SSLContext
import tlskit
watch()
tlskit.inject_into_ssl()
assert ssl.SSLContext is tlskit.SSLContext
assert truststore.SSLContext is type(old)
talk(ssl.create_default_context())
assert talk_over_asyncio(ssl.create_default_context()) is tlskit.SSLObject
assert len(OURS) == 2, OURS
for context in (old, truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)):
    assert isinstance(context, ssl.SSLContext)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    talk(context)
    talk_over_asyncio(context)
assert len(OURS) == 2
tlskit.extract_from_ssl()
assert ssl.SSLContext is truststore.SSLContext
truststore.extract_from_ssl()
assert ssl.SSLContext is ORIGINAL
"""


@pytest.mark.parametrize(
    "first", ["", "import tlskit"], ids=["tlskit imported last", "tlskit imported first"]
)
def test_truststore_behind_tlskit(run: Callable[..., None], first: str) -> None:
    """It stands in `ssl` until tlskit comes, and again afterwards; its own contexts go on."""
    run(TRUSTSTORE_BEHIND.format(first=first), "truststore")


TRUSTSTORE_ALONE = """
import ssl, truststore, tlskit
watch()
with tlskit.inject_into_ssl():
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert isinstance(context, ssl.SSLContext)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    talk(context)
    talk_over_asyncio(context)
assert not OURS
talk(context)
"""


def test_truststore_by_itself(run: Callable[..., None]) -> None:
    """`truststore.SSLContext`, imported before: the stdlib's connections, as ever."""
    run(TRUSTSTORE_ALONE, "truststore")


# -- gevent and eventlet ---------------------------------------------------------------------------

GREEN = """
import socket, ssl, tlskit
client = ssl.create_default_context(cafile=ROOT)
client.options |= ssl.OP_NO_TICKET
client.minimum_version = ssl.TLSVersion.TLSv1_2
client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
client.verify_mode = ssl.CERT_REQUIRED
assert isinstance(client, tlskit.SSLContext)
assert client.options & ssl.OP_NO_TICKET
talk(client)
talk(client, None)
raises(ssl.SSLCertVerificationError, lambda: talk(ssl.create_default_context(cafile=STRANGER)))
assert OURS
import urllib.request
assert urllib.request.urlopen(URL, context=client).read() == b"hello"

# Both ends in one thread, and a third that counts: nobody may stop the others.
server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
server.load_cert_chain(BOTH)
named = []
server.sni_callback = lambda sock, name, context: named.append((name, isinstance(sock, ssl.SSLSocket)))
ticks = []

def tick():
    while True:
        ticks.append(1)
        sleep(0.001)

def serve(listener, wrap):
    sock, _ = listener.accept()
    sock = wrap(sock)
    assert sock.recv(5) == b"hello"
    sleep(0.03)
    sock.sendall(b"x" * 1000000)
    sock.close()

def visit(sock):
    assert isinstance(sock, ssl.SSLSocket)
    sock.sendall(b"hello")
    got, before = 0, len(ticks)
    while got < 1000000:
        got += len(sock.recv(65536))
    assert len(ticks) > before + 3, "nobody else has run"
    sock.close()

ticking = spawn(tick)
plain = socket.create_server(("127.0.0.1", 0))
serving = spawn(serve, plain, lambda sock: server.wrap_socket(sock, server_side=True))
visit(client.wrap_socket(socket.create_connection(plain.getsockname()), server_hostname="localhost"))
wait(serving)

listener = server.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
serving = spawn(serve, listener, lambda sock: sock)
sleep(0.01)
sock = client.wrap_socket(socket.socket(), server_hostname="localhost")
sock.connect(listener.getsockname())
visit(sock)
wait(serving)
assert named == [("localhost", True)] * 2, named

if {in_front!r}:  # tlskit's own sockets, which wait by themselves
    listener.settimeout(0.01)
    raises(TimeoutError, listener.accept)
    refused = socket.create_server(("127.0.0.1", 0))
    address = refused.getsockname()
    refused.close()
    raises(ConnectionRefusedError, lambda: client.wrap_socket(socket.socket(), server_hostname="localhost").connect(address))
    assert client.wrap_socket(socket.socket(), server_hostname="localhost").connect_ex(address) > 0
    tlskit.extract_from_ssl()
    assert ssl.SSLContext is not tlskit.SSLContext
"""

GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent
sleep, spawn, wait = gevent.sleep, gevent.spawn, lambda green: green.get(timeout=10)
"""
EVENTLET = """
import eventlet
eventlet.monkey_patch()
sleep, spawn, wait = eventlet.sleep, eventlet.spawn, lambda green: green.wait()
"""
INJECT = "import tlskit; watch(); tlskit.inject_into_ssl()\n"


@pytest.mark.parametrize(
    ("name", "patch"), [("gevent", GEVENT), ("eventlet", EVENTLET)], ids=["gevent", "eventlet"]
)
@pytest.mark.parametrize(
    "order",
    [
        "patch, ssl, inject",
        "ssl, patch, inject",
        "ssl, tlskit, patch, inject",
        "ssl, inject, patch",
    ],
)
def test_green_threads(run: Callable[..., None], name: str, patch: str, order: str) -> None:
    """Patched first, tlskit's sockets wait with the replaced `select`; injected first, gevent's own
    go over tlskit.
    """
    parts = {"patch": patch, "inject": INJECT, "tlskit": "import tlskit\n"}
    first, _, then = order.rpartition("ssl, ")
    script = "".join(parts[part] for part in then.split(", ")) + GREEN.format(
        in_front=order.endswith("inject")
    )
    run(script, name, first=patch if first else "")

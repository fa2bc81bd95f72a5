"""Servers: what they are served with is the client of this module, over TLS of tlskit's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from .stage import NAMES, Skipped, Stage, listening, refused, visit, visit_in_vain

RIGHT, _ = NAMES


def check(stage: Stage, port: int) -> None:
    """A server that is right is served by, and one that is not trusted is not."""
    answer = visit(stage, port)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert answer.endswith(b"hello") or b"\r\nhello\r\n" in answer, answer
    visit_in_vain(port)
    assert visit(stage, port).startswith(b"HTTP/1.1 200")  # and it is still there


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    assert scope["scheme"] == "https"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
    )
    await send({"type": "http.response.body", "body": b"hello"})


def wsgi_hello(environ: Any, start: Any) -> list[bytes]:
    """A WSGI application."""
    assert environ["wsgi.url_scheme"] == "https"
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


async def beside(
    serve: Callable[[], Awaitable[Any]], work: Callable[[], Any], stop: Callable[[], Any]
) -> None:
    """Run blocking work in a thread while a server runs in this loop."""
    serving = asyncio.ensure_future(serve())
    working = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(None, work))
    await asyncio.wait([serving, working], return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        await serving  # it has failed
    await working
    stop()
    await serving


def uvicorn(stage: Stage) -> None:
    """`ssl_context_factory=` where there is one; files through injection. With both loops."""
    import uvicorn

    settings: dict[str, Any] = {"ssl_certfile": str(stage.chain), "ssl_keyfile": str(stage.key)}
    for loop in ("asyncio", "uvloop"):
        config = uvicorn.Config(
            hello,
            loop="asyncio",
            log_level="critical",
            lifespan="on",
            **({} if stage.own else settings),
        )
        if stage.own:
            if not hasattr(config, "ssl_context_factory"):
                raise Skipped("this uvicorn takes no context")
            config.ssl_context_factory = lambda *_: stage.server()
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        with stage.proven(clients=2, servers=2), listening() as sock:
            port = sock.getsockname()[1]

            def end(server: Any = server) -> None:
                server.should_exit = True

            run_with(
                loop,
                beside(
                    lambda s=server, k=sock: s.serve(sockets=[k]),
                    lambda p=port: check(stage, p),
                    end,
                ),
            )


def run_with(loop: str, main: Any) -> None:
    if loop == "uvloop":
        with contextlib.suppress(ModuleNotFoundError):
            import uvloop

            made = uvloop.new_event_loop()
            try:
                made.run_until_complete(main)
            finally:
                made.close()
            return
    asyncio.run(main)


@contextlib.contextmanager
def hypercorn_config(stage: Stage) -> Iterator[tuple[Any, int]]:
    from hypercorn.config import Config

    class Own(Config):
        def create_ssl_context(self) -> Any:
            context = stage.server()
            context.set_alpn_protocols(["h2", "http/1.1"])
            return context

    config: Any = (Own if stage.own else Config)()
    config.certfile, config.keyfile = str(stage.chain), str(stage.key)
    config.errorlog = config.accesslog = None
    with listening() as sock:
        config.bind = [f"fd://{sock.fileno()}"]
        port = sock.getsockname()[1]
        try:
            yield config, port
        finally:
            with contextlib.suppress(OSError):
                sock.detach()  # hypercorn has closed it


async def hypercorn_serve(config: Any, work: Callable[[], Any]) -> None:
    from hypercorn.asyncio import serve

    ended = asyncio.Event()
    await beside(lambda: serve(hello, config, shutdown_trigger=ended.wait), work, ended.set)


def hypercorn(stage: Stage) -> None:
    """Its configuration's `create_ssl_context`; files through injection."""
    with stage.proven(clients=2, servers=2), hypercorn_config(stage) as (config, port):
        asyncio.run(hypercorn_serve(config, lambda: check(stage, port)))


def httpx_http2(stage: Stage) -> None:
    """HTTP/2 between httpx and hypercorn: ALPN on both sides."""
    import h2  # noqa: F401
    import httpx

    def ask() -> None:
        with httpx.Client(verify=stage.client(), http2=True, trust_env=False, timeout=20) as client:
            for _ in range(3):
                answer = client.get(f"https://{RIGHT}:{port}/")
                assert (answer.text, answer.http_version) == ("hello", "HTTP/2")
            over = answer.extensions["network_stream"].get_extra_info("ssl_object")
            assert over.selected_alpn_protocol() == "h2"
        with httpx.Client(
            verify=stage.distrusting(), http2=True, trust_env=False, timeout=20
        ) as client:
            refused(
                lambda: client.get(f"https://{RIGHT}:{port}/"),
                httpx.ConnectError,
                because="unable to get local issuer",
            )

    with stage.proven(clients=1, servers=1), hypercorn_config(stage) as (config, port):
        asyncio.run(hypercorn_serve(config, ask))


def aiohttp_server(stage: Stage) -> None:
    """`ssl_context=` of a site."""
    from aiohttp import web

    async def answer(request: Any) -> Any:
        assert request.transport.get_extra_info("ssl_object") is not None
        return web.Response(text="hello")

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        sock = listening()
        await web.SockSite(runner, sock, ssl_context=stage.server()).start()
        try:
            await asyncio.get_running_loop().run_in_executor(
                None, check, stage, sock.getsockname()[1]
            )
        finally:
            await runner.cleanup()

    with stage.proven(clients=2, servers=2):
        asyncio.run(main())


def tornado_server(stage: Stage) -> None:
    """`ssl_options=` of a server: a context."""
    import tornado.httpserver
    import tornado.web

    class Hello(tornado.web.RequestHandler):
        def get(self) -> None:
            self.write("hello")

    async def main() -> None:
        server = tornado.httpserver.HTTPServer(
            tornado.web.Application([("/", Hello)]), ssl_options=stage.server()
        )
        sock = listening()
        sock.setblocking(False)
        server.add_socket(sock)
        await asyncio.get_running_loop().run_in_executor(None, check, stage, sock.getsockname()[1])
        server.stop()
        await server.close_all_connections()

    with stage.proven(clients=2, servers=2):
        asyncio.run(main())


def werkzeug(stage: Stage) -> None:
    """`ssl_context=` of Flask's and werkzeug's server."""
    import logging

    import flask
    from werkzeug.serving import make_server

    app = flask.Flask("app")
    app.add_url_rule("/", view_func=lambda: "hello")
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    context: Any = stage.server() if stage.own else (str(stage.chain), str(stage.key))
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    with stage.proven(clients=2, servers=2):
        thread.start()
        try:
            check(stage, server.port)
        finally:
            server.shutdown()
            thread.join(20)
            server.server_close()


def cheroot(stage: Stage) -> None:
    """The adapter's `context`; files through injection."""
    from cheroot.ssl.builtin import BuiltinSSLAdapter
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), wsgi_hello, numthreads=2)
    adapter = BuiltinSSLAdapter(str(stage.chain), str(stage.key))
    if stage.own:
        adapter.context = stage.server()
    server.ssl_adapter = adapter
    server.error_log = lambda *args, **kwargs: None
    with stage.proven(clients=2, servers=2):
        server.prepare()
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            check(stage, server.bind_addr[1])
        finally:
            server.stop()
            thread.join(20)


GUNICORN = """
import sys
import tlskit
if {inject!r} == "before":
    tlskit.inject_into_ssl()
import gunicorn.sock
from gunicorn.app.base import BaseApplication
if {inject!r} == "after" and {worker!r} != "gevent":
    tlskit.inject_into_ssl()

def own(config, default):
    context = tlskit.create_default_context(tlskit.Purpose.CLIENT_AUTH)
    context.load_cert_chain({chain!r}, {key!r})
    return context

made = []
genuine = tlskit.SSLContext._connection
def counting(self, *args, **kwargs):
    made.append(self)
    return genuine(self, *args, **kwargs)
tlskit.SSLContext._connection = counting
wrap_bio = tlskit.SSLContext.wrap_bio
def counting_bio(self, *args, **kwargs):
    made.append(self)
    return wrap_bio(self, *args, **kwargs)
tlskit.SSLContext.wrap_bio = counting_bio

def wsgi(environ, start):
    assert made
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]

async def asgi(scope, receive, send):
    assert made
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}})
    await send({{"type": "http.response.body", "body": b"hello"}})

class Application(BaseApplication):
    def load_config(self):
        for name, value in {settings!r}.items():
            self.cfg.set(name, value)
        if not {inject!r}:
            self.cfg.set("ssl_context", own)
        elif {worker!r} == "gevent":
            self.cfg.set("post_worker_init", lambda worker: tlskit.inject_into_ssl())
    def load(self):
        return asgi if {worker!r} == "asgi" else wsgi

Application().run()
"""


def gunicorn(worker: str) -> Callable[[Stage], None]:
    def scenario(stage: Stage) -> None:
        """`ssl_context` of its settings; files through injection. It forks, so it is a process of
        its own.
        """
        from gunicorn import SERVER_SOFTWARE
        from gunicorn.util import load_class

        try:
            load_class(worker)
        except RuntimeError as error:
            raise Skipped(f"{SERVER_SOFTWARE} has no worker {worker!r}") from error
        if worker == "gevent" and stage.way == "before":
            raise Skipped(
                "gevent replaces what is in ssl in each worker: tlskit has to come after it, in "
                "post_worker_init"
            )
        with listening() as sock, tempfile.TemporaryDirectory() as folder:
            settings = {
                "bind": f"fd://{sock.fileno()}",
                "workers": 1,
                "worker_class": worker,
                "certfile": str(stage.chain),
                "keyfile": str(stage.key),
                "loglevel": "critical",
                "graceful_timeout": 1,
                "control_socket_disable": True,
            }
            from gunicorn.config import Config

            settings = {
                name: value for name, value in settings.items() if name in Config().settings
            }
            script = Path(folder) / "serve.py"
            inject = "" if stage.own else stage.way
            values = {
                "inject": inject,
                "chain": str(stage.chain),
                "key": str(stage.key),
                "settings": settings,
                "worker": worker,
            }
            script.write_text(GUNICORN.format(**values))
            server = subprocess.Popen(
                [sys.executable, str(script)], pass_fds=[sock.fileno()], start_new_session=True
            )
            try:
                with stage.proven(clients=2):
                    check(stage, sock.getsockname()[1])
            finally:
                server.send_signal(signal.SIGTERM)
                try:
                    server.wait(20)
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(server.pid, signal.SIGKILL)

    return scenario


SCENARIOS = {
    "uvicorn": uvicorn,
    "hypercorn": hypercorn,
    "httpx, HTTP/2": httpx_http2,
    "aiohttp server": aiohttp_server,
    "tornado server": tornado_server,
    "flask": werkzeug,
    "cheroot": cheroot,
    "gunicorn, sync": gunicorn("sync"),
    "gunicorn, gthread": gunicorn("gthread"),
    "gunicorn, asgi": gunicorn("asgi"),
    "gunicorn, tornado": gunicorn("tornado"),
    "gunicorn, gevent": gunicorn("gevent"),
}

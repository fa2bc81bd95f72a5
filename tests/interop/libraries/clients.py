"""Clients: HTTP libraries, and the drivers of databases."""

from __future__ import annotations

import asyncio
from typing import Any

from .stage import (
    NAMES,
    UNKNOWN_CA,
    WRONG_HOST,
    Skipped,
    Stage,
    check_refusal,
    connect_proxy,
    http_server,
    refused,
)

RIGHT, WRONG = NAMES


def requests(stage: Stage) -> None:
    """`verify=` through injection; its way to a context of one's own is an adapter."""
    import requests

    class Adapter(requests.adapters.HTTPAdapter):
        context: Any = None

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, ssl_context=self.context, **kwargs)

        def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
            host, attributes = super().build_connection_pool_key_attributes(*args, **kwargs)
            attributes.pop(
                "ca_certs", None
            )  # certifi's, which would be added to what the context trusts
            return host, attributes

    def get(host: str, root: Any, context: Any) -> str:
        with requests.Session() as session:
            session.trust_env = False
            if stage.own:
                Adapter.context = context
                session.mount("https://", Adapter())
                return session.get(f"https://{host}:{port}/", timeout=20).text
            return session.get(f"https://{host}:{port}/", timeout=20, verify=str(root)).text

    with http_server(stage) as port:
        with stage.proven(clients=1, servers=1):
            assert get(RIGHT, stage.root, stage.client()) == "hello"
        for host, root, context, why in troubles(stage):
            refused(
                lambda h=host, r=root, c=context: get(h, r, c),
                requests.exceptions.SSLError,
                because=why,
            )


def troubles(stage: Stage) -> Any:
    """Host, trusted file, the same as a context, and what has to be said."""
    return [
        (WRONG, stage.root, stage.client(), WRONG_HOST),
        (RIGHT, stage.stranger_root, stage.distrusting(), UNKNOWN_CA),
    ]


def urllib3(stage: Stage) -> None:
    """`ssl_context=`, and without it `ca_certs=` through injection."""
    import urllib3

    def get(host: str, root: Any, context: Any) -> bytes:
        settings: dict[str, Any] = (
            {"ssl_context": context} if stage.own else {"ca_certs": str(root)}
        )
        with urllib3.PoolManager(retries=False, timeout=20, **settings) as pool:
            data: bytes = pool.request("GET", f"https://{host}:{port}/").data
            return data

    with http_server(stage) as port:
        with stage.proven(clients=1, servers=1):
            assert get(RIGHT, stage.root, stage.client()) == b"hello"
        for host, root, context, why in troubles(stage):
            refused(
                lambda h=host, r=root, c=context: get(h, r, c),
                urllib3.exceptions.SSLError,
                because=why,
            )


def urllib3_tls_in_tls(stage: Stage) -> None:
    """Through an HTTPS proxy: the second handshake goes over memory, inside of the first."""
    import urllib3

    def get(host: str, outer: Any, inner: Any) -> bytes:
        url = f"https://localhost:{proxy}"
        with urllib3.ProxyManager(
            url, proxy_ssl_context=outer, ssl_context=inner, retries=False, timeout=20
        ) as pool:
            data: bytes = pool.request("GET", f"https://{host}:{port}/").data
            return data

    with http_server(stage) as port, connect_proxy(stage) as proxy:
        with stage.proven(clients=2, servers=2):
            assert get(RIGHT, stage.client(), stage.client()) == b"hello"
        for host, _, context, why in troubles(stage):
            refused(
                lambda h=host, c=context: get(h, stage.client(), c),
                urllib3.exceptions.HTTPError,
                because=why,
            )
        refused(
            lambda: get(RIGHT, stage.distrusting(), stage.client()),
            urllib3.exceptions.HTTPError,
            because=UNKNOWN_CA,
        )


def httpx(stage: Stage) -> None:
    """`verify=` a context, synchronous and asynchronous."""
    import httpx

    def get(host: str, context: Any) -> str:
        with httpx.Client(verify=context, trust_env=False, timeout=20) as client:
            return client.get(f"https://{host}:{port}/").text

    async def aget(host: str, context: Any) -> str:
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=20) as client:
            return (await client.get(f"https://{host}:{port}/")).text

    with http_server(stage) as port:
        with stage.proven(clients=2, servers=2):
            assert get(RIGHT, stage.client()) == "hello"
            assert asyncio.run(aget(RIGHT, stage.client())) == "hello"
        for host, _, context, why in troubles(stage):
            refused(lambda h=host, c=context: get(h, c), httpx.ConnectError, because=why)
            refused(
                lambda h=host, c=context: asyncio.run(aget(h, c)), httpx.ConnectError, because=why
            )


def aiohttp_client(stage: Stage) -> None:
    """`ssl=` of each request."""
    import aiohttp

    async def get(host: str, context: Any) -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://{host}:{port}/", ssl=context) as answer,
        ):
            return await answer.text()

    with http_server(stage) as port:
        with stage.proven(clients=1, servers=1):
            assert asyncio.run(get(RIGHT, stage.client())) == "hello"
        for host, _, context, why in troubles(stage):
            refused(
                lambda h=host, c=context: asyncio.run(get(h, c)),
                aiohttp.ClientConnectorCertificateError,
                because=why,
            )


def tornado_client(stage: Stage) -> None:
    """`ssl_options=` of a request; the context's `wrap_socket` gets a non-blocking socket."""
    from tornado.httpclient import AsyncHTTPClient

    async def get(host: str, context: Any) -> bytes:
        client = AsyncHTTPClient(force_instance=True)
        try:
            body: bytes = (
                await client.fetch(
                    f"https://{host}:{port}/", ssl_options=context, request_timeout=20
                )
            ).body
            return body
        finally:
            client.close()

    with http_server(stage) as port:
        with stage.proven(clients=1, servers=1):
            assert asyncio.run(get(RIGHT, stage.client())) == b"hello"
        for host, _, context, why in troubles(stage):
            refused(
                lambda h=host, c=context: asyncio.run(get(h, c)),
                stage.ssl.SSLCertVerificationError,
                because=why,
            )


def asyncpg(stage: Stage) -> None:
    """`ssl=` of `connect`; the server says that the connection is encrypted."""
    import asyncpg

    port = stage.port("postgres")

    async def ask(host: str, context: Any) -> Any:
        connection = await asyncpg.connect(
            host=host, port=port, user="tlskit", database="tlskit", ssl=context, timeout=20
        )
        try:
            return await connection.fetchval(
                "select version from pg_stat_ssl where pid = pg_backend_pid() and ssl"
            )
        finally:
            await connection.close()

    with stage.proven(clients=1):
        assert asyncio.run(ask(RIGHT, stage.client())) == "TLSv1.3"
    for host, _, context, why in troubles(stage):
        refused(
            lambda h=host, c=context: asyncio.run(ask(h, c)),
            stage.ssl.SSLCertVerificationError,
            because=why,
        )


def redis_client(stage: Stage) -> None:
    """`ssl=True` and `ssl_ca_certs=` through injection; its way to a context of one's own is a
    connection class.
    """
    import redis

    port = stage.port("redis")

    class Connection(redis.connection.SSLConnection):
        context: Any = None

        def _wrap_socket_with_ssl(self, sock: Any) -> Any:
            return self.context.wrap_socket(sock, server_hostname=self.host)

    def ping(host: str, root: Any, context: Any) -> bool:
        if stage.own:
            Connection.context = context
            pool = redis.ConnectionPool(
                connection_class=Connection, host=host, port=port, socket_timeout=20
            )
            with redis.Redis(connection_pool=pool, retry=None) as client:
                return bool(client.ping())
        with redis.Redis(
            host=host, port=port, ssl=True, ssl_ca_certs=str(root), socket_timeout=20, retry=None
        ) as client:
            return bool(client.ping())

    with stage.proven(clients=1):
        assert ping(RIGHT, stage.root, stage.client())
    for host, root, context, why in troubles(stage):
        refused(
            lambda h=host, r=root, c=context: ping(h, r, c),
            redis.exceptions.ConnectionError,
            because=why,
        )


def redis_asyncio(stage: Stage) -> None:
    """Through injection alone: it has no argument for a context."""
    import redis.asyncio

    if stage.own:
        raise Skipped("redis.asyncio takes no context")
    port = stage.port("redis")

    async def ping(host: str, root: Any) -> bool:
        client = redis.asyncio.Redis(
            host=host,
            port=port,
            ssl=True,
            ssl_ca_certs=str(root),
            ssl_check_hostname=True,
            retry=None,
        )
        try:
            return bool(await client.ping())
        finally:
            await client.aclose()

    with stage.proven(clients=1):
        assert asyncio.run(ping(RIGHT, stage.root))
    for host, root, _, why in troubles(stage):
        try:
            asyncio.run(ping(host, root))
        except redis.exceptions.ConnectionError as error:
            check_refusal(error, because=why)
        else:
            raise AssertionError("nothing was raised")


SCENARIOS = {
    "requests": requests,
    "urllib3": urllib3,
    "urllib3, TLS in TLS": urllib3_tls_in_tls,
    "httpx": httpx,
    "aiohttp client": aiohttp_client,
    "tornado client": tornado_client,
    "asyncpg": asyncpg,
    "redis": redis_client,
    "redis.asyncio": redis_asyncio,
}

"""Libraries that are client and server in one: trio, anyio, websockets."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from .stage import NAMES, Stage, check_refusal, listening, refused

RIGHT, WRONG = NAMES
BULK = bytes(range(256)) * 4096  # 1 MiB


def troubles(stage: Stage) -> Any:
    return [
        (WRONG, stage.client(), "IP address mismatch"),
        (RIGHT, stage.distrusting(), "unable to get local issuer certificate"),
    ]


def trio(stage: Stage) -> None:
    """`ssl_context=` of its streams and listeners."""
    import trio

    async def serve(stream: Any) -> None:
        try:
            async for data in stream:
                await stream.send_all(data)
        except trio.BrokenResourceError:  # the clients that did not trust us
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def ask(port: int, host: str, context: Any) -> None:
        stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=context)
        async with stream:
            await stream.do_handshake()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, BULK)
                got = bytearray()
                while len(got) < len(BULK):
                    got += await stream.receive_some(65536)
            assert got == BULK

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_ssl_over_tcp, serve, 0, stage.server())
            port = listeners[0].transport_listener.socket.getsockname()[1]
            with stage.proven(clients=1, servers=1):
                await ask(port, RIGHT, stage.client())
            for host, context, why in troubles(stage):
                try:
                    await ask(port, host, context)
                except trio.BrokenResourceError as error:
                    check_refusal(error, because=why)
                else:
                    raise AssertionError("nothing was raised")
            nursery.cancel_scope.cancel()

    trio.run(main)


def anyio(backend: str) -> Any:
    def scenario(stage: Stage) -> None:
        """`ssl_context=` of `connect_tcp` and of a TLSListener."""
        import anyio
        from anyio.streams.tls import TLSAttribute, TLSListener

        async def serve(stream: Any) -> None:
            async with stream:
                async for data in stream:
                    await stream.send(data)

        async def ask(port: int, host: str, context: Any) -> None:
            async with await anyio.connect_tcp(
                "127.0.0.1", port, tls=True, ssl_context=context, tls_hostname=host
            ) as stream:
                assert stream.extra(TLSAttribute.tls_version) == "TLSv1.3"
                async with anyio.create_task_group() as group:
                    group.start_soon(stream.send, BULK)
                    got = bytearray()
                    while len(got) < len(BULK):
                        got += await stream.receive()
                assert got == BULK

        async def main() -> None:
            tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
            port = tcp.extra(anyio.abc.SocketAttribute.local_port)
            async with (
                TLSListener(tcp, stage.server()) as listener,
                anyio.create_task_group() as group,
            ):
                group.start_soon(listener.serve, serve)
                with stage.proven(clients=1, servers=1):
                    await ask(port, RIGHT, stage.client())
                for host, context, why in troubles(stage):
                    try:
                        await ask(port, host, context)
                    except (stage.ssl.SSLCertVerificationError, anyio.BrokenResourceError) as error:
                        check_refusal(error, because=why)
                    else:
                        raise AssertionError("nothing was raised")
                group.cancel_scope.cancel()

        anyio.run(main, backend=backend)

    return scenario


def websockets_sync(stage: Stage) -> None:
    """`ssl=` of the threaded client and server; one thread receives while another sends, on both
    sides.
    """
    from websockets.sync.client import connect
    from websockets.sync.server import serve

    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    sock = listening()
    port = sock.getsockname()[1]
    with serve(echo, sock=sock, ssl=stage.server()) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            with (
                stage.proven(clients=1, servers=1),
                connect(f"wss://{RIGHT}:{port}/", ssl=stage.client(), proxy=None) as connection,
            ):
                assert isinstance(connection.socket, stage.ssl.SSLSocket)
                messages = [bytes([n % 256]) * (n * 37 % 5000) for n in range(500)]
                sending = threading.Thread(
                    target=lambda: [connection.send(message) for message in messages], daemon=True
                )
                sending.start()
                assert [connection.recv(20) for _ in messages] == messages
                sending.join(20)
                connection.send(BULK[:500_000])
                assert connection.recv(20) == BULK[:500_000]
            for host, context, why in troubles(stage):
                refused(
                    lambda h=host, c=context: connect(f"wss://{h}:{port}/", ssl=c, proxy=None),
                    stage.ssl.SSLCertVerificationError,
                    because=why,
                )
        finally:
            server.shutdown()
            thread.join(20)


def websockets_asyncio(stage: Stage) -> None:
    """`ssl=` of the client and the server of asyncio."""
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        sock = listening()
        port = sock.getsockname()[1]
        async with serve(echo, sock=sock, ssl=stage.server()):
            with stage.proven(clients=1, servers=1):
                async with connect(
                    f"wss://{RIGHT}:{port}/", ssl=stage.client(), proxy=None
                ) as connection:
                    messages = [bytes([n % 256]) * (n * 37 % 5000) for n in range(200)]
                    sending = asyncio.ensure_future(send_all(connection, messages))
                    assert [await connection.recv() for _ in messages] == messages
                    await sending
            for host, context, why in troubles(stage):
                try:
                    await connect(f"wss://{host}:{port}/", ssl=context, proxy=None)
                except stage.ssl.SSLCertVerificationError as error:
                    check_refusal(error, because=why)
                else:
                    raise AssertionError("nothing was raised")

    async def send_all(connection: Any, messages: list[bytes]) -> None:
        for message in messages:
            await connection.send(message)

    asyncio.run(main())


SCENARIOS = {
    "trio": trio,
    "anyio, asyncio": anyio("asyncio"),
    "anyio, trio": anyio("trio"),
    "websockets, sync": websockets_sync,
    "websockets, asyncio": websockets_asyncio,
}

"""A program that uses each public class, for mypy alone: `make types` checks that their types reach
a user. It is never run.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import tlskit as ssl
from tlskit import aio, inject, metrics
from tlskit.stores.store import Entry


def client(address: tuple[str, int], store: ssl.SessionStore) -> bytes:
    context: ssl.SSLContext = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.Options.OP_NO_COMPRESSION
    context.sessions.store = store
    context.sessions.mode |= ssl.SessionCacheMode.CLIENT
    context.sessions.on_new = told
    with context.wrap_socket(
        socket.create_connection(address), server_hostname=address[0], early_data=b"GET /"
    ) as connection:
        early: ssl.EarlyDataStatus | None = connection.early_data_status
        why: ssl.Resumed | ssl.NotOffered | ssl.Refused | None = connection.resumption
        if isinstance(why, ssl.Resumed):
            print(why.age, why.automatic)
        elif why is not None:
            reason: ssl.Reason = why.reason
            print(reason.name, early)
        info: ssl.SessionInfo | None = connection.info
        if info is not None:
            described(info)
        received: bytes = connection.recv(4096)
        return received


def described(info: ssl.SessionInfo) -> None:
    cipher: ssl.CipherInfo | None = info.cipher
    key: ssl.KeyInfo | None = info.private_key
    print(cipher, key)


def told(connection: ssl.SSLSocket | ssl.SSLObject, session: ssl.SSLSession) -> None:
    raw: bytes = session.to_bytes()
    again: ssl.SSLSession = ssl.SSLSession.from_bytes(raw)
    connection.session = again


def server(secret: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("server.pem", "server.key")
    ring: ssl.TicketKeyring = ssl.TicketKeyring.fleet(secret)
    context.tickets.keyring = ring
    tickets: ssl.TicketStats = ring.stats()
    sessions: ssl.SessionStats = context.sessions.stats()
    print(tickets, sessions.hits, metrics.snapshot(context))
    return context


def in_memory(context: ssl.SSLContext, session: ssl.SSLSession | None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection: ssl.SSLObject = context.wrap_bio(
        incoming, outgoing, server_hostname="example.org", session=session
    )
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    except ssl.SSLCertVerificationError as error:
        print(error.verify_code)
    except ssl.SSLError as error:
        print(error.reason)
    return b""


def overloads(connection: ssl.SSLSocket | ssl.SSLObject, context: ssl.SSLContext) -> None:
    """What a call returns depends on its arguments."""
    room = bytearray(16)
    data: bytes = connection.read(16)
    count: int = connection.read(16, room)
    fields: dict[str, Any] | None = connection.getpeercert()
    der: bytes | None = connection.getpeercert(True)
    authorities: list[dict[str, Any]] = context.get_ca_certs()
    ders: list[bytes] = context.get_ca_certs(binary_form=True)
    bits: int = context.get_ciphers()[0]["strength_bits"]
    print(data, count, fields, der, authorities, ders, bits)


def verification(connection: ssl.SSLSocket, context: ssl.SSLContext) -> None:
    """Who judges a peer, and what is shown to it."""

    def each(connection: ssl.SSLSocket | ssl.SSLObject, check: ssl.CertificateCheck) -> bool | None:
        return check.depth == 0 or None

    def choose(connection: Any, request: ssl.CertificateRequest) -> ssl.CertifiedKey | None:
        print(request.signature_algorithm_names, request.authorities)
        return ssl.CertifiedKey("client.pem")

    async def judge(connection: Any, chain: tuple[bytes, ...]) -> None: ...

    context.verify_each = each
    context.verify_callback = judge
    context.certificate_callback = choose
    context.verify_accepts = ["CERT_HAS_EXPIRED"]
    context.verify_errors = "report"
    context.verify_names = ["a.example"]
    context.verify_time = 0.0
    result: ssl.VerifyResult | None = connection.verify_result
    request: ssl.CertificateRequest | None = connection.certificate_request
    data: dict[str, Any] | None = connection.peer_certificate_data
    print(result, request, data)


async def listening(context: ssl.SSLContext) -> int:
    """What listens is asyncio's."""

    def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server: asyncio.Server = await aio.start_server(echo, "127.0.0.1", 0, ssl=context)
    port: int = server.sockets[0].getsockname()[1]
    return port


def one_of_a_queue(entry: ssl.ErrorEntry) -> str:
    return f"{entry.library}: {entry.text}"


def stores(own: ssl.SessionStore, secret: bytes) -> list[ssl.SessionStore]:
    memory = ssl.MemoryStore()
    entries: list[Entry] = list(memory.entries())
    print(entries)
    return [
        memory,
        ssl.SQLiteStore("sessions.db", secret=secret),
        ssl.SealedStore(own, secret=secret),
    ]


def whole_process() -> None:
    inject.inject_into_ssl()
    inject.extract_from_ssl()

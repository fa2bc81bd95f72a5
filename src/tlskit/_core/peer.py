"""Peer: the part of a Connection that knows more of the other side."""

from __future__ import annotations

from typing import Any

from .native import ffi, lib, listed

Name = tuple[tuple[tuple[str, str], ...], ...]


class Peer:
    """Questions about the peer. None of them waits."""

    __slots__ = ()

    _conn: Any

    def ca_names(self) -> list[Name]:
        """A client: the authorities that the server names. Corresponds to
        SSL_get0_peer_CA_list(3).
        """
        names: list[list[list[tuple[str, str]]]] = []
        kind = ""
        for tag, body in listed(lambda out: lib.tk_conn_ca_names(self._conn, out)):
            if tag == lib.TK_NAME_BEGIN:
                names.append([])
            elif tag == lib.TK_NAME_RDN:
                names[-1].append([])
            elif tag == lib.TK_NAME_KEY:
                kind = body.decode()
            else:
                names[-1][-1].append((kind, body.decode("utf-8", "replace")))
        return [tuple(tuple(rdn) for rdn in name) for name in names]

    def round_trip(self) -> int | None:
        """The handshake's round trip in microseconds, or None. Corresponds to
        SSL_get_handshake_rtt(3).
        """
        time: int = lib.tk_conn_round_trip(self._conn)
        return None if time < 0 else time

    def parted(self) -> bool:
        """Whether the peer has sent close_notify, and not merely ended the transport."""
        return bool(lib.tk_conn_parted(self._conn))

    def alerts(self) -> tuple[int, int]:
        """The fatal alerts that were sent and received; -1: none."""
        facts = ffi.new("tk_conn_facts *")
        lib.tk_conn_facts_of(self._conn, facts)
        return facts.alert_sent, facts.alert_received

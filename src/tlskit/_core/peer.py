"""The part of a Connection with further queries about the peer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import unpack

from .credential import Credential
from .fault import from_queue
from .native import ffi, lib, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Name = tuple[tuple[tuple[str, str], ...], ...]


class Peer:
    """Queries about the peer. None of them waits."""

    __slots__ = ()

    _conn: Any

    def ca_names(self) -> list[Name]:
        """Return the authorities that the server names to a client. Corresponds to
        SSL_get0_peer_CA_list(3).
        """
        return _names(listed(lambda out: lib.tk_conn_ca_names(self._conn, out)))

    def requested(self) -> tuple[list[Name], tuple[int, ...], tuple[int, ...]] | None:
        """Return what the peer accepts as this side's certificate: authorities, signature
        algorithms and types of certificates; None if it has not asked. Corresponds to
        SSL_get0_peer_CA_list(3), SSL_get_sigalgs(3) and SSL_get0_certificate_types(3).
        """
        found = list(listed(lambda out: lib.tk_conn_request(self._conn, out)))
        if not found or found[0][0] != lib.TK_REQUEST_ASKED:
            return None
        bodies = dict(found)
        algorithms = bodies.get(lib.TK_REQUEST_SIGALGS, b"")
        names = _names((tag, body) for tag, body in found if tag < lib.TK_REQUEST_ASKED)
        numbers = unpack(f">{len(algorithms) // 2}H", algorithms)
        return names, numbers, tuple(bodies.get(lib.TK_REQUEST_TYPES, b""))

    def show(self, credentials: Sequence[Credential]) -> None:
        """Send these, in the pause CERTIFICATE. Corresponds to SSL_use_cert_and_key(3)."""
        fault, handles = ffi.new("tk_fault *"), [one._credential for one in credentials]
        pointers = ffi.new("tk_credential *[]", handles)
        if lib.tk_conn_show(self._conn, pointers, len(handles), fault) < 0:
            from .diagnosis import explain_loading

            raise explain_loading(from_queue(fault), fault)

    def round_trip(self) -> int | None:
        """Return the handshake's round trip in microseconds, or None. Corresponds to
        SSL_get_handshake_rtt(3).
        """
        time: int = lib.tk_conn_round_trip(self._conn)
        return None if time < 0 else time

    def times(self) -> dict[str, float] | None:
        """Return how many seconds ago each step of the handshake happened; None if this was not
        recorded. Steps that did not happen are left out.
        """
        out = ffi.new("tk_times *")
        if not lib.tk_conn_times(self._conn, out):
            return None
        names = ("started", "hello", "first_flight", "verified", "finished")
        return {name: (out.now - at) / 1e9 for name in names if (at := getattr(out, name))}

    def state(self) -> str:
        """Return libssl's text for the state of the handshake. Corresponds to
        SSL_state_string_long(3).
        """
        found: str = ffi.string(lib.tk_conn_state(self._conn)).decode("ascii", "replace")
        return found

    def parted(self) -> bool:
        """Return whether the peer has sent close_notify, rather than just ended the transport."""
        return bool(lib.tk_conn_parted(self._conn))

    def alerts(self) -> tuple[int, int]:
        """Return the fatal alerts that were sent and received; -1 for none."""
        facts = ffi.new("tk_conn_facts *")
        lib.tk_conn_facts_of(self._conn, facts)
        return facts.alert_sent, facts.alert_received


def _names(entries: Iterable[tuple[int, bytes]]) -> list[Name]:
    names: list[list[list[tuple[str, str]]]] = []
    kind = ""
    for tag, body in entries:
        if tag == lib.TK_NAME_BEGIN:
            names.append([])
        elif tag == lib.TK_NAME_RDN:
            names[-1].append([])
        elif tag == lib.TK_NAME_KEY:
            kind = body.decode()
        else:
            names[-1][-1].append((kind, body.decode("utf-8", "replace")))
    return [tuple(tuple(rdn) for rdn in name) for name in names]

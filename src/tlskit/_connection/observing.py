"""Facts about a connection beyond what was negotiated: the verdict on the peer, the authorities
that a server accepts, alerts, counters, and which side has closed.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from _tlsbind import CONST

from .._core.fault import alert_of, verify_text
from .._core.verifying import error_name
from .._lazy import LateName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any
else:
    from .._frozen import dataclass
if TYPE_CHECKING:
    from .channel import Channel
    from .requests import CertificateRequest
else:
    CertificateRequest = LateName("tlskit", "CertificateRequest")
    Channel = LateName("tlskit._connection.channel", "Channel")
    Any = LateName("typing", "Any")

Name = tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class VerifyResult:
    """The verdict on a peer's certificate. It is true if the certificate passed.

    Attributes:
        code: OpenSSL's `X509_V_` number; 0 for success.
        message: OpenSSL's description of it.
        checked: whether there was a certificate to verify, in this handshake or in the one that
            made the session.
        depth: the position in the chain of the certificate with the error, 0 for the peer's own;
            None without an error, or if it is not known.
    """

    code: int
    message: str
    checked: bool
    depth: int | None = None

    @property
    def name(self) -> str:
        """OpenSSL's name for the error, such as "CERT_HAS_EXPIRED"; "OK" without one."""
        return error_name(self.code)

    def __bool__(self) -> bool:
        return self.checked and self.code == 0


@dataclass(frozen=True)
class HandshakeTimeline:
    """When each stage of a handshake was reached, as readings of `time.monotonic()` in seconds;
    None for a stage that was not reached, or that this kind of handshake does not have.

    Attributes:
        started: the handshake began; on a server, with the client's first bytes.
        hello: a server had read the ClientHello, before any callback ran.
        first_flight: this side had sent its first flight: a client its ClientHello, a server
            everything that it sends before the client answers.
        verified: the peer's certificate had passed OpenSSL's verification.
        finished: the handshake was complete.
        round_trip: the seconds that the peer took to answer; None before OpenSSL 3.2.
    """

    started: float | None
    hello: float | None
    first_flight: float | None
    verified: float | None
    finished: float | None
    round_trip: float | None

    @property
    def duration(self) -> float | None:
        """Seconds from the start to the end of the handshake; None before the end."""
        if self.started is None or self.finished is None:
            return None
        return self.finished - self.started


class Observing:
    """Properties of SSLSocket and SSLObject. None of them blocks, and any thread may ask."""

    _sslobj: Channel | None
    _open_channel: Callable[[], Channel]
    _waiting_time: Callable[[], float | None]

    @property
    def verify_result(self) -> VerifyResult | None:
        """The verdict on the peer's certificate, even if verification is off; None before the
        handshake is complete.

        With CERT_NONE, a client's handshake continues even if verification fails; the result is
        here. The same is true with `verify_errors = "report"`, and if `verify_each` has accepted an
        error. The name is checked only with `check_hostname`. Corresponds to
        SSL_get_verify_result(3).
        """
        channel = self._sslobj
        info = None if channel is None else channel.info
        if channel is None or info is None:
            return None
        checked = info.peer_certificate is not None
        facts = channel.facts()
        code = facts.verify_code if info.verify_code is None else info.verify_code
        known = code and code == facts.verify_code and facts.verify_depth >= 0
        return VerifyResult(code, verify_text(code), checked, facts.verify_depth if known else None)

    @property
    def peer_certificate_data(self) -> dict[str, Any] | None:
        """The fields of the peer's certificate, verified or not, in the form of `getpeercert()`,
        with the verdict under "verified", "verify_code" and "verify_message". None if the peer
        sent no certificate, or the handshake is not complete.

        Also `info.peer_certificate_data`.
        """
        info = None if self._sslobj is None else self._sslobj.info
        return None if info is None else info.peer_certificate_data

    @property
    def client_ca_names(self) -> tuple[Name, ...]:
        """On a client, the authorities whose client certificates the server accepts, each as
        `getpeercert()` shows an issuer; empty if it named none or did not ask.

        Corresponds to SSL_get0_peer_CA_list(3).
        """
        return () if self._sslobj is None else tuple(self._sslobj.ca_names())

    @property
    def certificate_request(self) -> CertificateRequest | None:
        """What the peer requires of this side's certificate. On a client, this is what the server
        asked for, or None if it did not ask; on a server, what the client can verify.

        Corresponds to SSL_get0_peer_CA_list(3), SSL_get_sigalgs(3) and
        SSL_get0_certificate_types(3).
        """
        return None if self._sslobj is None else self._sslobj.certificate_request()

    @property
    def alert_sent(self) -> Any:
        """The fatal alert that this side sent, with its RFC name in `.name`, or None."""
        return None if self._sslobj is None else alert_of(self._sslobj.alerts()[0])

    @property
    def alert_received(self) -> Any:
        """The fatal alert that the peer sent, with its RFC name in `.name`, or None."""
        return None if self._sslobj is None else alert_of(self._sslobj.alerts()[1])

    @property
    def bytes_sent(self) -> int:
        """How many bytes were sent on the wire, including the handshake."""
        return 0 if self._sslobj is None else self._sslobj.facts().bytes_written

    @property
    def bytes_received(self) -> int:
        """How many bytes were received from the wire, including the handshake."""
        return 0 if self._sslobj is None else self._sslobj.facts().bytes_read

    @property
    def handshake_round_trip(self) -> float | None:
        """How long the peer took to answer in the handshake, in seconds; None where that is not
        known: before the handshake, on a TLS 1.2 resumption, and with an OpenSSL before 3.2.

        Corresponds to SSL_get_handshake_rtt(3).
        """
        microseconds = None if self._sslobj is None else self._sslobj.round_trip()
        return None if microseconds is None else microseconds / 1e6

    @property
    def handshake_timeline(self) -> HandshakeTimeline | None:
        """When each stage of the handshake was reached; None unless the context sets
        `record_timeline`. After a renegotiation it still describes the first handshake.
        """
        for _ in range(10):  # a busy machine may stop this thread between the two clocks
            before = monotonic()
            ago = None if self._sslobj is None else self._sslobj.times()
            now = monotonic()
            if now - before < 0.001:
                break
        if ago is None:
            return None
        names = ("started", "hello", "first_flight", "verified", "finished")
        times = {name: now - ago[name] if name in ago else None for name in names}
        return HandshakeTimeline(**times, round_trip=self.handshake_round_trip)

    @property
    def handshake_state(self) -> str | None:
        """OpenSSL's description of where the handshake is, for example "SSL negotiation finished
        successfully"; None if there is no TLS connection. Corresponds to SSL_state_string_long(3).
        """
        return None if self._sslobj is None else self._sslobj.state()

    def close_notify(self) -> None:
        """Send close_notify: this side will send no more, but can still read.

        This is a half-close, like `shutdown(SHUT_WR)` on a plain socket. With TLS 1.2, most peers
        reply with their own close_notify at once. The call waits for room in the socket, but never
        for the peer's reply. A second call does nothing. Corresponds to SSL_shutdown(3).

        Raises:
            SSLWantWriteError: the socket is non-blocking and full: call it again.
            ValueError: there is no TLS connection.
        """
        self._open_channel().close_notify(self._waiting_time())

    @property
    def close_notify_sent(self) -> bool:
        """Whether this side has sent close_notify. Corresponds to SSL_get_shutdown(3)."""
        sent: int = CONST.SSL_SENT_SHUTDOWN
        return self._sslobj is not None and bool(self._sslobj.facts().shutdown & sent)

    @property
    def close_notify_received(self) -> bool:
        """Whether the peer has sent close_notify. An end of the transport does not count: an
        attacker on the network can cause one.
        """
        return self._sslobj is not None and self._sslobj.parted()

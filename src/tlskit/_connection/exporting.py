"""Channel bindings and exported keys, which bind other protocols to a TLS connection."""

from __future__ import annotations

from .._core.certificate import Certificate
from .._lazy import LateName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._annotations import ChannelBinding
    from .channel import Channel
else:
    ChannelBinding = LateName("tlskit._annotations", "ChannelBinding")
    Channel = LateName("tlskit._connection.channel", "Channel")


_LABEL = b"EXPORTER-Channel-Binding"  # RFC 9266, 2
_SIZE = 32
_LONGEST = 65535  # bytes; RFC 8446, 7.5 has a length of 16 bits, and TLS 1.2 none


class Exporting:
    """Methods of SSLSocket and SSLObject. None of them blocks, and any thread may call them."""

    _sslobj: Channel | None

    def channel_binding(self, kind: ChannelBinding) -> bytes:
        """Return channel binding data, which binds an authentication to this connection (SCRAM).

        Both ends get the same bytes, also on a resumed connection. Unlike `get_channel_binding`,
        this refuses a binding that is insecure or undefined for this connection.

        Args:
            kind: "tls-exporter" (RFC 9266), which is preferred; "tls-server-end-point" (RFC 5929,
                4), a digest of the server's certificate, which PostgreSQL and LDAP servers use; or
                "tls-unique" (RFC 5929, 3), for TLS 1.2 and older.

        Raises:
            ValueError: there is no TLS connection yet, the kind is unknown, or this connection does
                not have that kind; the message says why.
        """
        channel = self._channel_for_export()
        try:
            make = _KINDS[kind]
        except KeyError:
            raise ValueError(
                f"channel binding must be {', '.join(map(repr, _KINDS))}, got {kind!r}"
            ) from None
        return make(channel)

    @property
    def channel_binding_types(self) -> tuple[str, ...]:
        """The kinds of channel binding that this connection has, in order of preference."""
        found = []
        for kind, make in _KINDS.items():
            try:
                make(self._channel_for_export())
            except ValueError:
                continue
            found.append(kind)
        return tuple(found)

    def export_keying_material(
        self, label: str | bytes, length: int, context: bytes | None = None
    ) -> bytes:
        """Return secret bytes that only the two ends of this connection can compute (RFC 5705).

        Args:
            label: names the use, either registered at IANA or your own: "EXPERIMENTAL-...".
            length: the number of bytes, 1 to 65535.
            context: mixed into the result. Up to TLS 1.2, None differs from b"".

        Raises:
            SSLError: OpenSSL refuses the label.
            ValueError: the handshake, or a renegotiation, is not complete; or the length is out of
                range.

        Corresponds to SSL_export_keying_material(3).
        """
        if not 0 < length <= _LONGEST:
            raise ValueError(f"length must be between 1 and {_LONGEST}, got {length}")
        named = label.encode() if isinstance(label, str) else bytes(label)
        given = None if context is None else bytes(context)
        return self._channel_for_export().export_keying_material(named, length, given)

    def finished_message(self) -> bytes | None:
        """Return the Finished message that this side sent last; None before it has.

        Corresponds to SSL_get_finished(3).
        """
        return self._sslobj.finished(peer=False) or None if self._sslobj is not None else None

    def peer_finished_message(self) -> bytes | None:
        """Return the Finished message that the peer sent last; None before it has.

        Corresponds to SSL_get_peer_finished(3).
        """
        return self._sslobj.finished(peer=True) or None if self._sslobj is not None else None

    def client_random(self) -> bytes | None:
        """Return the 32 random bytes of the ClientHello, which identify a connection in a key log.

        None before the handshake has begun. Corresponds to SSL_get_client_random(3).
        """
        return self._random(server=False)

    def server_random(self) -> bytes | None:
        """Return the 32 random bytes of the ServerHello; None before it.

        Corresponds to SSL_get_server_random(3).
        """
        return self._random(server=True)

    def _random(self, *, server: bool) -> bytes | None:
        if self._sslobj is None:
            return None
        found = self._sslobj.random(server=server)
        return found if any(found) else None

    def _channel_for_export(self) -> Channel:
        if self._sslobj is None or not self._sslobj.handshake_done:
            raise ValueError("the handshake is not complete yet")
        return self._sslobj


def _exporter(channel: Channel) -> bytes:
    facts = channel.facts()
    if facts.version_name != "TLSv1.3" and facts.extended_master_secret != 1:
        raise ValueError(
            "tls-exporter needs TLS 1.3, or the extended master secret (RFC 9266, 3), and this "
            f"{facts.version_name} connection was made without it"
        )
    return channel.export_keying_material(_LABEL, _SIZE, b"")


def _end_point(channel: Channel) -> bytes:
    if channel.server_side:
        der = _own_certificate(channel)
    else:
        peer = channel.peer()
        der = None if peer is None else peer.der
    if der is None:
        raise ValueError("tls-server-end-point needs a server certificate, and none was sent")
    digest = Certificate.from_der(der).end_point
    if digest is None:
        raise ValueError(
            "tls-server-end-point is not defined for a certificate that was signed without a "
            "separate digest, as Ed25519, Ed448 and ML-DSA do (RFC 5929, 4.1): use tls-exporter"
        )
    return digest


def _own_certificate(channel: Channel) -> bytes | None:
    """The server's certificate, in a resumption from the handshake that made the session."""
    info = channel.info if channel.session_reused else None
    if info is not None and info.certificate_chain:
        return info.certificate_chain[0]
    return channel.own_certificate()


def _unique(channel: Channel) -> bytes:
    facts = channel.facts()
    if facts.version_name == "TLSv1.3":
        raise ValueError("tls-unique is not defined for TLS 1.3 (RFC 9266): use tls-exporter")
    if facts.reused and facts.extended_master_secret != 1:
        raise ValueError(
            "tls-unique is not unique on a connection that was resumed without the extended master "
            "secret (RFC 7627, 5.4)"
        )
    found = channel.get_channel_binding("tls-unique")
    if found is None:
        raise ValueError("there is no Finished message yet")
    return found


_KINDS = {"tls-exporter": _exporter, "tls-server-end-point": _end_point, "tls-unique": _unique}

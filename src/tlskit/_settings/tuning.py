"""Sizes of records, fragments and messages, and the switches that OpenSSL calls modes."""

from __future__ import annotations

from .._shown import shown
from .._state import Settings
from .._state.table import FRAGMENTS
from .arguments import whole_number

_RECORD = 16384  # bytes of plaintext, the most that a record holds
_CERTIFICATES = 100 * 1024  # bytes, OpenSSL's own bound


class TuningSettings:
    """Sizes and switches. Safe from any thread."""

    _settings: Settings

    def _now(self, name: str, default: int) -> int:
        value: int | None = self._settings[name]
        return default if value is None else value

    @property
    def fallback_scsv(self) -> bool:
        """Whether a client tells the server that it is retrying with a lower version
        (TLS_FALLBACK_SCSV, RFC 7507). Off by default.

        Set it together with a lower `maximum_version` after a handshake with a higher one has
        failed. A server that supports the higher version then refuses with INAPPROPRIATE_FALLBACK,
        so that an attacker cannot force a downgrade. Corresponds to SSL_MODE_SEND_FALLBACK_SCSV of
        SSL_CTX_set_mode(3).
        """
        return bool(self._now("fallback_scsv", False))

    @fallback_scsv.setter
    def fallback_scsv(self, value: bool) -> None:
        self._settings.change(fallback_scsv=bool(value))

    @property
    def release_buffers(self) -> bool:
        """Whether idle connections release their buffers, about 34 KiB each. On by default, as in
        the stdlib. Corresponds to SSL_MODE_RELEASE_BUFFERS of SSL_CTX_set_mode(3).
        """
        return bool(self._now("release_buffers", True))

    @release_buffers.setter
    def release_buffers(self, value: bool) -> None:
        self._settings.change(release_buffers=bool(value))

    @property
    def auto_chain(self) -> bool:
        """Whether an own certificate without a chain is sent with the issuers found among the
        trusted certificates. On by default, as in the stdlib. Corresponds to SSL_MODE_NO_AUTO_CHAIN
        of SSL_CTX_set_mode(3).
        """
        return bool(self._now("auto_chain", True))

    @auto_chain.setter
    def auto_chain(self, value: bool) -> None:
        self._settings.change(auto_chain=bool(value))

    @property
    def dh_auto(self) -> bool:
        """Whether a server chooses parameters for finite-field Diffie-Hellman automatically,
        according to the strength of its key. Off by default; parameters from `load_dh_params` take
        precedence. Corresponds to SSL_CTX_set_dh_auto(3).
        """
        return bool(self._now("dh_auto", False))

    @dh_auto.setter
    def dh_auto(self, value: bool) -> None:
        self._settings.change(dh_auto=bool(value))

    @property
    def max_fragment_length(self) -> int:
        """The largest number of plaintext bytes per record that a client asks for (RFC 6066, 4):
        512, 1024, 2048 or 4096; 0, the default, means that it does not ask.

        The negotiated value is `info.max_fragment_length`. Sessions made under another value are
        not resumed. Corresponds to SSL_CTX_set_tlsext_max_fragment_length(3).

        Raises (when it is set):
            ValueError: any other number.
        """
        return int(self._now("max_fragment_length", 0))

    @max_fragment_length.setter
    def max_fragment_length(self, value: int) -> None:
        if value not in FRAGMENTS:
            raise ValueError(
                f"max_fragment_length must be 0, 512, 1024, 2048 or 4096, got {shown(value)}"
            )
        self._settings.change(max_fragment_length=int(value))

    @property
    def max_send_fragment(self) -> int:
        """The largest number of plaintext bytes that this side puts into a record: 512 to 16384,
        which is the default. Corresponds to SSL_CTX_set_max_send_fragment(3).

        Raises (when it is set):
            TypeError, ValueError: not an integer, or out of range.
        """
        return int(self._now("max_send_fragment", _RECORD))

    @max_send_fragment.setter
    def max_send_fragment(self, value: int) -> None:
        number = whole_number(value, "max_send_fragment", _RECORD, 512)
        self._settings.change(max_send_fragment=number)

    @property
    def block_padding(self) -> int:
        """The block size in bytes to which TLS 1.3 records are padded, so that their length reveals
        less: 2 to 16384. 0, the default, and 1 mean no padding.

        Corresponds to SSL_CTX_set_block_padding(3).

        Raises (when it is set):
            TypeError, ValueError: not an integer, or out of range.
        """
        return int(self._now("block_padding", 0))

    @block_padding.setter
    def block_padding(self, value: int) -> None:
        number = whole_number(value, "block_padding", _RECORD)
        self._settings.change(block_padding=number if number > 1 else 0)

    @property
    def max_cert_list(self) -> int:
        """The largest size in bytes of a peer's certificates; 102400 by default, which a few
        servers exceed. A longer chain fails the handshake. Corresponds to
        SSL_CTX_set_max_cert_list(3).

        Raises (when it is set):
            TypeError, ValueError: not an integer between 1 and 16777215, the largest size of a
                message.
        """
        return int(self._now("max_cert_list", _CERTIFICATES))

    @max_cert_list.setter
    def max_cert_list(self, value: int) -> None:
        number = whole_number(value, "max_cert_list", 2**24 - 1, 1)
        self._settings.change(max_cert_list=number)

    @property
    def suppress_ragged_eofs(self) -> bool:
        """Whether sockets made with `suppress_ragged_eofs=True`, which is the default there as in
        the stdlib, treat an end without close_notify as an ordinary end.

        If set to False, such an end raises SSLEOFError on every SSLSocket of this context, even on
        those that libraries make, and ends every connection of `tlskit.aio` with SSLEOFError. An
        attacker on the network can cut a connection, and then data that does not state its own
        length is truncated unnoticed. An SSLObject raises in any case; afterwards, see
        `close_notify_received`. OP_IGNORE_UNEXPECTED_EOF, which some distributions set, makes every
        end an ordinary one and overrides this.
        """
        return bool(self._settings["suppress_ragged_eofs"])

    @suppress_ragged_eofs.setter
    def suppress_ragged_eofs(self, value: bool) -> None:
        self._settings.change(suppress_ragged_eofs=bool(value))

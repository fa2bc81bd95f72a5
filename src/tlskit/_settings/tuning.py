"""How records, fragments and messages are cut, and what else OpenSSL calls modes."""

from __future__ import annotations

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
        """Whether a client tells the server that it tries again with a lower version
        (TLS_FALLBACK_SCSV, RFC 7507). Off by default.

        Set it together with a lower `maximum_version`, after a handshake with a higher one has
        failed: a server that speaks the higher version then refuses with INAPPROPRIATE_FALLBACK, so
        that nobody between the two can force the lower one on them. Corresponds to
        SSL_MODE_SEND_FALLBACK_SCSV of SSL_CTX_set_mode(3).
        """
        return bool(self._now("fallback_scsv", False))

    @fallback_scsv.setter
    def fallback_scsv(self, value: bool) -> None:
        self._settings.change(fallback_scsv=bool(value))

    @property
    def release_buffers(self) -> bool:
        """Whether idle connections give their buffers back, about 34 KiB each. On by default, as in
        the stdlib. Corresponds to SSL_MODE_RELEASE_BUFFERS of SSL_CTX_set_mode(3).
        """
        return bool(self._now("release_buffers", True))

    @release_buffers.setter
    def release_buffers(self, value: bool) -> None:
        self._settings.change(release_buffers=bool(value))

    @property
    def auto_chain(self) -> bool:
        """Whether a certificate that came without a chain is sent with the issuers that are found
        among the trusted certificates. On by default, as in the stdlib. Corresponds to
        SSL_MODE_NO_AUTO_CHAIN of SSL_CTX_set_mode(3).
        """
        return bool(self._now("auto_chain", True))

    @auto_chain.setter
    def auto_chain(self, value: bool) -> None:
        self._settings.change(auto_chain=bool(value))

    @property
    def dh_auto(self) -> bool:
        """Whether a server chooses parameters for finite-field Diffie-Hellman by itself, by the
        strength of its key. Off by default; `load_dh_params` goes before. Corresponds to
        SSL_CTX_set_dh_auto(3).
        """
        return bool(self._now("dh_auto", False))

    @dh_auto.setter
    def dh_auto(self, value: bool) -> None:
        self._settings.change(dh_auto=bool(value))

    @property
    def max_fragment_length(self) -> int:
        """How many bytes of plaintext a client asks the server to put into a record at most: 512,
        1024, 2048 or 4096; 0, the default: it does not ask (RFC 6066, 4).

        What was agreed on is `info.max_fragment_length`. Sessions that were made under another
        value are not resumed. Corresponds to SSL_CTX_set_tlsext_max_fragment_length(3).

        Raises (when it is set):
            ValueError: it is another number.
        """
        return int(self._now("max_fragment_length", 0))

    @max_fragment_length.setter
    def max_fragment_length(self, value: int) -> None:
        if value not in FRAGMENTS:
            raise ValueError(
                f"max_fragment_length must be 0, 512, 1024, 2048 or 4096, got {value!r}"
            )
        self._settings.change(max_fragment_length=int(value))

    @property
    def max_send_fragment(self) -> int:
        """How many bytes of plaintext this side puts into a record at most: 512 to 16384, the
        default. Corresponds to SSL_CTX_set_max_send_fragment(3).

        Raises (when it is set):
            TypeError, ValueError: it is not a whole number, or out of these bounds.
        """
        return int(self._now("max_send_fragment", _RECORD))

    @max_send_fragment.setter
    def max_send_fragment(self, value: int) -> None:
        number = whole_number(value, "max_send_fragment", _RECORD, 512)
        self._settings.change(max_send_fragment=number)

    @property
    def block_padding(self) -> int:
        """To a multiple of how many bytes TLS 1.3 records are padded, so that their length says
        less of what is in them: 2 to 16384; 0, the default: they are not.

        Corresponds to SSL_CTX_set_block_padding(3).

        Raises (when it is set):
            TypeError, ValueError: it is not a whole number, or out of these bounds.
        """
        return int(self._now("block_padding", 0))

    @block_padding.setter
    def block_padding(self, value: int) -> None:
        number = whole_number(value, "block_padding", _RECORD)
        self._settings.change(block_padding=number if number > 1 else 0)

    @property
    def max_cert_list(self) -> int:
        """How many bytes the certificates of a peer may take; 102400 by default, which a few
        servers exceed. A longer chain fails the handshake. Corresponds to
        SSL_CTX_set_max_cert_list(3).

        Raises (when it is set):
            TypeError, ValueError: it is not a whole number between 1 and 16777215, the most that a
                message holds.
        """
        return int(self._now("max_cert_list", _CERTIFICATES))

    @max_cert_list.setter
    def max_cert_list(self, value: int) -> None:
        number = whole_number(value, "max_cert_list", 2**24 - 1, 1)
        self._settings.change(max_cert_list=number)

    @property
    def suppress_ragged_eofs(self) -> bool:
        """Whether an end without close_notify may be read as an ordinary end by sockets that are
        made with `suppress_ragged_eofs=True`, which is the default there, as in the stdlib.

        Set it to False to have such an end raise SSLEOFError on every SSLSocket of this context,
        also on those that libraries make: anybody on the way can cut a connection, and data that
        does not say how long it is has lost its end then. An SSLObject raises in any case, and
        `close_notify_received` tells afterwards. OP_IGNORE_UNEXPECTED_EOF, which some
        distributions set, makes every end an ordinary one and goes before this.
        """
        return bool(self._settings["suppress_ragged_eofs"])

    @suppress_ragged_eofs.setter
    def suppress_ragged_eofs(self, value: bool) -> None:
        self._settings.change(suppress_ragged_eofs=bool(value))

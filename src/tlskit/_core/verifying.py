"""The parts of a Context and of a Connection for verifying a peer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .names import in_certificates, packed_address
from .native import CONST, lib, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFUSED, AS_IT_IS, ACCEPTED = (
    lib.TK_VERIFY_REFUSED, lib.TK_VERIFY_AS_IT_IS, lib.TK_VERIFY_ACCEPTED,
)  # fmt: skip

_PREFIX = "X509_V_ERR_"
#: OpenSSL's names of verification errors, by their numbers.
ERRORS: dict[int, str] = {
    code: name.removeprefix(_PREFIX)
    for name, code in vars(CONST).items()
    if name.startswith(_PREFIX)
}


def error_name(code: int) -> str:
    """Return OpenSSL's name of an `X509_V_` number, such as "CERT_HAS_EXPIRED"; "OK" for 0."""
    return "OK" if code == 0 else ERRORS.get(code, str(code))


def purpose_number(name: str) -> int | None:
    """Return OpenSSL's number of a purpose by its short name; None if unknown. Corresponds to
    X509_PURPOSE_get_by_sname(3).
    """
    number: int = lib.tk_purpose(name.encode())
    return None if number < 0 else number


class ContextVerifying:
    """How a context verifies its peers, besides libssl's own settings."""

    __slots__ = ()

    _ctx: Any
    _switch: Callable[[int, bool], None]

    def set_verify_purpose(self, name: str | None) -> None:
        """Set the purpose of a peer's certificate; None for the one that its role requires.
        Corresponds to X509_VERIFY_PARAM_set_purpose(3).
        """
        number = 0 if name is None else purpose_number(name)
        lib.tk_ctx_set_verify_purpose(self._ctx, number or 0)

    def set_verify_time(self, seconds: int | None) -> None:
        """Verify as of this time, in seconds since 1970; None for now. Corresponds to
        X509_VERIFY_PARAM_set_time(3).
        """
        lib.tk_ctx_set_verify_time(self._ctx, seconds or 0, seconds is not None)

    def set_verify_names(self, names: Iterable[str]) -> None:
        """Require that a peer's certificate matches one of these names or addresses."""
        joined = b"".join(map(_wanted, names))
        if not lib.tk_ctx_set_verify_names(self._ctx, joined, len(joined)):
            raise MemoryError("there was no memory for the names of a context")

    def set_verify_report(self, on: bool) -> None:
        """Let a handshake continue when verification fails, and only report the failure."""
        lib.tk_ctx_set_verify_report(self._ctx, on)

    def set_pins(self, digests: tuple[bytes, ...]) -> None:
        """Require that a verified chain contains one of these keys or certificates."""
        joined = b"".join(digests)
        if not lib.tk_ctx_set_pins(self._ctx, joined, len(joined)):
            raise MemoryError("there was no memory for the pins of a context")

    def want_verify(self, on: bool, *, later: bool) -> None:
        """Set whether connections pass verified chains to Python; with `later`, those of clients
        pause for the answer. Corresponds to SSL_CTX_set_cert_verify_callback(3) and
        SSL_set_retry_verify(3).
        """
        self._switch(lib.TK_HOOK_VERIFY, on)
        self._switch(lib.TK_HOOK_VERIFY_LATER, on and later)

    def want_certificate(self, on: bool) -> None:
        """Set whether connections pause to ask which certificate to send. Corresponds to
        SSL_CTX_set_cert_cb(3).
        """
        self._switch(lib.TK_HOOK_CERTIFICATE, on)

    def want_verify_each(self, on: bool) -> None:
        """Set whether connections pass each certificate of a chain to Python. Corresponds to
        SSL_CTX_set_verify(3).
        """
        self._switch(lib.TK_HOOK_VERIFY_EACH, on)


class ConnectionVerifying:
    """The methods of a connection that are called while its peer is verified."""

    __slots__ = ()

    hostname: str | None
    _conn: Any

    def chain_to_judge(self) -> tuple[bytes, ...]:
        """Return, in the pause VERIFY, the chain that has passed."""
        return tuple(der for _, der in listed(lambda out: lib.tk_conn_judged(self._conn, out)))

    @property
    def expected_name(self) -> str | None:
        """Return the name that the peer's certificate is compared with, for messages."""
        return self.hostname

    @property
    def callback_refused(self) -> bool:
        """Return whether a callback refused a certificate without raising."""
        return False


def _wanted(name: str) -> bytes:
    packed = packed_address(name)
    kind, body = (
        (lib.TK_VERIFY_HOST, in_certificates(name).encode("ascii"))
        if packed is None
        else (lib.TK_VERIFY_IP, packed)
    )
    return bytes([kind, len(body)]) + body

"""What a Context requires of the negotiation, and counts of the results."""

from __future__ import annotations

from struct import pack
from sys import byteorder

from .native import lib, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KINDS = {
    lib.TK_SEEN_GROUP: "group", lib.TK_SEEN_SIGNATURE: "signature", lib.TK_SEEN_OTHER: "other",
}  # fmt: skip


#: Groups with a part that no quantum computer is known to break, by their names in TLS.
POST_QUANTUM = (
    "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "curveSM2MLKEM768", "MLKEM512",
    "MLKEM768", "MLKEM1024",
)  # fmt: skip


class Negotiation:
    """The part of a Context that deals with groups.

    Attributes:
        wanted_groups: groups, one of which is required; empty if none is, or none is available.
    """

    __slots__ = ("_ctx", "_named", "_post_quantum", "wanted_groups")

    _ctx: Any
    _named: tuple[str, ...]
    _post_quantum: bool
    wanted_groups: tuple[str, ...]

    def require_groups(self, names: tuple[str, ...]) -> None:
        """Require that the key exchange uses one of these groups; empty for any."""
        self._named = names
        self._require()

    def require_post_quantum(self, on: bool) -> None:
        """Require that it also uses one of POST_QUANTUM."""
        self._post_quantum = on
        self._require()

    def _require(self) -> None:
        names = self._named or (POST_QUANTUM if self._post_quantum else ())
        demanded = bool(names)
        if self._post_quantum:
            names = tuple(name for name in names if name in POST_QUANTUM)
        self.wanted_groups = names
        joined = b"".join(name.encode() + b":" for name in names)
        if not lib.tk_ctx_require_groups(self._ctx, demanded, joined, len(joined)):
            raise MemoryError("there was no memory for the groups that a context requires")

    def set_id_prefix(self, prefix: bytes) -> None:
        """Set the prefix of a server's session ids; the rest is random. Corresponds to
        SSL_CTX_set_generate_session_id(3).
        """
        lib.tk_ctx_set_id_prefix(self._ctx, prefix, len(prefix))

    def want_staple(self, *, wanted: bool, required: bool) -> None:
        """Set what a client requests of its servers. Corresponds to
        SSL_set_tlsext_status_type(3).
        """
        lib.tk_ctx_want_staple(self._ctx, wanted, required)

    def set_staples(self, staples: tuple[tuple[bytes, int, bytes], ...]) -> None:
        """Set a server's responses: the SHA-256 of a certificate, when the response for it expires,
        and the response. Corresponds to SSL_set_tlsext_status_ocsp_resp(3).
        """
        joined = b"".join(
            digest + pack("=qI", until, len(response)) + response
            for digest, until, response in staples
        )
        if not lib.tk_ctx_set_staples(self._ctx, joined, len(joined)):
            raise MemoryError("there was no memory for the OCSP responses of a context")

    def negotiated(self) -> dict[str, dict[str, int]]:
        """Return how often each group and each signature algorithm of a server was negotiated."""
        found: dict[str, dict[str, int]] = {kind: {} for kind in _KINDS.values()}
        rows = list(listed(lambda out: lib.tk_ctx_seen(self._ctx, out)))
        for (kind, name), (_, count) in zip(rows[::2], rows[1::2], strict=True):
            found[_KINDS[kind]][name.decode()] = int.from_bytes(count, byteorder)
        return found

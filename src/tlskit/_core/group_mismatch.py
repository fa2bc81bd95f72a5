"""The message for a complete handshake in a group that the context does not allow."""

from __future__ import annotations

from .facts import Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
else:
    Protocol = object

#: Groups that TLS 1.2 also has.
_BEFORE = {
    "secp256r1", "secp384r1", "secp521r1", "x25519", "x448", "brainpoolP256r1",
    "brainpoolP384r1", "brainpoolP512r1",
}  # fmt: skip


class Negotiated(Protocol):
    """What is asked of a connection whose handshake is complete."""

    _context: Any
    _others: Any

    @property
    def encrypts_hello(self) -> bool: ...
    def ech(self) -> Any: ...
    def facts(self) -> Facts: ...


def group_mismatch(connection: Negotiated) -> tuple[str, str]:
    """Return what was negotiated and what is required, and what to do about it."""
    if connection.encrypts_hello and connection.ech()[0] == "rejected":
        return "the server did not accept the encrypted ClientHello", ""
    facts = connection.facts()
    peer = "client" if facts.server else "server"
    contexts = (connection._context, *connection._others)
    wanted = next((c.wanted_groups for c in contexts if c.wanted_groups), ())
    if facts.group is None:
        how = "without a key exchange in a group"
    elif facts.group.lower() in (name.lower() for name in wanted):
        how = f"from a session, without a key exchange of its own in {facts.group}"
    else:
        how = f"in the group {facts.group}"
    said = f"the handshake was made {how}; this context requires {', '.join(wanted) or 'no group'}"
    hint = (
        f"Have the {peer}'s operator enable one of these groups, or change require_group or "
        f"require_pq of this context."
    )
    if facts.version_name != "TLSv1.3" and not _BEFORE.intersection(wanted):
        hint = f"These groups need TLS 1.3, and the {peer} agreed on {facts.version_name}. {hint}"
    return said, hint

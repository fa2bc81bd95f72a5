"""The envelope: a session and everything that belongs to it as bytes, for a store or a file.

    magic     8 bytes
    version   2 bytes, 1 so far
    size      4 bytes, of the records
    records   DER of the session, binding, state, notes of the handshake: see records.py
    digest   32 bytes, SHA-256 of everything before it

The digest detects accidental damage: a flipped bit, a truncation. It does not protect against
anyone who can write these bytes, and so the digest too; stores outside the process therefore
encrypt and authenticate their values.
"""

from __future__ import annotations

from .._core.notes import Notes
from .._core.session import Session
from .._digest import sha256
from ..errors import SSLError
from . import records
from .binding import Binding
from .records import OPTIONAL, Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from .._frozen import NamedTuple

_MAGIC = b"\x93tlskit\n"
_VERSION = 1
_HEAD = len(_MAGIC) + 6
_DIGEST = 32

_DER, _BINDING, _STATE = 1, 2, 3
_PORT = OPTIONAL | 80  # behind the notes
_SOUND = 1  # of _STATE: it may be offered


class Contents(NamedTuple):
    """What is in an envelope.

    Attributes:
        core: the session itself.
        binding: what it is bound to; None if not known.
        sound: whether it may be offered.
        port: the TCP port of the server that made it; None if not known.
    """

    core: Session
    binding: Binding | None
    sound: bool
    port: int | None = None

    def __repr__(self) -> str:
        return f"<Contents of an envelope, {'' if self.sound else 'not '}sound>"


def encode(contents: Contents, notes: Notes) -> bytes:
    """Write a session and the notes of the handshake that made it, **including its secret**."""
    core, binding, sound, port = contents
    withdrawn = bool(core.id or core.has_ticket) and not core.is_resumable  # DER does not say so
    must = [(_DER, core.der()), (_STATE, bytes([_SOUND if sound and not withdrawn else 0]))]
    if binding is not None:
        name = binding.hostname
        must.append((_BINDING, binding.policy + (b"" if name is None else b"=" + name.encode())))
    known = [] if port is None else [(_PORT, port.to_bytes(2, "big"))]
    body = records.write(must) + records.write_notes(notes) + records.write(known)
    if len(body) > records.MOST:
        raise ValueError(
            f"a session with its certificates may take at most {records.MOST} bytes, got "
            f"{len(body)}"
        )
    data = _MAGIC + _VERSION.to_bytes(2, "big") + len(body).to_bytes(4, "big") + body
    return data + sha256(data).digest()


def decode(data: bytes) -> Contents:
    """Read what `encode` wrote, in this version or an earlier one.

    Raises:
        SSLError: `data` is not an envelope, is incomplete, or is from a later version.
    """
    body = _opened(data)
    try:
        found = dict(records.read(body))
        unknown = [tag for tag in found if tag > _STATE and not tag & OPTIONAL]
        if unknown or _DER not in found or len(found.get(_STATE, b"")) != 1:
            raise Malformed(
                "a required record is missing, or there is an unknown one that is not optional"
            )
        records.read_notes(found)  # checks them now rather than at their first use
        notes = records.write([(tag, content) for tag, content in found.items() if tag & OPTIONAL])
        core = Session.from_der(found[_DER])
        binding = _binding(found[_BINDING]) if _BINDING in found else None
    except (Malformed, SSLError) as error:
        raise unreadable(
            "these bytes look like a session that tlskit wrote, but their content is not valid"
        ) from error
    if notes:
        core.set_notes(notes)
    port = int.from_bytes(found.get(_PORT, b"")[:2], "big") or None
    return Contents(core, binding, bool(found[_STATE][0] & _SOUND), port)


def _opened(data: bytes) -> bytes:
    """The records in an envelope."""
    if data[: len(_MAGIC)] != _MAGIC or len(data) < _HEAD + _DIGEST:
        raise unreadable("these bytes are not a session that tlskit wrote")
    version = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 2], "big")
    if version > _VERSION:
        raise unreadable(
            f"this session has format {version}, of a later version of tlskit; this one reads "
            f"format {_VERSION}"
        )
    size = int.from_bytes(data[len(_MAGIC) + 2 : _HEAD], "big")
    if size > records.MOST or version < 1 or len(data) != _HEAD + size + _DIGEST:
        raise unreadable("these bytes are a session that tlskit wrote, but cut short or extended")
    if sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise unreadable("this session was damaged after tlskit wrote it")
    return data[_HEAD:-_DIGEST]


def _binding(body: bytes) -> Binding:
    policy, mark, name = body[:32], body[32:33], body[33:]
    if len(policy) != 32 or mark not in (b"", b"=") or len(name) > 1024:
        raise Malformed("the binding of a session is not valid")
    try:
        return Binding(name.decode("ascii") if mark else None, policy)
    except UnicodeDecodeError as error:
        raise Malformed("the name that a session is bound to is not valid") from error


def unreadable(sentence: str) -> SSLError:
    """Return an SSLError that does not come from OpenSSL."""
    error = SSLError(1, sentence)
    error.library = error.reason = None  # type: ignore[assignment]
    return error

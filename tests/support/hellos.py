"""ClientHellos, built from their fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: What Chrome sends, in its order, as published with the fingerprints that belong to it.
SUITES = (
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C,
    0x009D, 0x002F, 0x0035,
)  # fmt: skip
SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)


def vector(head: int, data: bytes) -> bytes:
    """Bytes with their length before them."""
    return len(data).to_bytes(head, "big") + data


def two(numbers: Iterable[int]) -> bytes:
    """Numbers of two bytes."""
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def name(host: bytes) -> bytes:
    """The extension server_name."""
    return vector(2, b"\0" + vector(2, host))


def protocols(*names: bytes) -> bytes:
    """The extension of ALPN."""
    return vector(2, b"".join(vector(1, one) for one in names))


#: A public key of X25519 (the base point: RFC 7748, 4.1).
KEY = b"\x09" + bytes(31)

#: Bytes for the extensions that are decoded, by their numbers; all others are empty.
BODIES = {
    0: name(b"example.org"),
    10: vector(2, two((4588, 29, 23, 24))),
    11: vector(1, b"\0"),
    13: vector(2, two(SIGNATURES)),
    16: protocols(b"h2", b"http/1.1"),
    43: vector(1, two((0x0304, 0x0303))),
    45: vector(1, b"\1"),
    51: vector(2, two((29,)) + vector(2, KEY)),
}


def hello(
    *,
    version: int = 0x0303,
    random: bytes = bytes(range(32)),
    session_id: bytes = b"",
    suites: Sequence[int] = SUITES,
    compression: bytes = b"\0",
    extensions: Sequence[int | tuple[int, bytes]] | None = (),
) -> bytes:
    """A handshake message; an extension is a number, with the bytes of `BODIES`, or one with bytes
    of its own. None: not even an empty list.
    """
    body = two((version,)) + random + vector(1, session_id) + vector(2, two(suites))
    body += vector(1, compression)
    if extensions is not None:
        listed = b""
        for one in extensions:
            number, data = (one, BODIES.get(one, b"")) if isinstance(one, int) else one
            listed += two((number,)) + vector(2, data)
        body += vector(2, listed)
    return b"\1" + vector(3, body)


def records(message: bytes, size: int = 16384) -> bytes:
    """The message in records of so many bytes."""
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\3\1" + vector(2, part) for part in parts)

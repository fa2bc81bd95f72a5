"""OpenSSL's data on its cipher suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .native import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from .._frozen import NamedTuple


class CipherFacts(NamedTuple):
    """OpenSSL's data on one cipher suite."""

    id: int
    bits: int
    algorithm_bits: int
    aead: bool
    name: str
    protocol: str
    description: str
    symmetric: str | None
    digest: str | None
    key_exchange: str | None
    authentication: str | None
    handshake_digest: str | None
    standard_name: str | None


def cipher_facts(fill: Callable[[Any], object]) -> Iterator[CipherFacts]:
    """Parse the output of tk_ctx_ciphers and tk_session_cipher."""
    suites: list[tuple[memoryview, dict[int, str]]] = []
    for tag, body in listed(fill):
        if tag == 0:
            suites.append((memoryview(body).cast("I"), {}))
        else:
            suites[-1][1][tag] = body.decode()
    for numbers, text in suites:
        number, bits, algorithm_bits, aead = numbers
        names = (text.get(i) for i in range(4, 10))
        yield CipherFacts(
            number,
            bits,
            algorithm_bits,
            bool(aead),
            text[1],
            text[2],
            text[3].removesuffix("\n"),
            *names,
        )

"""Doing the same thing with the stdlib's `ssl` and with tlskit, and putting what came of it side by
side.
"""

from __future__ import annotations

import ssl as stdlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import tlskit

from ..support.pypy import PYPY

MODULES = (stdlib, tlskit)

#: For what depends on the OpenSSL beneath: the lists of suites, the reasons of errors, the default
#: options.
same_openssl = pytest.mark.skipif(
    stdlib.OPENSSL_VERSION != tlskit.OPENSSL_VERSION, reason="the stdlib has another OpenSSL"
)

#: For what a distribution may have built into its interpreter: default cipher suites, and protocol
#: versions of its own.
same_defaults = pytest.mark.skipif(
    stdlib._DEFAULT_CIPHERS != tlskit._DEFAULT_CIPHERS,
    reason="the stdlib was built with other defaults",
)


def _knows_shared_ciphers() -> bool:
    context = stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER)
    fresh = context.wrap_bio(stdlib.MemoryBIO(), stdlib.MemoryBIO(), server_side=True)
    return fresh.shared_ciphers() is None


#: Whether the stdlib's `shared_ciphers` looks at what the client offers. Before Python 3.10.11 and
#: 3.11.3 it returns the end's own suites, on clients and before the handshake as well (gh-96931).
#: tlskit never does.
knows_shared_ciphers = _knows_shared_ciphers()


class Outcome(NamedTuple):
    """What a call came to."""

    raised: type[BaseException] | None
    value: Any
    warned: tuple[tuple[type[Warning], str], ...]


def outcome(work: Callable[[], Any]) -> Outcome:
    """Do it: the value, or the exception's class (and for an SSLError its library and reason), and
    the warnings.
    """
    raised, value = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = work()
        except stdlib.SSLError as error:
            raised = type(error)
            if stdlib.OPENSSL_VERSION == tlskit.OPENSSL_VERSION:
                value = getattr(error, "library", None), getattr(error, "reason", None)
        except Exception as error:
            raised = type(error)
    return Outcome(
        raised,
        value,
        tuple((w.category, str(w.message)) for w in caught if w.category is not ResourceWarning),
    )


def compared(work: Callable[[ModuleType], Any]) -> Outcome:
    """The outcome with tlskit, which has to be the stdlib's."""
    theirs, ours = (outcome(lambda module=module: work(module)) for module in MODULES)
    assert agree(theirs, ours), f"\nthe stdlib: {theirs}\ntlskit:     {ours}"
    return ours


def agree(theirs: Outcome, ours: Outcome) -> bool:
    """Whether the outcomes are equal.

    tlskit answers as CPython's ssl does on PyPy too, whose own is another program, in Python. There
    it is enough that both refuse, or that tlskit is the stricter one; and what PyPy's lacks is not
    compared.
    """
    if not PYPY:
        return ours == theirs
    if ours.raised is not None:
        return theirs.raised is not None or issubclass(ours.raised, STRICTER)
    return theirs.raised is AttributeError or ours == theirs


#: What CPython's argument parsing raises, where PyPy's ssl takes what came.
STRICTER = (TypeError, ValueError, OverflowError, BufferError)


def suites(context: Any) -> list[dict[str, Any]]:
    """What `get_ciphers` tells; of PyPy's, whose other keys hold C pointers, the plain facts."""
    found = context.get_ciphers()
    if not PYPY:
        return found
    kept = ("id", "name", "protocol", "strength_bits", "alg_bits", "aead")
    return [{key: row[key] for key in kept} for row in found]


def quiet(work: Callable[[], Any]) -> Any:
    """Do it without its deprecation warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return work()

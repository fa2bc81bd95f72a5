"""Assertions for the store contract, without a test framework."""

from __future__ import annotations

from collections.abc import Callable


def expect(holds: bool, sentence: str) -> None:
    """Assert, also under `python -O`."""
    if not holds:
        raise AssertionError(sentence)


def same(got: object, wanted: object, where: str) -> None:
    """Assert that both are equal and of the same type."""

    def shown(value: object) -> str:
        return (
            f"{len(value)} bytes, {value[:20]!r}..."
            if isinstance(value, bytes) and len(value) > 20
            else repr(value)
        )

    expect(
        type(got) is type(wanted) and got == wanted,
        f"{where} gave {shown(got)} instead of {shown(wanted)}",
    )


def raises(kind: type[Exception], call: Callable[[], object], what: str) -> None:
    """Assert that the call raises an exception of this kind."""
    try:
        call()
    except kind:
        return
    except Exception as error:
        raise AssertionError(
            f"{what} raised {type(error).__name__} instead of {kind.__name__}: {error}"
        ) from error
    raise AssertionError(f"{what} did not raise {kind.__name__}")

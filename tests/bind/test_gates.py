"""Each call into C is counted once, for forks to wait for: at the border, or within."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINDING = ROOT / "src" / "_tlsbind"
sys.path.insert(0, str(BINDING))
from decl import gates  # noqa: E402  (build-only, beside the package)

#: They hand a function that counts itself to libssl, which calls it within an operation.
HAND_OVER = {
    "tk_ctx_new", "tk_ctx_next", "tk_ctx_free", "tk_ctx_set_alpn", "tk_ctx_set_keylog",
    "tk_ctx_set_hooks", "tk_ctx_set_id_prefix", "tk_init",
}  # fmt: skip

_FUNCTION = re.compile(
    r"^[a-zA-Z][^;{}\n#]*?\b(\w+)\([^;{}]*\)\s*\{(?:([^\n]*)\}\n|(.*?)^\})", re.M | re.S
)


def without_comments(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)


def border() -> str:
    headers = sorted((BINDING / "csrc").glob("tk_api*.h"))
    return "\n".join(path.read_text(encoding="utf-8") for path in headers)


def functions(folder: str = "csrc") -> Iterator[tuple[str, str, str]]:
    """The file, the name and the body of each function in C."""
    for path in sorted((BINDING / folder).glob("*.[ch]")):
        for name, short, long in _FUNCTION.findall(without_comments(path)):
            yield path.name, name, short or long


@pytest.fixture(scope="module")
def counts() -> set[str]:
    """The names of functions that count themselves, or call one that does."""
    bodies = {(file, name): body for file, name, body in functions()}
    own = {(file, name) for (file, name), body in bodies.items() if "tk_fork_enter" in body}
    while True:
        called = {name for _, name in own}
        more = {
            (file, name)
            for (file, name), body in bodies.items()
            if any(
                (word in called) and (word.startswith("tk_") or (file, word) in own)
                for word in re.findall(r"\b[a-z]\w+\b", body)
            )
        }
        if more <= own:
            return called
        own |= more


DECLARED = gates.declared(border())


def test_the_border_is_found() -> None:
    assert len(DECLARED) > 150
    assert {name for _, name, _ in DECLARED} >= {"tk_init", "tk_conn_read", "tk_ring_rotate"}


@pytest.mark.parametrize("name", [name for _, name, _ in DECLARED])
def test_is_counted_once(name: str, counts: set[str]) -> None:
    if name in HAND_OVER:
        assert name in counts
    elif name.startswith(gates.NEVER) or name in ("tk_mem_new", "tk_mem_look", "tk_mem_front"):
        assert name not in counts
    else:
        assert gates.is_gated(name) is not (name in counts)


def test_source() -> None:
    text = gates.table("int tk_one(tk_ctx *c, int n); /* x */ void tk_two(void);")
    assert "result = tk_one(c, n);" in text
    assert "tk_fork_enter(c);" in text
    assert "#define tk_two tk_gated_two" in text


@pytest.mark.parametrize("text", ["int tk_f(int);", "int (*tk_f)(void);"])
def test_source_of_what_is_not_understood(text: str) -> None:
    with pytest.raises(ValueError, match=r"border|without a name"):
        gates.table(text)


def test_names_that_count_themselves_get_no_gate() -> None:
    assert gates.table("int tk_conn_read(tk_conn *c);") == '#include "tk_fork.h"\n'


_LOCKS = re.compile(r"\btk_conn_(?:un)?lock(?:_outside)?\(c\);")
#: They read what does not change, and take no lock.
_HARMLESS = re.compile(r"\b(?:SSL_SESSION_get\w+|SSL_CIPHER_\w+|OPENSSL_\w+|ERR_\w+)\(")


def test_what_counts_itself_calls_libssl_while_it_is_counted() -> None:
    """Before its lock is taken, and behind it, a fork would not wait for it."""
    outside = []
    for file, name, body in functions():
        if name.startswith("tk_conn_") and (parts := list(_LOCKS.finditer(body))):
            apart = body[: parts[0].start()] + body[parts[-1].end() :]
            calls = re.findall(r"\b(?:SSL|X509|EVP|BIO|CRYPTO|sk|i2d|d2i)_\w+\(", apart)
            outside += [(file, name, call) for call in calls if not _HARMLESS.fullmatch(call)]
    assert not outside


def test_what_is_called_without_cffi_is_counted_there() -> None:
    """Nothing stands between the methods of direct/ and the functions that cffi has gates for."""
    gated = {name for _, name, _ in DECLARED if gates.is_gated(name)} - {"tk_stage_plain"}
    called = [
        (file, name, "tk_fork_enter" in body and "tk_fork_leave" in body)
        for file, name, body in functions("direct")
        if gated.intersection(re.findall(r"\btk_\w+(?=\()", body))
    ]
    assert called
    assert all(counted for _, _, counted in called), called

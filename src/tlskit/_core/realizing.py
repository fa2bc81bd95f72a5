"""What a fork needs of cffi without the GIL. It is imported there alone: see library.py."""

from __future__ import annotations

from .._forks import Forked, watch
from .native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Every type that `_core` names to cffi; tests/test_architecture.py compares.
_TYPES = (
    "char[]",
    "int32_t *",
    "int64_t *",
    "size_t[]",
    "tk_conn *",
    "tk_conn_facts *",
    "tk_credential **",
    "tk_credential *[]",
    "tk_credential_facts *",
    "tk_ech *",
    "tk_explain *",
    "tk_fault *",
    "tk_file_state *",
    "tk_mem *",
    "tk_policy *",
    "tk_progress *",
    "tk_records *",
    "tk_ring_stats *",
    "tk_server_name *",
    "tk_session_facts *",
    "tk_session_stats *",
    "tk_source *",
    "tk_times *",
    "uint16_t[512]",
    "uint8_t[32]",
    "uint8_t[80]",
    "uint8_t[]",
    "uintptr_t",
    "unsigned char[]",
)


class Realizing(Forked):
    """Builds every function and type of cffi's at the first fork, which takes milliseconds.

    cffi builds them lazily, and holds a lock of its own meanwhile. Without the GIL, a child can
    find that lock held by a thread that it does not have, and would wait for ever when it uses
    anything for the first time. After this no child needs the lock.
    """

    __slots__ = ("__weakref__", "_done")

    def __init__(self) -> None:
        self._done = False

    def _before_fork(self) -> None:
        if not self._done:
            for name in dir(lib):
                getattr(lib, name)
            for name in _TYPES:
                _realize(ffi.typeof(name))
            self._done = True


def _realize(kind: Any) -> None:
    """Build the fields of a struct, and of what they contain and point to."""
    while kind.kind in ("pointer", "array"):
        kind = kind.item
    try:
        ffi.sizeof(kind)
    except ffi.error:  # opaque: cffi 2.1 ends the process if it is asked for the fields
        return
    if kind.kind == "struct":
        for _, field in kind.fields:
            _realize(field.type)


_realizing = Realizing()
watch(_realizing)

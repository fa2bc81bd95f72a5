"""The memory that this process has."""

from __future__ import annotations

import contextlib
import gc
import os


def resident() -> int:
    """Return this process's resident bytes, after all free memory has been returned.

    Threads allocate from separate arenas, which do not shrink automatically: the allocator is asked
    to return free memory (malloc_trim(3), where it exists).
    """
    gc.collect()
    with contextlib.suppress(AttributeError, ImportError):
        import ctypes  # not at the top: some Pythons are built without it

        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

"""The names of OpenSSL's libraries and reasons, read from the headers that the extension is
compiled with.

At run time OpenSSL returns sentences ("wrong version number"), and the names (WRONG_VERSION_NUMBER)
exist only in its headers; `SSLError.reason` is such a name.
"""

from __future__ import annotations

import re
from pathlib import Path

_LIBRARY = re.compile(r"^\s*#\s*define\s+ERR_LIB_(\w+)\s+(\d+)\s*$", re.MULTILINE)
_REASON = re.compile(r"^\s*#\s*define\s+([A-Z0-9]+)_R_(\w+)\s+(\d+)\s*$", re.MULTILINE)


def table(include: Path) -> str:
    """Return C source of the two tables, from the headers in the directory `include`/openssl."""
    folder = include / "openssl"
    libraries = {name: int(number) for name, number in _LIBRARY.findall(_read(folder / "err.h"))}
    reasons = {
        (libraries[library], int(number)): name
        for header in sorted(folder.glob("*err.h"))
        for library, name, number in _REASON.findall(_read(header))
        if library in libraries
    }
    rows = [
        f'    {{ {number}, 0, "{name}" }},'
        for name, number in libraries.items()
        if name not in ("NONE", "MASK", "OFFSET")
    ]
    body = [
        f'    {{ {library}, {reason}, "{name}" }},'
        for (library, reason), name in sorted(reasons.items())
    ]
    return (
        "const tk_name tk_library_names[] = {\n" + "\n".join(rows) + "\n    { 0, 0, NULL }\n};\n"
        "const tk_name tk_reason_names[] = {\n" + "\n".join(body) + "\n    { 0, 0, NULL }\n};\n"
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

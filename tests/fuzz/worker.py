"""One of our own parsers under atheris: `python -m tests.fuzz.worker TARGET CORPUS [FLAGS]`, with
libFuzzer's flags.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-not-found,unused-ignore]

with atheris.instrument_imports(include=["tlskit"]):
    from .parsers import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

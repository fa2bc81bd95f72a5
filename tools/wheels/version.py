"""Refuse a tag that is not the version of pyproject.toml: python3 tools/wheels/version.py TAG."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def main() -> int:
    found = re.search(r'^version = "(.+)"$', PROJECT.read_text(encoding="utf-8"), re.MULTILINE)
    version = found.group(1) if found else None
    if sys.argv[1] != version:
        print(f"the tag is {sys.argv[1]}, and pyproject.toml says {version}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

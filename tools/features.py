"""Write src/_tlsbind/csrc/tk_features.h, with flags and replacements, from the table in
src/_tlsbind/decl/features.py.

    python tools/features.py           write it
    python tools/features.py --check   only check whether it is up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

BINDING = Path(__file__).resolve().parent.parent / "src" / "_tlsbind"
HEADER = BINDING / "csrc" / "tk_features.h"

sys.path.insert(0, str(BINDING))
from decl import features  # noqa: E402  (build-only text, found by the line above)


def main() -> int:
    wanted = features.header()
    if "--check" not in sys.argv[1:]:
        HEADER.write_text(wanted, encoding="utf-8")
    elif not HEADER.exists() or HEADER.read_text(encoding="utf-8") != wanted:
        print(
            "csrc/tk_features.h is not what decl/features.py says: run `python tools/features.py`",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

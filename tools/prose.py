"""Find phrases that read as if they were translated. `make lint` runs this.

It reads docstrings, comments, messages and documentation. It cannot tell good prose from bad; it
only keeps the worst habits from coming back. Each pattern has the usual English beside it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

#: What to look for, and what to write instead.
PATTERNS = {
    r"(?<!\bthere )\bis no (?!longer\b|more\b|different\b)[a-z]+": "is not a ...",
    r"\bwhoever\b": "anyone who, the caller, the code that",
    r"(?:^|[.:;(] +|\"\"\")who (?:has|can|may|reads|sees|wants)\b": "anyone who has ...",
    r"\b(?:has|have) not (?:the|a|an|any|got)\b": "does not have, lacks",
    r"\banew\b": "again",
    r"\bin the place of\b": "in place of",
    r", and else\b": "otherwise",
    r"\bwhat (?:came|comes|has come|becomes?|became) of\b": "the result of, the fate of",
    r"\b(?:is|are|was|were) told\b(?! to\b)": "learns, is given, is shown",
    r"\b(?:goes|go) by (?:itself|themselves)\b": "happens automatically",
    r"\bas it lies\b": "as it is",
    r"\bwhich see\b": "see ...",
    r"\blies between\b.*\b(?:not|at)\b": "must be between ..., got ...",
    r"\bmanieth\b": "which of",
    r"\bno handshake fails of\b": "this never fails a handshake",
}

_FOUND = [
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), usual)
    for pattern, usual in PATTERNS.items()
]
_TEXT = {".py", ".pyi", ".c", ".h", ".md", ".toml", ".sh", ".yml", ".txt", ""}
_LEFT_OUT = ("tests/", "LICENSE", "tools/prose.py")


def _files() -> list[Path]:
    """Return the project's own text files, without its tests."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    return [
        Path(name)
        for name in listed.splitlines()
        if Path(name).suffix in _TEXT and not name.startswith(_LEFT_OUT)
    ]


def main() -> int:
    """Print each finding with its place. Returns 1 if there are any."""
    findings = 0
    for path in _files():
        text = path.read_text("utf-8")
        for pattern, usual in _FOUND:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                phrase = " ".join(match.group().split())
                print(f"{path}:{line}: {phrase!r}: usual English is {usual!r}")
                findings += 1
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())

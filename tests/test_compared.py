"""The table of docs/compared.md: each row names something of tlskit that is there, in the reference
and tested, or says in a sentence why there is nothing.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import tlskit
from tlskit._settings.sessions import ContextSessions
from tlskit._settings.tickets import ContextTickets

ROOT = Path(__file__).resolve().parents[1]
OWNERS: dict[str, Any] = {
    "ssl": tlskit,
    "ctx": tlskit.SSLContext,
    "sock": tlskit.SSLSocket,
    "sessions": ContextSessions,
    "tickets": ContextTickets,
    "info": tlskit.SessionInfo,
}
COLUMNS = 8
TEXT = (ROOT / "docs" / "compared.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| feature", "| ---"))
]


def functions_of(source: str) -> set[str]:
    """The tests of a module, by their names."""
    return {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def test_there_are_rows():
    assert len(ROWS) > 80
    assert len({row[0] for row in ROWS}) == len(ROWS)
    assert sum("](api/" in row[1] for row in ROWS) > 65


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_has_an_answer(row):
    assert len(row) == COLUMNS
    assert all(row[3:7]), "each of the other libraries has an answer"
    links = re.findall(r"\[`(\w+)\.(\w+)`\]\((api/\w+\.md)\)", row[1])
    if not links:
        assert re.fullmatch(r"No\b.*\.", row[1]), "a sentence why not"
        assert not row[7]
        return
    for owner, name, page in links:
        fields = getattr(OWNERS[owner], "__dataclass_fields__", {})
        assert hasattr(OWNERS[owner], name) or name in fields, name
        assert (ROOT / "docs" / page).exists(), page
    file, _, function = row[7].strip("`").partition("::")
    tested = (ROOT / file).read_text(encoding="utf-8")
    assert function in functions_of(tested), f"{file} has no {function}"
    assert re.search(rf"\b({'|'.join(name for _, name, _ in links)})\b", tested), (
        f"nothing of this row is in {file}"
    )

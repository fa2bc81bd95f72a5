"""docs/sessions.md: what it shows runs, and what it names is there."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import tlskit

from .helpers import KINDS, Link, client_for, server_for

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "sessions.md").read_text(encoding="utf-8")


def section(title):
    """The text under a heading, up to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title!r}"
    return found[1]


@pytest.fixture
def session(pki):
    return Link("memory").earn(client_for(KINDS[3], pki), server_for(KINDS[3], pki))


def test_keeping_it(session):
    blocks = re.findall(r"```python\n(.*?)```", section("Keeping it"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        names = {"ssl": tlskit, "session": session}
        exec(block, names)
        assert names["session"] == session
        assert names["session"] is not session


def test_the_table_of_the_info(session):
    """Every field and property is in it, and all that is in it is there."""
    rows = [line.split("|")[1] for line in section("Everything that was negotiated").splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([\w.]+(?:\(\))?)`", row)}
    of_the_session = {name.removeprefix("session.").removesuffix("()") for name in named if name.startswith("session.")}
    assert of_the_session == {"ticket", "dangerous_master_secret"}
    assert all(hasattr(session, name) for name in of_the_session)
    properties = {name for name, value in vars(tlskit.SessionInfo).items() if isinstance(value, property)}
    there = properties | {field.name for field in dataclasses.fields(tlskit.SessionInfo)}
    assert {name for name in named if "." not in name} == there

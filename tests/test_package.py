"""What the package index shows of tlskit: the metadata of the installed distribution."""

from __future__ import annotations

import re
from importlib.metadata import metadata
from pathlib import Path

import pytest

import tlskit

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = metadata("tlskit")
LINKS = re.findall(r"\]\(([^)]+)\)", PACKAGE.get_payload() or PACKAGE["Description"])
URLS = dict(one.split(", ") for one in PACKAGE.get_all("Project-URL"))


def test_the_description_is_the_readme():
    shown = PACKAGE.get_payload() or PACKAGE["Description"]
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    assert PACKAGE["Description-Content-Type"] == "text/markdown"
    assert re.sub(r"\]\([^)]+\)", "]()", shown) == re.sub(r"\]\([^)]+\)", "]()", written)


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_links_lead_somewhere_from_the_index(link: str):
    """A link into the repository names the tag of this version, and a file and heading there."""
    assert link.startswith("https://")
    here = re.fullmatch(
        rf"{re.escape(URLS['Source'])}/(blob|raw)/{re.escape(tlskit.__version__)}/([^#]+)(?:#(.+))?",
        link,
    )
    if here is None:
        return
    kind, name, heading = here.groups()
    assert (ROOT / name).is_file()
    assert (kind == "raw") == name.endswith(".svg")
    if heading is not None:
        titles = re.findall(r"^#+ (.+)$", (ROOT / name).read_text("utf-8"), re.MULTILINE)
        assert heading in [title.lower().replace(" ", "-") for title in titles]


def test_some_links_lead_into_the_repository():
    assert sum("/blob/" in link for link in LINKS) > 20
    assert [link for link in LINKS if "/raw/" in link]

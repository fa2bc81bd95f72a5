"""The API reference in docs/api leaves nothing public out, and names nothing that is not there."""

from __future__ import annotations

import inspect
import re
import ssl
from pathlib import Path

import tlskit

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs" / "api").glob("*.md"))
NAMED = {
    name
    for page in PAGES
    for name in re.findall(
        r"^\.\. auto(?:class|function|module):: ([\w.]+)$", page.read_text(), re.MULTILINE
    )
}
#: What tlskit gives as the stdlib has it is in the stdlib's documentation.
BEYOND = {
    name
    for name in tlskit.__all__
    if (inspect.isclass(getattr(tlskit, name)) or inspect.isfunction(getattr(tlskit, name)))
    and getattr(tlskit, name) is not getattr(ssl, name, None)
}
KEPT_FOR_OLD_PROGRAMS = {"RAND_pseudo_bytes", "match_hostname", "wrap_socket"}


def found(dotted):
    """What this name stands for."""
    here = tlskit
    for part in dotted.split(".")[1:]:
        here = getattr(here, part)
    return here


def test_there_is_a_reference():
    assert len(PAGES) >= 7
    assert len(BEYOND) >= 20


def test_each_public_name_is_in_the_reference():
    assert (
        BEYOND - KEPT_FOR_OLD_PROGRAMS - {name.removeprefix("tlskit.") for name in NAMED} == set()
    )


def test_each_name_of_the_reference_is_there():
    __import__("tlskit._settings.watcher")
    __import__("tlskit.metrics")
    __import__("tlskit.stores.contract")
    assert all(found(name) is not None for name in NAMED)


def test_each_page_can_be_reached():
    index = (PAGES[0].parents[1] / "index.md").read_text()
    for page in [*PAGES, *PAGES[0].parents[1].glob("*.md")]:
        name = page.relative_to(PAGES[0].parents[1]).with_suffix("").as_posix()
        assert name == "index" or re.search(rf"^{name}$", index, re.MULTILINE), f"{name} in no list"

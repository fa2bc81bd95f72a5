"""A chain of three certificates, made once for each file of tests."""

from __future__ import annotations

import pytest

from ..support.certificates import Made, authority, issue


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return authority(tmp_path_factory.mktemp("root"), "Example Root")


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory, root: Made) -> Made:
    return authority(tmp_path_factory.mktemp("middle"), "Middle CA", issuer=root)


@pytest.fixture(scope="module")
def leaf(tmp_path_factory: pytest.TempPathFactory, middle: Made) -> Made:
    return issue(tmp_path_factory.mktemp("leaf"), "leaf", issuer=middle)

"""A chain of three certificates, made once for each file of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..support.certificates import Made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Made:
    from ..support.certificates import authority  # late: where cryptography is not, other tests run

    return authority(tmp_path_factory.mktemp("root"), "Example Root")


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory, root: Made) -> Made:
    from ..support.certificates import authority

    return authority(tmp_path_factory.mktemp("middle"), "Middle CA", issuer=root)


@pytest.fixture(scope="module")
def leaf(tmp_path_factory: pytest.TempPathFactory, middle: Made) -> Made:
    from ..support.certificates import issue

    return issue(tmp_path_factory.mktemp("leaf"), "leaf", issuer=middle)

"""Every parser on its seeds, whole, cut, and with bytes changed: a few hundred inputs each, without
a fuzzer. `make fuzz` goes on from there.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from . import native, parsers


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    return parsers.seeds(tmp_path_factory.mktemp("seeds"))


def variants(data: bytes, rng: random.Random, count: int) -> list[bytes]:
    made = [data, b"", data[: len(data) // 2], data + b"\0", data * 2]
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 8])):
            at = rng.randrange(len(changed))
            changed[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        if rng.random() < 0.3:
            at = rng.randrange(len(changed))
            del changed[at : at + rng.randrange(9)]
        made.append(bytes(changed))
    return made


@pytest.mark.parametrize("target", parsers.TARGETS)
def test_parser_raises_only_what_it_documents(target: str, seeds: dict[str, list[bytes]]) -> None:
    rng = random.Random(target)
    for data in seeds[target]:
        for variant in variants(data, rng, 20 if target == "rows" else 200):
            parsers.TARGETS[target](variant)


@pytest.mark.slow
def test_harness_in_c_builds_and_takes_its_seeds(tmp_path: Path) -> None:
    if not native.available():
        pytest.skip("needs clang with libFuzzer")
    harness = native.make(tmp_path)
    native.seed(harness, tmp_path / "corpus")
    for target in native.TARGETS:
        status, tried = native.run(harness, tmp_path / "corpus", target, 1, tmp_path)
        assert status == 0
        assert tried > 0

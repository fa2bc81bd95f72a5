"""`make coverage` measures the programs that tests start, too, and some tests demand that such a
program writes nothing to standard error. The configuration has to keep coverage's remarks about
itself out of there. It is tested where coverage is installed: under `make coverage`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .support.processes import bare

coverage = pytest.importorskip("coverage", reason="`make coverage` installs coverage")

CONFIGURATION = Path(__file__).resolve().parents[1] / "pyproject.toml"

PROGRAM = """
import os, sys, warnings

os.environ.update({chosen!r})
sys.modules["coverage.tracer"] = None  # as where it was installed without its part in C
import coverage

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    measuring = coverage.Coverage(config_file={configuration!r}, data_file=None)
    measuring.start()
    import tlskit
    measuring.stop()
lines = sum(len(measuring.get_data().lines(file)) for file in measuring.get_data().measured_files())
print(lines > 100, *[one.message for one in said])
"""


@pytest.mark.parametrize("chosen", [{}, {"COVERAGE_CORE": "sysmon"}], ids=["default", "sysmon"])
def test_a_program_is_measured_in_silence_whatever_it_is_measured_with(
    chosen: dict[str, str],
) -> None:
    program = PROGRAM.format(chosen=chosen, configuration=str(CONFIGURATION))
    assert bare(program).strip() == "True"

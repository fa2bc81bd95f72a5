"""The workflows cannot run here. So every step of theirs is a make target, a script of this
repository or a package's program, and whatever they name exists.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in FILES}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
#: What a step may call that is not of this repository.
PROGRAMS = {"brew", "choco", "git", "sudo", "test"}


class Step(NamedTuple):
    workflow: str
    job: str
    command: str


def jobs(text: str) -> dict[str, str]:
    """The text of each job, by name."""
    parts = re.split(r"^  ([\w-]+):$", text.partition("\njobs:\n")[2], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


JOBS = [(name, job, text) for name, whole in TEXTS.items() for job, text in jobs(whole).items()]
STEPS = [
    Step(name, job, command)
    for name, job, text in JOBS
    for command in re.findall(r"^ +(?:- )?run: (.+)$", text, re.MULTILINE)
]


def targets() -> set[str]:
    names = re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", MAKEFILE, re.MULTILINE)
    return {target for name in names for target in name.split()}


def values(text: str, key: str) -> list[str]:
    """A list of a matrix."""
    listed = re.search(rf"^ +{key}: \[(.+)\]$", text, re.MULTILINE)
    assert listed, key
    return [value.strip(' "') for value in listed[1].split(",")]


def claimed() -> list[str]:
    """The Python versions of the classifiers."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)


def wanting(command: str) -> list[str]:
    """What a command names that is not there."""
    words = command.split()
    if words[0] == "sudo":
        words = [word for word in words[1:] if not word.startswith("--")]
    if words[0] == "make":
        named = [w for w in words[1:] if "=" not in w and not w.startswith(('"$', "-", "--"))]
        return [w for w in named if re.fullmatch(r"[a-z-]+", w) and w not in targets()]
    paths = [w for w in words if re.match(r"(?:\./)?(?:tools|\.github|tests|\.ci)/", w)]
    if not paths and not (words[0] in PROGRAMS or words[:2] == ["python", "-m"]):
        return [] if words[0] == "apt-get" else [command]
    return [path for path in paths if not (ROOT / path).is_file()]


def test_they_are_read_at_all():
    assert {step.workflow for step in STEPS} == set(TEXTS)
    assert len(STEPS) > 30
    assert {"test", "wheel", "wheel-test", "lint-workflows", "test-musl"} <= targets()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.workflow}-{step.job}")
def test_a_step_calls_what_exists(step):
    assert wanting(step.command) == []


def test_what_a_step_gives_make_is_read_there():
    given = {
        name
        for step in STEPS
        if "make" in step.command.split()
        for name in re.findall(r" ([A-Z_]+)=", step.command)
    }
    assert given >= {"FAST", "SUMMARY", "OPENSSL_DIR"}
    assert [name for name in given if f"$({name})" not in MAKEFILE] == []


@pytest.mark.parametrize(
    "command",
    ["make no-such-target", "tools/no-such-script.sh", "python tools/gone.py", "curl example.org"],
)
def test_a_step_that_calls_what_does_not_exist_is_noticed(command):
    assert wanting(command)


def test_a_script_that_is_called_by_its_path_can_be_executed():
    called = {step.command.split()[0] for step in STEPS if "/" in step.command.split()[0]}
    assert called
    if sys.platform != "win32":
        assert [path for path in called if not (ROOT / path).stat().st_mode & 0o100] == []


def test_what_a_matrix_names_exists():
    ci, downstream = jobs(TEXTS["ci.yml"]), jobs(TEXTS["downstream.yml"])
    assert set(values(ci["elsewhere"], "target")) <= targets()
    pins = (ROOT / "tools" / "sources.txt").read_text(encoding="utf-8")
    for series in values(ci["openssl"], "openssl"):
        assert f"\nopenssl-{series} " in pins
    projects = (ROOT / "tools" / "downstream.py").read_text(encoding="utf-8")
    for project in values(downstream["suite"], "project"):
        assert f'"{project}": Project(' in projects


def test_every_supported_python_is_tested():
    assert claimed()
    assert set(claimed()) <= set(values(jobs(TEXTS["ci.yml"])["test"], "python"))


def test_every_python_meets_the_oldest_the_embedded_and_the_newest_openssl():
    cross = jobs(TEXTS["ci.yml"])["cross"]
    pythons, series = values(cross, "python"), values(cross, "openssl")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    free = re.findall(r"\bcp(3)(\d+t)-", project)
    assert free
    assert set(pythons) >= {*claimed(), *(".".join(version) for version in free)}
    pins = (ROOT / "tools" / "sources.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^openssl-(\S+)", pins, re.MULTILINE)
    embedded = re.findall(r"build_openssl\S* (\S+)", project)
    assert embedded
    assert set(series) >= {pinned[0], pinned[-1], *embedded}
    assert "exclude:" not in cross


def test_of_all_the_wheels_for_linux_the_one_for_every_cpython_is_tried():
    """cibuildwheel puts those for free-threaded CPython, PyPy and musl beside it."""
    machine = "manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
    every = f"tlskit-0.1.0-cp310-abi3-{machine}"
    wheels = [
        every,
        f"tlskit-0.1.0-cp314-cp314t-{machine}",
        f"tlskit-0.1.0-pp311-pypy311_pp73-{machine}",
        "tlskit-0.1.0-cp310-abi3-musllinux_1_2_x86_64.whl",
    ]
    script = (ROOT / "tools" / "wheels" / "test.sh").read_text(encoding="utf-8")
    listed = re.search(r"ls -t dist/(.+?) 2>", script)
    assert listed
    pattern = listed[1].replace('"$(uname -m)"', "x86_64")
    assert fnmatch.filter(wheels, pattern) == [every]


def test_what_a_change_has_to_pass_here_is_a_step_there():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    wanted = set(re.findall(r"make --no-print-directory ([a-z-]+)", script))
    assert {"lint", "types", "docs", "test-stdlib"} <= wanted
    assert wanted <= {w for s in STEPS if s.workflow == "ci.yml" for w in s.command.split()}


def test_nobody_can_put_commands_into_a_step():
    """An expression in a command is text of the shell's; a variable is a value."""
    assert [step for step in STEPS if "${{" in step.command] == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_checkout_leaves_no_credentials_behind(name):
    checkouts = re.findall(r"uses: actions/checkout@.+\n(.+\n.+\n)", TEXTS[name])
    assert len(checkouts) == TEXTS[name].count("uses: actions/checkout@")
    assert all("persist-credentials: false" in following for following in checkouts)


def test_the_gate_waits_for_all_jobs():
    found = jobs(TEXTS["ci.yml"])
    gate = found.pop("all-green")
    assert values(gate, "needs") == list(found)


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_permitted_beyond_what_a_job_asks_for(name):
    assert "\npermissions: {}\n" in TEXTS[name]
    for job, text in jobs(TEXTS[name]).items():
        assert job == "all-green" or "\n    permissions:\n" in text, job


@pytest.mark.parametrize("name", TEXTS)
def test_actions_are_pinned_by_hash(name):
    for used in re.findall(r"uses: (.+)$", TEXTS[name], re.MULTILINE):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", used) or used.startswith("$/"), used


def test_an_action_has_one_hash():
    pins: dict[str, set[str]] = {}
    for text in TEXTS.values():
        for action, pin in re.findall(r"uses: ([\w./-]+)@(.+)$", text, re.MULTILINE):
            pins.setdefault(action, set()).add(pin)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize(("name", "job", "text"), JOBS, ids=lambda part: part[:20])
def test_a_job_that_hangs_ends(name, job, text):
    assert "timeout-minutes:" in text or "\n    uses: $/" in text


def test_a_workflow_of_this_repository_exists():
    named = [n for text in TEXTS.values() for n in re.findall(r"uses: \$/(\S+)", text)]
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_cibuildwheel_calls_what_exists():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r"\{project\}/([^\s\"]+)", project)
    assert len(named) == 4
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_each_machine_builds_its_own_wheels_for_linux():
    """For another machine's, there would have to be an emulator in the runner."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    linux = project.partition("[tool.cibuildwheel.linux]")[2].partition("\n[")[0]
    assert 'archs = ["auto64"]' in linux
    runners = values(jobs(TEXTS["wheels.yml"])["wheels"], "image")
    assert {"ubuntu-24.04", "ubuntu-24.04-arm"} <= set(runners)

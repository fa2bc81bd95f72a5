"""Compare tlskit's types with those that typeshed gives the stdlib's ssl, name by name.

    python tools/typeshed.py

Programs that do `import tlskit as ssl` must get no new errors from a type checker. So each
function, constant, class, method and attribute of typeshed's `ssl.pyi` must exist, with a type that
can stand in for typeshed's: it accepts every argument that the stub's overloads accept, returns
nothing else, and is not `Any` where the stub says more. A program that checks this for each name is
written to a temporary folder and checked by mypy and pyright, for the oldest and the newest Python.
DIFFERENT lists what differs on purpose.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ((3, 10), (3, 15))
CLASSES = ("SSLContext", "SSLSocket", "SSLObject", "MemoryBIO", "SSLSession")

#: Names in the stub, and why tlskit's type differs.
DIFFERENT: dict[str, str] = {
    "MemoryBIO": "a class of its own: the stdlib's cannot be derived from",
    "SSLSession": "a class of its own: the stdlib's cannot be derived from",
    "SSLSocket.session": "of that class",
    "SSLObject.session": "of that class",
    "SSLContext.wrap_socket": "`session` is of that class",
    "SSLContext.wrap_bio": "`session` is of that class",
    "SSLContext.sni_callback": "the stub forgets SSLSocket and None, which the callback gets",
    "SSLContext.keylog_filename": "the stub forgets None and paths, which it takes",
    "PROTOCOL_SSLv2": "no Python has it",
    "PROTOCOL_SSLv3": "no Python has it",
}

HEAD = """
import ssl
from typing import Generic, TypeVar

import tlskit

T = TypeVar("T")


class StandsFor(Generic[T]):
    def __init__(self, theirs: T) -> None: ...

    def __call__(self, mine: T) -> None: ...


"""


def stub(name: str) -> ast.Module:
    """Return a stub of the typeshed that mypy contains."""
    home = Path(next(iter(find_spec("mypy").submodule_search_locations)))  # type: ignore[union-attr]
    path = home / "typeshed" / "stdlib" / f"{name}.pyi"
    return ast.parse(path.read_text(encoding="utf-8"))


def holds(test: ast.expr, version: tuple[int, int]) -> bool:
    """Return whether a condition of the stub is true for that Python, on Linux."""
    facts = type("sys", (), {"version_info": version, "platform": "linux"})
    return bool(eval(compile(ast.Expression(test), "stub", "eval"), {"sys": facts}))


def statements(body: list[ast.stmt], version: tuple[int, int]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If):
            chosen = statement.body if holds(statement.test, version) else statement.orelse
            yield from statements(chosen, version)
        else:
            yield statement


def named(body: list[ast.stmt], version: tuple[int, int]) -> Iterator[str]:
    """Yield the public names that a module or class defines, each once."""
    seen = set()
    for statement in statements(body, version):
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found = [name]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found = [name]
            case ast.Assign(targets=[ast.Name(id=name)]):
                found = [name]
            case ast.ImportFrom(names=names):
                found = [alias.asname for alias in names if alias.asname]
            case _:
                found = []
        for name in found:
            if not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name


def classes(version: tuple[int, int]) -> dict[str, list[ast.stmt]]:
    """Return the bodies of the classes in `ssl`, including those that `_ssl` defines."""
    return {
        statement.name: statement.body
        for module in ("_ssl", "ssl")
        for statement in statements(stub(module).body, version)
        if isinstance(statement, ast.ClassDef)
    }


def program(version: tuple[int, int]) -> tuple[str, dict[int, str]]:
    """Return the program, and which of its lines is about which name."""
    lines, about = HEAD.splitlines(), {}

    def say(name: str, line: str) -> None:
        lines.append(line)
        about[len(lines)] = name

    bodies = classes(version)
    for name in named(stub("ssl").body, version):
        say(name, f"StandsFor(ssl.{name})(tlskit.{name})")
    for owner in CLASSES:
        say(owner, f"def of_{owner}(theirs: ssl.{owner}, mine: tlskit.{owner}) -> None:")
        inherited = bodies["_SSLContext"] if owner == "SSLContext" else []
        for name in dict.fromkeys(named([*inherited, *bodies[owner]], version)):
            say(f"{owner}.{name}", f"    StandsFor(theirs.{name})(mine.{name})")
    return "\n".join(lines) + "\n", about


def showing(text: str, about: dict[int, str]) -> str:
    """Return a program that has pyright show both types of each pair, instead of comparing them."""
    lines = text.splitlines()
    for number in about:
        if pair := re.fullmatch(r"( *)StandsFor\((.*)\)\((.*)\)", lines[number - 1]):
            lines[number - 1] = f"{pair[1]}reveal_type({pair[2]}), reveal_type({pair[3]})"
    return "\n".join(lines) + "\n"


def results(shown: str) -> str:
    """Return the types that calls return, or the type itself, in pyright's notation."""
    shown = re.sub(r"(?s)^Type of .* is \"(.*)\"$", r"\1", shown)
    return " ".join(re.findall(r"-> ((?:[^()]|\([^()]*\))+)", shown)) or shown


def by_mypy(path: Path, version: tuple[int, int]) -> Iterator[tuple[int, str]]:
    command = [
        sys.executable, "-m", "mypy", "--no-error-summary", "--config-file=",
        f"--python-version={version[0]}.{version[1]}", "--cache-dir", str(path.parent / "cache"),
        str(path),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)
    if done.returncode > 1:
        raise SystemExit(done.stdout + done.stderr)
    for line in done.stdout.splitlines():
        if match := re.match(rf"{path.name}:(\d+): (.*)", line):
            yield int(match[1]), match[2]


def by_pyright(path: Path, version: tuple[int, int]) -> Iterator[tuple[int, str]]:
    command = [
        str(Path(sys.executable).parent / "pyright"), "--outputjson", "--pythonpath",
        sys.executable, "--pythonversion", f"{version[0]}.{version[1]}", str(path),
    ]  # fmt: skip
    here = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": here}
    )
    shown: dict[int, list[str]] = {}
    for found in json.loads(done.stdout)["generalDiagnostics"]:
        line = found["range"]["start"]["line"] + 1
        if found["severity"] == "error":
            yield line, found["message"]
        elif found["message"].startswith("Type of "):
            shown.setdefault(line, []).append(results(found["message"]))
    for line, (theirs, mine) in shown.items():
        # The values of a certificate's fields have three types: users would have to cast each.
        # Those that begin like the stub have further overloads.
        vague = mine.replace("dict[str, Any]", "").count("Any") > theirs.count("Any")
        if vague and not mine.startswith(f"{theirs},"):
            yield line, f"the stub says {theirs}, and tlskit says {mine}"


def main() -> int:
    wrong: dict[str, list[str]] = {}
    for version in VERSIONS:
        text, about = program(version)
        python = f"Python {version[0]}.{version[1]}"
        runs = ((by_mypy, text), (by_pyright, text), (by_pyright, showing(text, about)))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "compared.py")
            for checker, source in runs:
                path.write_text(source, encoding="utf-8")
                for line, said in checker(path, version):
                    where = f"{checker.__name__[3:]}, {python}"
                    wrong.setdefault(about.get(line, "?"), []).append(f"{where}: {said}")
        print(f"{python}: {len(about)} names compared with typeshed's ssl")
    bad = {name: said for name, said in wrong.items() if name not in DIFFERENT}
    for name, said in bad.items():
        print(name, *said, sep="\n    ")
    outlived = DIFFERENT.keys() - wrong.keys()
    for name in outlived:
        print(f"{name}: not different any more: take it out of DIFFERENT in {Path(__file__).name}")
    return 1 if bad or outlived else 0


if __name__ == "__main__":
    sys.exit(main())

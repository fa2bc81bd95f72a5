"""The typed picture of the binding shows what is there: no more and no less."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from _tlsbind import ffi, lib

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "src" / "_tlsbind" / "_native.pyi"
TREE = ast.parse(STUB.read_text(encoding="utf-8"))
CLASSES = {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef)}
FUNCTIONS = {node.name: node for node in CLASSES["Lib"].body if isinstance(node, ast.FunctionDef)}
CONSTANTS = [
    node.target.id
    for node in CLASSES["Lib"].body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
]


def test_is_what_the_header_says():
    pytest.importorskip("pycparser", reason="cffi has it everywhere but on PyPy")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "stub.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_names_are_those_of_the_library():
    doors = {
        name for name in dir(lib) if name.startswith("tk_py_")
    }  # from C to Python: nobody calls them from here
    assert {*FUNCTIONS, *CONSTANTS} == set(dir(lib)) - doors


def test_constants_are_numbers():
    assert {type(getattr(lib, name)) for name in CONSTANTS} == {int}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_as_many_arguments(name):
    arguments = FUNCTIONS[name].args
    assert len(arguments.posonlyargs) + len(arguments.args) - 1 == len(
        ffi.typeof(getattr(lib, name)).args
    )


def test_structs_have_those_fields():
    for name, node in CLASSES.items():
        fields = [
            part.target.id
            for part in node.body
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
        ]
        if name.startswith("tk_") and fields:
            assert fields == [field for field, _ in ffi.typeof(name).fields]


def test_everything_of_ffi_is_there():
    for node in CLASSES["FFI"].body:
        if isinstance(node, ast.FunctionDef):
            assert hasattr(ffi, node.name)


def test_every_function_has_a_user():
    places = [ROOT / "src" / "_tlsbind" / "__init__.py", *(ROOT / "src" / "tlskit").rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in places)
    assert [name for name in FUNCTIONS if f"lib.{name}" not in text] == []


def test_the_features_are_what_the_table_says():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "features.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")

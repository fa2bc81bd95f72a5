"""What the compiled module shows to the rest of the process: the init functions of its two modules,
and nothing of OpenSSL.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig

import pytest

from _tlsbind import _native

ORDINARY = platform.python_implementation() == "CPython" and not sysconfig.get_config_var(
    "Py_GIL_DISABLED"
)
FILE = _native.__file__


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("nm") is None, reason="needs nm, and ELF"
)
def test_exports_its_init_functions_alone():
    done = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", FILE],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.split()[0] for line in done.stdout.splitlines()}
    if platform.python_implementation() == "PyPy":
        assert names == {"_cffi_pypyinit__native"}
    else:
        assert names == {"PyInit__native", "PyInit__direct"}


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("nm") is None, reason="needs nm, and ELF"
)
@pytest.mark.skipif(not ORDINARY, reason="the limited API is for ordinary CPython")
def test_takes_only_public_names_of_python():
    done = subprocess.run(
        ["nm", "--dynamic", "--undefined-only", "--format=posix", FILE],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.split()[0] for line in done.stdout.splitlines()}
    assert {name for name in names if name.startswith("_Py")} <= {
        "_Py_NoneStruct",
        "_Py_Dealloc",
        "_Py_TrueStruct",
        "_Py_FalseStruct",
    }


def test_limited_api_where_it_can_be():
    assert FILE is not None
    assert (".abi3." in FILE) == (ORDINARY and sys.platform != "win32")


def test_is_not_executable_on_the_stack():
    if sys.platform != "linux" or shutil.which("readelf") is None:
        pytest.skip("needs readelf, and ELF")
    done = subprocess.run(
        ["readelf", "--program-headers", "--wide", FILE], capture_output=True, text=True, check=True
    )
    stack = [line for line in done.stdout.splitlines() if "GNU_STACK" in line]
    assert stack
    assert "RWE" not in stack[0]


def test_has_nothing_writable_that_the_linker_has_filled_in():
    if sys.platform != "linux" or shutil.which("readelf") is None:
        pytest.skip("needs readelf, and ELF")
    command = ["readelf", "--program-headers", "--dynamic", "--wide", FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "GNU_RELRO" in done.stdout
    assert "BIND_NOW" in done.stdout

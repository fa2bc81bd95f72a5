"""Only what pyproject.toml cannot say: the cffi module, the names of a limited-API build, and the
description for the package index.
"""

import platform
import re
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext

ordinary = platform.python_implementation() == "CPython" and not sysconfig.get_config_var(
    "Py_GIL_DISABLED"
)


class BuildExtension(build_ext):
    """Python 3.15 would name the platform too; but what is built there goes into a wheel that older
    ones take.
    """

    def get_ext_filename(self, fullname: str) -> str:
        return re.sub(r"\.abi3-[^.]+\.so$", ".abi3.so", super().get_ext_filename(fullname))


def description() -> str:
    """Return README.md with links that work outside the repository.

    A page of the package index has no files beside it. Links to files lead to the repository, at
    the tag of this version.
    """
    project = Path("pyproject.toml").read_text(encoding="utf-8")
    source = re.search(r'^Source = "(.+)"$', project, re.MULTILINE)[1]
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1]
    seen = {"!": f"{source}/raw/{version}/", "": f"{source}/blob/{version}/"}  # an image, a page
    return re.sub(
        r"(!?)(\[[^][]+\]\()(?![a-z]+:|#)",
        lambda m: m[1] + m[2] + seen[m[1]],
        Path("README.md").read_text(encoding="utf-8"),
    )


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    cffi_modules=["build_ffi.py:make_ffi"],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if ordinary else {},
)

"""Only what pyproject.toml cannot say: the cffi module, and the names of a limited-API build."""

import platform
import re
import sysconfig

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


setup(
    cffi_modules=["build_ffi.py:make_ffi"],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if ordinary else {},
)

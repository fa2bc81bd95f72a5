"""Only what pyproject.toml cannot say: the cffi module, and the tag of a limited-API wheel."""

import platform
import sysconfig

from setuptools import setup

ordinary = platform.python_implementation() == "CPython" and not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=["build_ffi.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if ordinary else {},
)

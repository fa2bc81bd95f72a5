"""Tests where `cryptography` cannot be installed: certificates come from another Python.

    TRUSTME_PYTHON=/usr/bin/python3 pytest -p tests.support.elsewhere ...

A new platform has no wheel of cryptography at first, and trustme needs it. This plugin provides a
`trustme` that asks the interpreter in TRUSTME_PYTHON, which has both, over a pipe. A test that
imports cryptography itself is skipped. Where cryptography is installed, the plugin does nothing.
"""

from __future__ import annotations

import base64
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

#: Runs in the other interpreter. One line of JSON asks for a call on an object, one answers.
SERVER = """
import base64, datetime, json, sys, trustme
kept = [trustme]
def packed(value):
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"list": [packed(v) for v in value]}
    if value is None or isinstance(value, (str, int)):
        return {"plain": value}
    kept.append(value)
    return {"kept": len(kept) - 1}
def unpacked(value):
    if "time" in value:
        return datetime.datetime.fromisoformat(value["time"])
    if "key_type" in value:
        return trustme.KeyType[value["key_type"]]
    return kept[value["kept"]] if "kept" in value else value["plain"]
for line in sys.stdin:
    asked = json.loads(line)
    value = getattr(kept[asked["on"]], asked["name"])
    if asked["call"]:
        named = {name: unpacked(v) for name, v in asked["named"].items()}
        value = value(*map(unpacked, asked["given"]), **named)
    print(json.dumps(packed(value)), flush=True)
"""


class Elsewhere:
    """The other interpreter, begun when it is first asked."""

    process: subprocess.Popen[str] | None = None

    def ask(self, on: int, name: str, call: bool = False, given: Any = (), named: Any = ()) -> Any:
        if self.process is None:
            command = [os.environ["TRUSTME_PYTHON"], "-c", SERVER]
            ours = ("PYTHONPATH", "PYTHONHOME", "PYTHON_GIL")
            rest = {k: v for k, v in os.environ.items() if k not in ours}
            self.process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=rest)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        packed = {k: _packed(v) for k, v in dict(named).items()}
        asked = {"on": on, "name": name, "call": call, "named": packed}
        self.process.stdin.write(json.dumps({**asked, "given": [*map(_packed, given)]}) + "\n")
        self.process.stdin.flush()
        return _unpacked(json.loads(self.process.stdout.readline()))


ELSEWHERE = Elsewhere()


class Remote:
    """An object of trustme's in the other interpreter."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __getattr__(self, name: str) -> Any:
        if name in ("cert_pem", "private_key_pem", "cert_chain_pems") or name.endswith("_pem"):
            return ELSEWHERE.ask(self.number, name)
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *given, **named: ELSEWHERE.ask(self.number, name, True, given, named)

    def configure_trust(self, context: Any) -> None:
        context.load_verify_locations(cadata=self.cert_pem.bytes().decode())

    def configure_cert(self, context: Any) -> None:
        with self.private_key_and_cert_chain_pem.tempfile() as path:
            context.load_cert_chain(path)

    @contextmanager
    def tempfile(self, dir: str | None = None) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=dir) as folder:
            path = os.path.join(folder, "blob.pem")
            self.write_to_path(path)
            yield path


class Absent(importlib.abc.MetaPathFinder):
    """Skips the test, or the file of tests, that imports cryptography."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] == "cryptography":
            pytest.skip("needs cryptography", allow_module_level=True)
        return None


def _packed(value: Any) -> dict[str, Any]:
    if isinstance(value, Remote):
        return {"kept": value.number}
    if hasattr(value, "isoformat"):
        return {"time": value.isoformat()}
    if isinstance(value, KeyType):
        return {"key_type": value.name}
    return {"plain": value if value is None or isinstance(value, int) else str(value)}


def _unpacked(value: dict[str, Any]) -> Any:
    if "bytes" in value:
        return base64.b64decode(value["bytes"])
    if "list" in value:
        return [_unpacked(v) for v in value["list"]]
    return Remote(value["kept"]) if "kept" in value else value["plain"]


class KeyType:
    """trustme's enum, by its names alone."""

    def __init__(self, name: str) -> None:
        self.name = name


if importlib.util.find_spec("cryptography") is None:
    sys.meta_path.insert(0, Absent())
    stand_in = types.ModuleType("trustme")
    for key_type in ("RSA", "ECDSA"):
        setattr(KeyType, key_type, KeyType(key_type))
    names = {
        "CA": lambda **named: ELSEWHERE.ask(0, "CA", True, (), named),
        "LeafCert": Remote,
        "Blob": Remote,
        "KeyType": KeyType,
    }
    vars(stand_in).update(names)
    sys.modules["trustme"] = stand_in

"""`python -m tests.interop.libraries {own,before,after} JSON [NAME...]`: the scenarios of one way,
in one process.

Writes a line of JSON for each: its name and what went wrong, if anything did. JSON has the files
and the addresses.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from types import ModuleType
from typing import Any


def main(way: str, surroundings: str, *names: str) -> None:
    import ssl

    import tlskit

    from .modules import MODULES

    missing: dict[str, str] = {}
    if way == "before":
        tlskit.inject_into_ssl()
    for name in MODULES if way == "after" else ():
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing[name] = str(error)
    if way == "after":
        tlskit.inject_into_ssl()
    used: ModuleType = tlskit if way == "own" else ssl

    from . import clients, duplex, servers
    from .stage import Skipped, Stage

    files, addresses = json.loads(surroundings)
    scenarios = {**clients.SCENARIOS, **servers.SCENARIOS, **duplex.SCENARIOS}
    for name in names or scenarios:
        result: dict[str, Any] = {"name": name}
        print("begin", name, file=sys.stderr, flush=True)
        try:
            scenarios[name](Stage(way, used, files, addresses))
        except Skipped as reason:
            result["skipped"] = str(reason)
        except ModuleNotFoundError as error:
            result["skipped"] = str(error)
        except BaseException:
            result["failed"] = traceback.format_exc()
        print(json.dumps(result), flush=True)


main(*sys.argv[1:])

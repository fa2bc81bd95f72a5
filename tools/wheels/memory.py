"""Check that an idle connection in the wheel needs no more memory than one of the stdlib's.

    python tools/wheels/memory.py

Both ends are counted: over sockets and in memory, after a byte and after a whole record each way,
as in the benchmarks. Each count is of a process of its own. Run it where the wheel and trustme are
installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import trustme

ROOT = Path(__file__).resolve().parents[2]
PAIRS = 500
WORK = {
    "idle_sockets": "over sockets, after a record",
    "idle_memory": "in memory, after a byte",
    "idle_traffic": "in memory, after a record",
}


def measured(module: str, work: str, folder: str) -> tuple[float, str]:
    """Return the KiB of an idle connection, and which OpenSSL it was made with."""
    command = [sys.executable, "-m", "bench.work", module, work, "0", str(PAIRS), folder, "0"]
    done = subprocess.run(
        command, cwd=ROOT, input="\n", stdout=subprocess.PIPE, text=True, check=True
    )
    result = json.loads(done.stdout)
    return float(result["value"]), str(result["openssl"])


def certificates(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf = authority.issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")


def main() -> int:
    good = True
    with tempfile.TemporaryDirectory() as folder:
        certificates(Path(folder))
        for work, name in WORK.items():
            theirs, old = measured("ssl", work, folder)
            ours, new = measured("tlskit", work, folder)
            good &= ours <= theirs
            said = f"{ours:.1f} KiB with {new}; ssl: {theirs:.1f} KiB with {old}"
            print(f"  {'ok ' if ours <= theirs else 'NOT'} {name}: {said}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

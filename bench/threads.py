"""Full handshakes in memory, by number of threads: with the GIL, and in a free-threaded Python.

    python -m bench.threads MODULE FOLDER THREADS SECONDS   prints {"rate", "cpu"}

The contexts are shared by all threads. Each measurement is a process of its own, and a round goes
once through all of them.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from .__main__ import ROOT, environment_of_children, make_certificates
from .work import Task, memory_pair

COUNTS = (1, 2, 4, 8)
SECONDS = 1.0


def work(module: str, folder: str, count: int, seconds: float) -> dict[str, float]:
    """Return the handshakes of a second, and the CPU microseconds of each."""
    tls: Any = importlib.import_module(module)
    task = Task(tls, seconds, 0, folder, 0)
    client, server = task.client_context(), task.server_context()
    memory_pair(tls, client, server)
    made, start = [0] * count, threading.Barrier(count + 1)

    def run(mine: int) -> None:
        start.wait()
        end = perf_counter() + seconds
        while perf_counter() < end:
            memory_pair(tls, client, server)
            made[mine] += 1

    threads = [threading.Thread(target=run, args=(mine,)) for mine in range(count)]
    for thread in threads:
        thread.start()
    start.wait()
    begun, used = perf_counter(), process_time()
    for thread in threads:
        thread.join()
    took, used = perf_counter() - begun, process_time() - used
    return {"rate": sum(made) / took, "cpu": used / sum(made) * 1e6}


def run(rounds: int, free: Path | None) -> None:
    """Measure, and print the table."""
    pythons = {"": Path(sys.executable), **({", free-threaded": free} if free else {})}
    columns = [(module, name) for name in pythons for module in ("ssl", "tlskit")]
    got: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="tlskit-threads-") as folder:
        make_certificates(Path(folder))
        for _ in range(rounds):
            for count in COUNTS:
                for module, name in columns:
                    command = [str(pythons[name]), "-m", "bench.threads", module, folder]
                    said = subprocess.run(
                        [*command, str(count), str(SECONDS)], check=True, stdout=subprocess.PIPE,
                        cwd=ROOT, env={**environment_of_children(), "PYTHON_GIL": "0"}
                        if name else environment_of_children(),
                    ).stdout  # fmt: skip
                    got.setdefault((module, name, count), []).append(json.loads(said))
    heads = (f"{module}{name}" for module, name in columns)
    print("| threads | " + " | ".join(heads) + " |")
    print("| ---: |" + " ---: |" * len(columns))
    for count in COUNTS:
        cells = []
        for module, name in columns:
            rate, cpu = (
                median(one[k] for one in got[module, name, count]) for k in ("rate", "cpu")
            )
            cells.append(f"{rate:,.0f}/s ({cpu:,.0f} us)")
        print(f"| {count} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    print(json.dumps(work(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))

"""How stores and handshakes scale, in figures.

python -m bench.scale stores [--sessions N ...]    put, take and look-ups a second, size on disk
python -m bench.scale threads [--most N]           handshakes a second against threads
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from .__main__ import make_certificates
from .work import Task, memory_pair

SAMPLE = 1000  # takes and look-ups of a measurement
VALUE = 1500  # bytes: a session with a small chain


def stores(counts: list[int]) -> None:
    """Fill a SQLiteStore up to each count, and measure there."""
    import tlskit

    print("| sessions | put /s | take /s | look-up /s | KiB each on disk |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="tlskit-scale-") as name:
        path = Path(name, "sessions.db")
        store: Any = tlskit.SQLiteStore(path, size=max(counts) * 2)
        done = 0
        for count in counts:
            begun, first = perf_counter(), done
            for done in range(first + 1, count + 1):
                store.put(key(done), os.urandom(VALUE), 7200)
            putting = (count - first) / (perf_counter() - begun)
            # spread over what was put since the last measurement: earlier ones were taken
            step = (count - first) // SAMPLE
            sample = [key(first + number * step) for number in range(1, SAMPLE + 1)]
            begun = perf_counter()
            found = sum(store.get(one) is not None for one in sample)
            looking = SAMPLE / (perf_counter() - begun)
            begun = perf_counter()
            taken = [store.take(one) for one in sample]
            taking = SAMPLE / (perf_counter() - begun)
            if found < SAMPLE or None in taken:
                raise SystemExit(
                    f"bench: of {SAMPLE} sessions stored, {found} were found: the file is full at "
                    f"{count} (a SQLiteStore holds 256 MiB)"
                )
            size = sum(file.stat().st_size for file in Path(name).iterdir()) / 1024 / count
            print(f"| {count:,} | {putting:,.0f} | {taking:,.0f} | {looking:,.0f} | {size:.2f} |")


def key(number: int) -> bytes:
    """A key as spread as a digest."""
    return (number * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8, "big") * 4


def threads(most: int) -> None:
    """Full handshakes in memory, of 1 to `most` threads at once, contexts shared."""
    import tlskit

    print("| threads | handshakes /s | CPU us each |")
    print("| ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="tlskit-scale-") as name:
        make_certificates(Path(name))
        task = Task(tlskit, 1.0, 0, name, 0)
        client, server = task.client_context(), task.server_context()
        count = 1
        while count <= most:
            made = [0] * count
            end = perf_counter() + 2.0

            def run(mine: int, made: list[int] = made, end: float = end) -> None:
                while perf_counter() < end:
                    memory_pair(tlskit, client, server)
                    made[mine] += 1

            begun, used = perf_counter(), process_time()
            workers = [threading.Thread(target=run, args=(mine,)) for mine in range(count)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            took, used = perf_counter() - begun, process_time() - used
            print(f"| {count} | {sum(made) / took:,.0f} | {used / sum(made) * 1e6:,.0f} |")
            count *= 2


def main(arguments: list[str] | None = None) -> int:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("what", choices=["stores", "threads"])
    parser.add_argument("--sessions", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--most", type=int, default=8)
    options = parser.parse_args(arguments)
    if options.what == "stores":
        stores(sorted(options.sessions))
    else:
        threads(options.most)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The demo's four scenes, and their outcome.

1. *By hand*: this process connects twice with each protocol version and sets the session before the
   second handshake. Then another client process (`_second.py`) resumes; all that it gets is a file
   with a session in it, and the throwaway root.
2. *Automatically*: both processes share a store, and the server (`_server.py`) is restarted.
3. *Another host*: the session of one host is offered under another host's name, by the stdlib's ssl
   and by tlskit.
4. *Timing*: full and resumed handshakes, in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...sessions import SessionStats
from ..visit import Visit
from .clients import (
    VERSIONS,
    call,
    client_context,
    kept,
    second_process,
    store_context,
    summed,
    write_session,
)
from .other_host import Attempt, attempts
from .place import HOST, KEYS, ROOT, SERVER, PortTaken, make_place, serving
from .timing import Timing, timings

Progress = Callable[[str], None]

_TRIES = 5


@dataclass(frozen=True)
class Outcome:
    """The results of the demo.

    Attributes:
        server: where it listened, and in which process.
        visits: the connections of the first scene, in order.
        automatic: the connections of the second scene: full, resumed, resumed by the second
            process, resumed after a restart of the server.
        other_host: the result of offering the session of another host.
        timings: how long handshakes take.
        statistics: the counters of the first scene: "server", "first process", "second process".
    """

    server: dict[str, Any]
    visits: list[Visit]
    automatic: list[Visit]
    other_host: list[Attempt]
    timings: list[Timing]
    statistics: dict[str, SessionStats]

    @property
    def complaint(self) -> str | None:
        """A sentence if a connection should have been resumed and was not, or was resumed and
        should not have been; None if all is well.
        """
        for v in self.visits:
            if v.reason is not None:
                return (
                    f"A connection of the {v.process} process with {v.version} was to resume "
                    f"and did not: {v.reason}."
                )
        for v in self.automatic[1:]:
            if not v.resumed:
                return (
                    f"A connection of the {v.process} process was to resume from the store and "
                    f"did not: {v.reason}."
                )
        if any(a.library == "tlskit" and a.accepted for a in self.other_host):
            return "tlskit accepted the session of another host."
        return None


def run(progress: Progress = lambda step: None) -> Outcome:
    """Run the demo.

    Args:
        progress: called with a few words before each step.

    Raises:
        Failure: trustme is not installed, or a process or a connection failed.
    """
    with tempfile.TemporaryDirectory(prefix="tlskit-demo-") as name:
        folder = Path(name)
        progress("making certificates")
        make_place(folder)
        progress("starting a server")
        with serving(folder) as server:
            port, pid = server.port, server.pid
            visits, statistics = _by_hand(port, folder, progress)
            statistics = {"server": server.stop(), **statistics}
        automatic = _automatically(folder, progress)
        progress("offering the session of another host")
        other_host = attempts(folder / SERVER, folder / ROOT)
        progress("timing handshakes")
        measured = timings(folder)
    where = {"host": HOST, "port": port, "pid": pid}
    return Outcome(where, visits, automatic, other_host, measured, statistics)


def _by_hand(
    port: int, folder: Path, progress: Progress
) -> tuple[list[Visit], dict[str, SessionStats]]:
    visits: list[Visit] = []
    first, second = [], []
    for name, version in VERSIONS.items():
        progress(f"connecting with {name}")
        context = client_context(folder / ROOT, version)
        full = call(port, context, None, process="first")
        again = call(port, context, kept(full), process="first")
        file = folder / f"{name}.session.pem"
        write_session(file, kept(again))
        told = second_process(port, folder / ROOT, "session", file)
        visits += [full.visit, again.visit, Visit(**told["connection"])]
        first.append(context.sessions.stats())
        second.append(SessionStats(**told["statistics"]))
    return visits, {"first process": summed(first), "second process": summed(second)}


def _automatically(folder: Path, progress: Progress) -> list[Visit]:
    """Run a server with its ticket keys in a file, and clients in two processes that share a
    store. The server must come back on its port, since sessions belong to one; if another program
    has taken it meanwhile, all of this is done again.
    """
    for attempt in range(_TRIES):
        try:
            return _over_a_restart(folder, folder / f"sessions-{attempt}.db", progress)
        except PortTaken:
            continue
    raise PortTaken("The demo's server could not be restarted: its port was taken each time.")


def _over_a_restart(folder: Path, file: Path, progress: Progress) -> list[Visit]:
    root = folder / ROOT
    progress("resuming automatically")
    with serving(folder, keys=folder / KEYS) as server:
        port = server.port
        with store_context(root, file) as context:
            visits = [call(port, context, None, process="first").visit for _ in range(2)]
        visits.append(Visit(**second_process(port, root, "store", file)["connection"]))
        server.stop()
    progress("restarting the server")
    with serving(folder, keys=folder / KEYS, port=port) as server:
        with store_context(root, file) as context:
            visits.append(call(server.port, context, None, process="first").visit)
        server.stop()
    return visits

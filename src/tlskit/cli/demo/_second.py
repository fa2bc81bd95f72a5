"""The demo's second client: `python -m tlskit.cli.demo._second PORT ROOT session|store FILE`.

It resumes from a session that another process has written, or from a store that it shares with
another process, and writes the results as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ..._context import SSLContext
from ...sessions import SSLSession
from ..failure import Failure
from .clients import VERSIONS, call, client_context, store_context


def main() -> int:
    port, root, kind, file = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    session = SSLSession.from_pem(file.read_bytes()) if kind == "session" else None
    try:
        with _context(root, file, session) as context:
            guest = call(port, context, session, process="second")
            statistics = context.sessions.stats()
    except Failure as failure:
        print(failure.sentence, file=sys.stderr)
        return failure.status
    print(json.dumps({"connection": asdict(guest.visit), "statistics": asdict(statistics)}))
    return 0


@contextmanager
def _context(root: Path, file: Path, session: SSLSession | None) -> Iterator[SSLContext]:
    if session is not None:
        yield client_context(root, VERSIONS[session.protocol])
    else:
        with store_context(root, file) as context:
            yield context


if __name__ == "__main__":
    sys.exit(main())

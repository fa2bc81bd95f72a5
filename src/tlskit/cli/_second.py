"""The demo's second client: `python -m tlskit.cli._second PORT ROOT SESSION`.

It reads a session that another process has written, resumes from it, and writes what it saw as
JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from ..sessions import SSLSession
from .demo import VERSIONS, call, client_context
from .failure import Failure


def main() -> int:
    port, root, file = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    session = SSLSession.from_pem(file.read_bytes())
    context = client_context(root, VERSIONS[session.protocol])
    try:
        guest = call(port, context, session, process="second")
    except Failure as failure:
        print(failure.sentence, file=sys.stderr)
        return failure.status
    print(
        json.dumps(
            {"connection": asdict(guest.visit), "statistics": asdict(context.sessions.stats())}
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Why an operation may pause (tk_pause.c), and how a decision is put.

A decision is a generator: it yields what its callbacks return, and is sent the same, or what came
of waiting for it where that is an awaitable. So one text serves plain functions and `async def`.
Its own return value is None to go on, or the alert to refuse with.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .native import lib

Steps = Generator[Any, Any, "int | None"]

#: The handshake has not begun: what may be resumed?
BEFORE: int = lib.TK_PAUSE_BEFORE
#: A server has its ClientHello.
HELLO: int = lib.TK_PAUSE_HELLO
#: ... and a session is named there that has to be looked up.
LOOKUP: int = lib.TK_PAUSE_LOOKUP
#: A certificate is to be shown: which?
CERTIFICATE: int = lib.TK_PAUSE_CERTIFICATE
#: A client: is this chain good?
VERIFY: int = lib.TK_PAUSE_VERIFY

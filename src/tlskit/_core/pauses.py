"""Why an operation may pause (tk_pause.c), and how a decision is represented.

A decision is a generator: it yields what its callbacks return, and is sent the same value, or, if
that is an awaitable, its result. So the same code serves plain functions and `async def`. Its own
return value is None to continue, or the alert to refuse with.
"""

from __future__ import annotations

from collections.abc import Generator

from .native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Steps = Generator[Any, Any, "int | None"]


#: The handshake has not begun: decide what to resume.
BEFORE: int = lib.TK_PAUSE_BEFORE
#: A server has received its ClientHello.
HELLO: int = lib.TK_PAUSE_HELLO
#: ... and a session in it has to be looked up.
LOOKUP: int = lib.TK_PAUSE_LOOKUP
#: A certificate is needed: decide which to send.
CERTIFICATE: int = lib.TK_PAUSE_CERTIFICATE
#: On a client: decide whether this chain is good.
VERIFY: int = lib.TK_PAUSE_VERIFY

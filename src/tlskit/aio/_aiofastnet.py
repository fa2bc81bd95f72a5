"""aiofastnet's functions, and the places that hold them.

aiofastnet is a faster asyncio transport: a set of functions such as
`aiofastnet.create_connection(loop, ...)`, which `aiofastnet.patch_loop(loop)` puts over the loop's
methods. With a context of the stdlib's it uses the SSL_CTX in it, and calls libssl. With tlskit's
it cannot, and goes through `SSLObject` and two MemoryBIOs.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PACKAGE, _OF_LOOPS = "aiofastnet", "_PATCHABLE_METHODS"


def replace_everywhere(name: str, before: Any, now: Any) -> Callable[[], None]:
    """Replace a function in all modules of aiofastnet's, and in what `patch_loop` puts into loops.
    Returns a function that restores it, except where it has been replaced since.
    """
    found = [
        vars(module) for key, module in [*sys.modules.items()] if key.split(".")[0] == _PACKAGE
    ]
    found += [names[_OF_LOOPS] for names in found if _OF_LOOPS in names]
    places = [names for names in found if names.get(name) is before]

    def put(old: Any, new: Any) -> None:
        for names in places:
            if names.get(name) is old:
                names[name] = new

    put(before, now)
    return lambda: put(now, before)


def unsized(ours: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Let a function ignore the sizes of queues, which tlskit's transport does not have."""

    @wraps(ours)
    async def function(
        *args: Any,
        ssl_incoming_bio_size: Any = None,
        ssl_outgoing_bio_size: Any = None,
        **kwargs: Any,
    ) -> Any:
        return await ours(*args, **kwargs)

    return function

"""Names in annotations that not every Python has. `typing.get_type_hints` imports this: see
_lazy.LateName.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Literal

if sys.version_info >= (3, 12):
    from collections.abc import Buffer
    from typing import Self
else:
    try:
        from typing_extensions import Buffer, Self
    except ImportError:  # it need not be installed
        Buffer = bytes | bytearray | memoryview  # type: ignore[assignment,misc,unused-ignore]
        Self = Any  # type: ignore[assignment,misc,unused-ignore]

__all__ = ["Any", "Buffer", "ChannelBinding", "CipherDescription", "Self", "StrOrBytesPath"]

ChannelBinding = Literal["tls-exporter", "tls-server-end-point", "tls-unique"]

#: As typeshed's, which exist for type checkers only.
StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
CipherDescription = dict[str, Any]

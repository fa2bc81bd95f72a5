"""The rows of the table. How they are measured is in work.py, and again in limit.c."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

STDLIB, OURS, LIMIT, PYOPENSSL, WHEEL = "ssl", "tlskit", "C", "pyOpenSSL", "wheel"
COLUMNS = (STDLIB, OURS, LIMIT, PYOPENSSL, WHEEL)


@dataclass(frozen=True)
class Work:
    """A row.

    Attributes:
        name: its name in work.py and limit.c.
        title: its title in the table.
        unit: of the values.
        better: whether more or less of it is better.
        aim: the target ratio to the stdlib, at least or at most; None for information only.
        peer: the kind of peer that it needs, if any.
        cores: "two" if the two ends have a core each; "one" if they take turns, and share one.
        times: how often a process can do it: "many" times, or only "once"; "steady" is only once,
            and nearly the same each time.
        in_c: whether limit.c does it.
        in_pyopenssl: whether pyopenssl.py does it.
        key: the server's key, "ecdsa" (P-256) or "rsa" (2048 bits).
        does: its name in work.py and limit.c, if that is not `name`.
        version: the TLS version that both ends must use; None for their defaults.
        variants: other ways in which limit.c does it, with their names below the table.
    """

    name: str
    title: str
    unit: str
    better: Literal["more", "less"] = "more"
    aim: float | None = None
    peer: str | None = None
    cores: Literal["one", "two"] | None = None
    times: Literal["many", "once", "steady"] = "many"
    in_c: bool = True
    in_pyopenssl: bool = False
    key: Literal["ecdsa", "rsa"] = "ecdsa"
    does: str | None = None
    version: Literal["1.2", "1.3"] | None = None
    variants: dict[str, str] = field(default_factory=dict)

    @property
    def function(self) -> str:
        """Its name in work.py and limit.c."""
        return self.does or self.name


CATALOG = (
    Work("handshake", "full handshake, TLS 1.3, ECDSA", "/s", aim=1.0, version="1.3",
         in_pyopenssl=True),
    Work("handshake_rsa", "full handshake, TLS 1.3, RSA", "/s", aim=1.0, version="1.3",
         does="handshake", key="rsa", in_pyopenssl=True),
    Work("handshake_12", "full handshake, TLS 1.2, ECDSA", "/s", aim=1.0, version="1.2",
         does="handshake", in_pyopenssl=True),
    Work("handshake_12_rsa", "full handshake, TLS 1.2, RSA", "/s", aim=1.0, version="1.2",
         does="handshake", key="rsa", in_pyopenssl=True),
    Work("resumed", "resumed handshake, TLS 1.3", "/s", aim=1.3, version="1.3",
         in_pyopenssl=True),
    Work("resumed_12", "resumed handshake, TLS 1.2", "/s", aim=1.6, version="1.2",
         does="resumed", in_pyopenssl=True),
    Work("socket_handshake", "connect and greet, TLS 1.3, full", "/s", peer="greeting",
         cores="one", version="1.3"),
    Work("socket_resumed", "connect and greet, TLS 1.3, resumed", "/s", peer="greeting",
         cores="one", version="1.3"),
    Work("socket_handshake_12", "connect and greet, TLS 1.2, full", "/s", peer="greeting",
         cores="one", version="1.2", does="socket_handshake"),
    Work("socket_resumed_12", "connect and greet, TLS 1.2, resumed", "/s", peer="greeting",
         cores="one", version="1.2", does="socket_resumed"),
    Work(
        "receive", "bulk receive, recv", "MB/s", aim=1.25, peer="source", cores="two",
        in_pyopenssl=True, variants={"receive_by_record": "C without read-ahead"},
    ),
    Work("receive_into", "bulk receive, recv_into", "MB/s", aim=1.25, peer="source", cores="two",
         in_pyopenssl=True),
    Work(
        "send", "bulk send, sendall of 1 MiB", "MB/s", aim=1.0, peer="sink", cores="two",
        in_pyopenssl=True,
        variants={"send_by_record": "C with a send for each record (16 at a time in the column)"},
    ),
    Work("round_trips", "64-byte round trips over a socket", "/s", aim=1.0, peer="echo",
         cores="one", in_pyopenssl=True),
    Work("write_read", "64-byte write and read, in memory", "/s", aim=0.9, in_pyopenssl=True),
    Work("context", "SSLContext()", "/s"),
    Work("default_context_first", "create_default_context(), first call", "ms", better="less",
         times="once"),
    Work(
        "default_context", "create_default_context(), later calls", "/s", aim=20,
        variants={"default_context_parsing": "C that parses the authorities each time"},
    ),
    Work("idle_memory", "idle connection in memory, after a byte", "KiB", better="less", aim=0.7,
         times="steady"),
    Work("idle_traffic", "idle connection in memory, after 16 KiB", "KiB", better="less",
         times="steady"),
    Work("idle_sockets", "idle connection over sockets, after 16 KiB", "KiB", better="less",
         times="steady"),
    Work("import_time", "import", "ms", better="less", in_c=False, times="once"),
)  # fmt: skip

"""A context's settings, built into an SSL_CTX once, and what follows from them.

Until a connection has used it, a state may be changed in place, by one thread at a time; its
SSL_CTX is not made before it is needed. From then on nothing in it changes, and connections read
from it what they would otherwise have to ask a context, or compute, each time.
"""

from __future__ import annotations

from collections.abc import Mapping

from _tlsbind import CONST

from .._core.context import Context
from .._core.trust import DISTRUSTED
from .._digest import sha256
from .coroutines import awaited
from .table import MOVES, ROWS, TABLE
from .values import HiddenNames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._resumption import client_cache as client
    from .._resumption import server, strategy
    from .caches import Caches
    from .sessions import SessionSettings


#: Callbacks whose exceptions any operation may raise.
OBSERVERS = ("message_callback", "keylog_callback", "state_callback", "alert_callback")


class State:
    """One state of a context.

    Args:
        role: "any", "client" or "server".
        settings: by the names of the table.
        caches: where sessions are kept beyond their connection.
        before: the state that this one follows; its sessions are carried over.

    Attributes:
        settings: the values that were set.
        used: whether connections use it. The attributes below exist from then on.
        core: the SSL_CTX.
        policy: 32 bytes that stand for everything that verification depends on: sessions are
            resumed only under the policy that they were made under.
        id_context: the session id context of its servers. It also stands for the policy if they
            verify their clients or ask them for keys.
        verifies: whether peers are verified.
        checks_hostname: whether a server's certificate must match its name.
        compares_name: ... and that name is the one that the connection requests.
        hidden_names: how clients hide the names of servers; None if they do not.
        uses_psk: whether a pre-shared key may authenticate its connections.
        requires_staple: whether a server must staple an OCSP response to its certificate.
        shows_certificate: whether it has a certificate of its own.
        client_cache, server_cache: what its connections resume from automatically.
        awaited: the names of the callbacks that are coroutine functions, for clients and servers.
        directory_trust: the trust store, if it searches directories; otherwise None.
        allows_unverified: whether a connection may continue although its peer failed verification.
        reports_sessions: whether new or removed sessions must be reported.
        keeps_sessions: whether its connections look sessions up or keep them, beyond what OpenSSL
            does itself.
    """

    __slots__ = (
        "__weakref__",
        "_before",
        "_core",
        "alert_callback",
        "allows_unverified",
        "alpn_callback",
        "app_data",
        "awaited",
        "caches",
        "callback_timeout",
        "certificate_choice",
        "changing",
        "checks_hostname",
        "client_cache",
        "client_hello_callback",
        "compares_name",
        "core",
        "directory_trust",
        "hidden_names",
        "id_context",
        "keeps_sessions",
        "keylog_callback",
        "keyring",
        "max_early_data",
        "message_callback",
        "policy",
        "psk_client",
        "psk_server",
        "reports_sessions",
        "requires_staple",
        "role",
        "server_cache",
        "sessions",
        "settings",
        "shows_certificate",
        "sni_callback",
        "state_callback",
        "used",
        "uses_psk",
        "verifies",
        "verify_callback",
        "verify_each",
    )  # fmt: skip

    sessions: SessionSettings
    client_cache: client.ClientCache | strategy.NoClientCache
    server_cache: server.ServerCache | strategy.NoServerCache
    changing: bool
    caches: Caches
    id_context: bytes
    psk_client: Any
    psk_server: Any
    settings: Mapping[str, Any]
    used: bool
    verifies: bool

    def __init__(
        self, role: str, settings: Mapping[str, Any], caches: Caches, before: State | None = None
    ) -> None:
        self.role: str = role
        self.settings = settings
        self.used = self.changing = False
        self.caches = caches
        self._core: Context | None = None
        self._before = before

    @property
    def is_built(self) -> bool:
        """Whether the SSL_CTX exists yet."""
        return self._core is not None

    def build(self) -> Context:
        """Return the SSL_CTX, and make it if necessary."""
        if self._core is None:
            core = Context(self.role, None if self._before is None else self._before._core)
            for row in ROWS:
                value = self.settings[row.name]
                if value is not None and row.apply is not None:
                    row.apply(core, value, True)
            self._core, self._before = core, None
        return self._core

    def next(self) -> State:
        """Return another state with the same settings, for a change."""
        before = self if self.is_built else self._before
        return State(self.role, self.settings, self.caches, before)

    def apply(self, name: str, value: Any) -> None:
        """Set something in place. On return it is in force; on an exception nothing has changed."""
        row, settings = TABLE[name], dict(self.settings)
        self.changing = True
        try:
            if row.apply is not None and (row.can_fail or self._core is not None):
                core = self.build()
                row.apply(core, value, False)
                value = value if row.read is None else row.read(core)
                for other in MOVES.get(name, ()):
                    read = TABLE[other].read
                    assert read is not None
                    settings[other] = read(core)
            settings[name] = value
            if name == "sessions":
                self.caches = self.caches.after(self.settings[name], value)
            self.settings = settings
        finally:
            self.changing = False

    def undo(self) -> None:
        """Undo an abandoned next state's changes to the session cache, which both states share."""
        if self._core is not None:
            self.settings["sessions"].apply_to_cache(self._core)

    def prepare(self) -> None:
        """Compute what connections need to know. Nothing changes afterwards."""
        settings, core = self.settings, self.build()
        self.core: Context = core
        self.sessions = settings["sessions"]
        self.checks_hostname: Any = settings["check_hostname"]
        self.compares_name: bool = bool(self.checks_hostname) and not settings["verify_names"]
        self.verifies = settings["verify_mode"] != CONST.SSL_VERIFY_NONE
        self.app_data: Any = settings["app_data"]
        hidden = HiddenNames(
            settings["ech_config_list"], settings["ech_outer_name"], settings["ech_grease"]
        )
        used = hidden.lists is not None or hidden.grease
        self.hidden_names: HiddenNames | None = hidden if used else None
        self.requires_staple: bool = settings["staple"] == "required"
        self.psk_client, self.psk_server = settings["psk_client"], settings["psk_server"]
        self.uses_psk: bool = self.psk_client is not None or self.psk_server is not None
        self.shows_certificate: bool = bool(settings["credentials"])
        self.sni_callback: Any = settings["sni_callback"]
        self.client_hello_callback: Any = settings["client_hello_callback"]
        self.alpn_callback: Any = settings["alpn_callback"]
        self.keylog_callback: Any = settings["keylog_callback"]
        self.state_callback: Any = settings["state_callback"]
        self.alert_callback: Any = settings["alert_callback"]
        self.callback_timeout: float | None = settings["callback_timeout"]
        self.awaited: tuple[tuple[str, ...], tuple[str, ...]] = awaited(settings)
        self.verify_callback: Any = settings["verify_callback"]
        self.certificate_choice: Any = settings["certificate_callback"]
        self.verify_each: Any = settings["verify_each"]
        reports = settings["verify_errors"] == "report"
        self.allows_unverified: bool = reports or self.verify_each is not None
        self.message_callback: Any = settings["message_callback"]
        self.client_cache, self.server_cache = self.caches.of(
            self.sessions, settings["credentials"]
        )
        trust = settings["trust"]
        self.directory_trust: Any | None = trust if trust.directories else None
        self.keyring: Any = settings["keyring"]
        self.max_early_data = settings["max_early_data"] or 0
        self.policy: bytes = self._digest(core)
        self.id_context = self.sessions.id_context
        asks = self.verifies or self.uses_psk
        requires_group = settings["require_group"] or settings["require_pq"]
        if asks or requires_group or self.certificate_choice is not None:
            self.id_context = sha256(self.id_context + self.policy).digest()
            core.set_id_context(self.id_context, stands_for_policy=asks)
        self.reports_sessions: bool = (
            self.sessions.reports_new(self.role)
            or self.sessions.on_remove is not None
            or any(settings[name] is not None for name in OBSERVERS)
        )
        self.keeps_sessions: bool = (
            self.reports_sessions or self.client_cache.automatic or self.server_cache.external
        )
        self.used = True

    def _digest(self, core: Context) -> bytes:
        parts = [
            (row.name, row.policy(self.settings[row.name], self.role))
            for row in ROWS
            if row.policy is not None
        ]
        return sha256(repr((core.policy(), DISTRUSTED, parts)).encode()).digest()

"""A context as a whole: changing several settings at once, copying, freezing, and describing it as
text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .._lazy import LateName, late_names
from .._shown import shown
from .._state import Settings, show
from .._state.table import ROWS
from .._stdlib.creation import begun
from ..enums import _SSLMethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

    from .sessions import ContextSessions
    from .tickets import ContextTickets
else:
    Any, Self = late_names("tlskit._annotations", "Any Self")
    ContextSessions = LateName("tlskit._settings.sessions", "ContextSessions")
    ContextTickets = LateName("tlskit._settings.tickets", "ContextTickets")

#: The method that `configure` calls for each argument, and whether it takes several arguments.
_METHODS = {
    "ciphers": "set_ciphers", "ciphersuites": "set_ciphersuites", "groups": "set_groups",
    "client_sigalgs": "set_client_sigalgs", "server_sigalgs": "set_server_sigalgs",
    "alpn_protocols": "set_alpn_protocols", "ecdh_curve": "set_ecdh_curve",
    "dh_params": "load_dh_params", "cert_chain": "load_cert_chain",
    "verify_locations": "load_verify_locations", "psk_client_callback": "set_psk_client_callback",
    "psk_server_callback": "set_psk_server_callback", "policy": "set_policy",
    "ocsp_response": "set_ocsp_response",
}  # fmt: skip
_SEVERAL = {"cert_chain", "verify_locations", "psk_server_callback"}
_FACETS = ("sessions", "tickets")
_CLASSES = ("sslobject_class", "sslsocket_class")

#: When `configure` applies a setting: each after those that it depends on, or overrides. 0 if it
#: is not listed.
_RANKS = {
    "policy": -3, "trust_store": -2, "security_level": 1, "cert_chain": 2, "ocsp_response": 3,
    "sessions.resume": 1, "sessions.on_new": 1, "sessions.on_get": 1, "sessions.mode": 2,
    "tickets.keyring": 4, "sessions.timeout": 5, "tickets.lifetime": 5, "tickets.dangerous_keys": 5,
}  # fmt: skip
#: The same for those that are applied early if they turn something off, and late if they turn it
#: on: they need a verify_mode that verifies, and a keyring needs tickets.
_SWITCHED = {
    "check_hostname": (-1, 2), "pins": (-1, 1), "verify_callback": (-1, 1), "verify_each": (-1, 1),
    "verify_names": (-1, 1), "require_staple": (-1, 1), "tickets.enabled": (5, 3),
}  # fmt: skip


class WholeSettings:
    """Operations on all settings of a context together."""

    _settings: Settings
    _protocol: _SSLMethod
    _attach: Callable[[Settings], None]
    sessions: ContextSessions
    tickets: ContextTickets

    def configure(self, **settings: Any) -> None:
        """Change several settings at once: all of them, or none if one is refused.

        Connections that other threads create meanwhile see either all changes or none. On a context
        that is in use, one call also costs less than several separate changes.

        Args:
            settings: in any order, attributes of the context by name (`minimum_version`,
                `verify_mode`, `options`, `sslsocket_class`, ...), and what methods set: `ciphers`,
                `ciphersuites`, `groups`, `client_sigalgs`, `server_sigalgs`, `alpn_protocols`,
                `ecdh_curve`, `dh_params`, `psk_client_callback`, `policy`, `ocsp_response`;
                `cert_chain`, `verify_locations` and `psk_server_callback` take one argument of
                `load_cert_chain`, `load_verify_locations` and `set_psk_server_callback`, a tuple
                of them, or a dictionary. `sessions` and `tickets` take a dictionary of attributes
                of `ctx.sessions` and `ctx.tickets`. Single settings override those of `policy`,
                and `lifetime` that of a `keyring`.

        Raises:
            TypeError: a name is not a setting.
            RuntimeError: the context is frozen.
            Exception: whatever the setting itself raises; nothing has changed then.

        Safe from any thread.
        """
        for name, value in settings.items():
            self._check_name(name, value)
        with self._settings.held():
            with self._settings.together():
                for name, value in _in_order(settings):
                    if name not in _CLASSES:
                        self._set(name, value)
            for name in settings.keys() & _CLASSES:  # not the states': these are for Python
                setattr(self, name, settings[name])

    def _check_name(self, name: str, value: Any) -> None:
        if name in _FACETS:
            if not isinstance(value, Mapping):
                raise TypeError(f"{name} must be a dictionary, got {type(value).__name__}")
            for inner in value:
                if not _is_settable(type(getattr(self, name)), inner):
                    raise TypeError(f"ctx.{name} has no setting {shown(inner)}")
        elif name not in (*_METHODS, *_CLASSES) and (
            name.startswith("_") or not _is_settable(type(self), name)
        ):
            raise TypeError(f"{shown(name)} is not a setting of a context")

    def _set(self, name: str, value: Any) -> None:
        facet, _, inner = name.rpartition(".")
        if name not in _METHODS:
            setattr(getattr(self, facet) if facet else self, inner, value)
        elif name in _SEVERAL and isinstance(value, Mapping):
            getattr(self, _METHODS[name])(**value)
        elif name in _SEVERAL and isinstance(value, tuple):
            getattr(self, _METHODS[name])(*value)
        else:
            getattr(self, _METHODS[name])(value)

    def copy(self) -> Self:
        """Return an independent context with the same settings.

        Certificates, trusted authorities, keyrings and session stores are shared by reference.
        OpenSSL's session cache, its counters and its ticket key are not: the copy gets its own. A
        copy of a frozen context is not frozen.

        Safe from any thread.
        """
        settings = Settings(self._settings.role, dict(self._settings.now.settings))
        kind: Any = type(self)
        made: Self = begun(kind, _SSLMethod.PROTOCOL_TLS_CLIENT)
        made.__dict__.update(self.__dict__)
        made._attach(settings)
        return made

    def freeze(self) -> None:
        """Refuse all changes of settings from now on, of `sslsocket_class` and `sslobject_class`
        too. Connections and session caches continue to work.

        What changes automatically still does: a keyring rotates, and a directory of authorities is
        checked for each connection. This cannot be undone, but `copy()` returns a context that can
        be changed. Safe from any thread.
        """
        self._settings.freeze()

    @property
    def frozen(self) -> bool:
        """Whether changes of settings are refused. See `freeze`."""
        return self._settings.frozen

    def describe(self) -> str:
        """Return the settings in force as text, for logs and for comparing contexts with diff.

        There is one line per setting, always in the same order; equal contexts have equal texts,
        also in other processes. It holds no secrets: keys are left out, and certificates appear as
        fingerprints. Safe from any thread.
        """
        with self._settings.built() as state:
            core = state.build()
            lines = [
                f"protocol: {self._protocol.name}",
                f"minimum_version: {_version_name(self, 'minimum_version')}",
                f"maximum_version: {_version_name(self, 'maximum_version')}",
                f"verify_mode: {self.verify_mode.name}",  # type: ignore[attr-defined]
            ]
            for row in ROWS:
                value = state.settings[row.name]
                if value is None and row.read is not None:
                    value = row.read(core)
                if row.show is not None:
                    lines.append(f"{row.name}: {'none' if value is None else row.show(value)}")
            lines.append(f"suites: {' '.join(suite.name for suite in core.ciphers())}")
            lines += [f"{name}: {show.call(getattr(self, name))}" for name in _CLASSES]
            lines.append(f"frozen: {self.frozen}")
        return "\n".join(lines) + "\n"


def _is_settable(kind: type, name: str) -> bool:
    found = getattr(kind, name, None)
    return isinstance(found, property) and found.fset is not None


def _in_order(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return settings, those of facets as `facet.name`, in the order in which they are applied."""
    flat = []
    for name, value in settings.items():
        if name in _FACETS:
            flat += [(f"{name}.{inner}", one) for inner, one in value.items()]
        else:
            flat.append((name, value))
    return sorted(flat, key=lambda item: (_rank(*item), item[0]))


def _rank(name: str, value: Any) -> int:
    off, on = _SWITCHED.get(name, (0, 0))
    return _RANKS.get(name, on if value else off)


def _version_name(context: Any, which: str) -> str:
    return str(getattr(context, which).name)

"""Which callbacks the connections of a context call."""

from __future__ import annotations

from .native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_SLOTS: tuple[str, ...] = ()  # the Context has them

#: The hooks that call Python (hooks.py).
CALLING = (
    lib.TK_HOOK_SERVERNAME | lib.TK_HOOK_PSK_CLIENT | lib.TK_HOOK_PSK_SERVER | lib.TK_HOOK_VERIFY
    | lib.TK_HOOK_MESSAGE | lib.TK_HOOK_ALPN | lib.TK_HOOK_VERIFY_EACH | lib.TK_HOOK_KEYLOG
    | lib.TK_HOOK_STATE | lib.TK_HOOK_ALERT | lib.TK_HOOK_TICKET | lib.TK_HOOK_SESSION_ID
)  # fmt: skip


class HookSwitches:
    """The part of a Context that turns on pauses and the calls of hooks.py and event_hooks.py.

    Attributes:
        hooks: the TK_HOOK_ bits.
    """

    __slots__ = _NO_SLOTS

    _ctx: Any
    hooks: int

    def want_sessions(self, on: bool) -> None:
        """Set whether new sessions are queued on their connections. Corresponds to
        SSL_CTX_sess_set_new_cb(3).
        """
        self._switch(lib.TK_HOOK_SESSION, on)

    def want_servername(self, on: bool) -> None:
        """Set whether a server's connections ask about the server name. Corresponds to
        SSL_CTX_set_tlsext_servername_callback(3).
        """
        self._switch(lib.TK_HOOK_SERVERNAME, on)

    def want_hello(self, on: bool) -> None:
        """Set whether a server's connections pause at the ClientHello. Corresponds to
        SSL_CTX_set_client_hello_cb(3).
        """
        self._switch(lib.TK_HOOK_HELLO, on)

    def want_name_ahead(self, on: bool) -> None:
        """Set whether they pause at the ClientHello for the server name in it."""
        self._switch(lib.TK_HOOK_NAME_AHEAD, on)

    def want_alpn(self, on: bool) -> None:
        """Set whether a server's connections ask which application protocol to choose. Corresponds
        to SSL_CTX_set_alpn_select_cb(3).
        """
        self._switch(lib.TK_HOOK_ALPN, on)

    def want_keylog(self, on: bool) -> None:
        """Set whether connections report the lines of the key log. Corresponds to
        SSL_CTX_set_keylog_callback(3).
        """
        self._switch(lib.TK_HOOK_KEYLOG, on)

    def want_states(self, on: bool) -> None:
        """Set whether connections report each step. Corresponds to SSL_CTX_set_info_callback(3)."""
        self._switch(lib.TK_HOOK_STATE, on)

    def want_alerts(self, on: bool) -> None:
        """Set whether connections report each alert."""
        self._switch(lib.TK_HOOK_ALERT, on)

    def want_times(self, on: bool) -> None:
        """Set whether connections record the time of each step of their handshake."""
        self._switch(lib.TK_HOOK_TIMES, on)

    def want_messages(self, on: bool) -> None:
        """Set whether connections report every protocol message. Corresponds to
        SSL_CTX_set_msg_callback(3).
        """
        self._switch(lib.TK_HOOK_MESSAGE, on)

    def want_psk(self, on: bool, *, server: bool) -> None:
        """Set whether connections ask for pre-shared keys. Corresponds to
        SSL_CTX_set_psk_client_callback(3) and the server's.
        """
        self._switch(lib.TK_HOOK_PSK_SERVER if server else lib.TK_HOOK_PSK_CLIENT, on)

    def want_session_ids(self, on: bool) -> None:
        """Set whether a server's connections ask for the ids of new sessions. Corresponds to
        SSL_CTX_set_generate_session_id(3).
        """
        self._switch(lib.TK_HOOK_SESSION_ID, on)

    def _switch(self, hook: int, on: bool) -> None:
        self.hooks = self.hooks | hook if on else self.hooks & ~hook
        lib.tk_ctx_set_hooks(self._ctx, self.hooks)

"""The callbacks of a context, as C calls them for one of its connections (_core/hooks.py). It loads
with the first connection that has any.

Each answer may depend on the connection. So if the connection's owner no longer exists, a callback
that decides is not called, and the handshake fails; one that only observes is not called.
"""

from __future__ import annotations

from ssl import AlertDescription, _TLSAlertType, _TLSContentType, _TLSMessageType  # type: ignore[attr-defined]

from .._core.fault import plain_error
from .._core.verifying import ACCEPTED, AS_IT_IS, REFUSED
from .._state.coroutines import is_coroutine_function
from ..enums import TLSVersion
from .certificate_check import CertificateCheck, judge
from .decision import given, is_future, wait_here
from .pausing import accepts, cannot_await

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import Enum
    from typing import Any, Protocol
    from weakref import ref

    from .._resumption.strategy import Strategy
    from .._state import State
else:
    Protocol = object

_STRICTEST = (REFUSED, AS_IT_IS, ACCEPTED)


class CalledBack(Protocol):
    """A Channel, as its callbacks see it."""

    chains_to_judge: Sequence[tuple[Any, tuple[bytes, ...]]]
    concludes: bool
    may_await: bool
    pending_verdict: Any
    server_side: bool
    _callback_refused: bool
    _context_now: Any
    _first_state: State
    _owner: ref[Any]
    _sni_answered: bool
    _state: State

    @property
    def handshake_done(self) -> bool: ...
    def patience(self) -> float | None: ...
    def _strategy(self) -> Strategy: ...


class ChannelCallbacks:
    """The callbacks of a Channel."""

    __slots__ = ("_channel",)

    def __init__(self, channel: CalledBack) -> None:
        self._channel = channel

    # -- the server name, and the application protocol ---------------------------------------------

    def on_servername(self, name: str | None) -> object:
        channel = self._channel
        callback, owner = channel._state.sni_callback, channel._owner()
        if callback is None or channel._sni_answered:
            return None
        if owner is None:
            return int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
        return callback(owner, name, channel._context_now)

    def on_alpn(self, offered: tuple[bytes, ...], name: str | None) -> object:
        callback, owner = self._channel._state.alpn_callback, self._channel._owner()
        if owner is None:
            raise plain_error("the connection was closed while its protocol was being chosen")
        names = tuple(one.decode("utf-8", "backslashreplace") for one in offered)
        answer = callback(owner, names, name)
        if isinstance(answer, str) and answer in names:  # also if it is not a str
            return offered[names.index(answer)]
        return answer

    # -- the peer's certificate --------------------------------------------------------------------

    def on_verify(self, chain: tuple[bytes, ...]) -> bool:
        channel = self._channel
        first, now = channel._first_state.verify_callback, channel._state.verify_callback
        owner = channel._owner()
        if owner is None:
            raise plain_error("the connection was closed while its peer was being verified")
        for callback in (first,) if first is now else (first, now):
            if is_coroutine_function(callback):  # after the handshake: OpenSSL does not wait here
                if not channel.may_await or channel.handshake_done:
                    raise cannot_await(("verify_callback",))
                channel.chains_to_judge = [*channel.chains_to_judge, (callback, chain)]
                channel.concludes = True
            elif callback is not None:
                answer = callback(owner, chain)
                if not is_future(answer):
                    accepts("verify_callback", answer)
                elif channel.handshake_done or (channel.server_side and not channel.may_await):
                    limit, patience = channel._state.callback_timeout, channel.patience()
                    accepts("verify_callback", wait_here(answer, limit, patience))
                elif channel.server_side:
                    channel.chains_to_judge = [*channel.chains_to_judge, (given(answer), chain)]
                else:
                    channel.pending_verdict = answer
        return channel.pending_verdict is not None

    def on_verify_each(self, certificate: bytes, depth: int, code: int) -> int:
        channel = self._channel
        owner = channel._owner()
        if owner is None:
            raise plain_error("the connection was closed while its peer was being verified")
        check = CertificateCheck(certificate, depth, code)
        states = dict.fromkeys((channel._first_state, channel._state))
        answers = [judge(state, owner, check) for state in states]
        answer = min(answers, key=_STRICTEST.index)
        channel._callback_refused = answer == REFUSED and not code
        return answer

    # -- keys, sessions and tickets ----------------------------------------------------------------

    def _asks(self, callback: str) -> bool:
        """Return whether the context still has this callback: one that has been removed is no
        longer called, as in the stdlib.
        """
        return self._channel._context_now._settings[callback] is not None

    def on_psk_client(self, hint: str | None) -> object:
        keys = self._channel._state.psk_client if self._asks("psk_client") else None
        return (None, b"") if keys is None else keys.callback(hint)

    def on_psk_server(self, identity: bytes) -> object:
        keys = self._channel._state.psk_server if self._asks("psk_server") else None
        key: object = b"" if keys is None else keys.ask(identity)
        if key:
            self._channel._strategy().key_given()
        return key

    def on_session_id(self) -> object:
        generate, owner = self._channel._state.sessions.generate_id, self._channel._owner()
        if generate is None or owner is None:
            raise plain_error("the connection was closed before its session had an id")
        return generate(owner)

    def on_ticket(self) -> bytes | None:
        data, owner = self._channel._state.app_data, self._channel._owner()
        if not callable(data):
            return data  # type: ignore[no-any-return]
        found: bytes | None = None if owner is None else data(owner)
        return found

    # -- what only observes ------------------------------------------------------------------------

    def on_keylog(self, line: str) -> None:
        callback, owner = self._channel._state.keylog_callback, self._channel._owner()
        if callback is not None and owner is not None:
            callback(owner, line)

    def on_state(self, event: str, state: str) -> None:
        callback, owner = self._channel._state.state_callback, self._channel._owner()
        if callback is not None and owner is not None:
            callback(owner, event, state)

    def on_alert(self, direction: str, alert: object) -> None:
        callback, owner = self._channel._state.alert_callback, self._channel._owner()
        if callback is not None and owner is not None:
            callback(owner, direction, alert)

    def on_message(
        self, direction: str, version: int, content_type: int, msg_type: int, data: bytes
    ) -> None:
        # The callback that the context has now, as in the stdlib.
        callback = self._channel._context_now._settings["message_callback"]
        owner = self._channel._owner()
        if callback is None or owner is None:
            return
        kinds = {_TLSContentType.HEADER: _TLSContentType, _TLSContentType.ALERT: _TLSAlertType}
        kind = kinds.get(content_type, _TLSMessageType)
        callback(
            owner,
            direction,
            *map(_member, (TLSVersion, _TLSContentType, kind), (version, content_type, msg_type)),
            data,
        )


def _member(kind: type[Enum], number: int) -> Any:
    """Return the member of an enumeration, or the number if it has none."""
    try:
        return kind(number)
    except ValueError:
        return number

"""The checks before a session is offered.

A resumed handshake carries no certificate and verifies nothing. So before a session is offered,
`objection` checks what verification of the peer's certificate would have checked: is it from this
server name, made under exactly these rules, and in date? Any doubt leads to a full handshake.
"""

from __future__ import annotations

from time import time as now

from ..sessions.binding import Binding
from ..sessions.session import SSLSession
from .reasons import Reason
from .strategy import Policy, Resumable


def second() -> int:
    """Return the time as `objection` compares it: in the same second, it finds the same."""
    return int(now())


def objection(session: SSLSession, connection: Resumable, policy: Policy) -> Reason | None:
    """Return why this session must not be offered on that connection; None if it may.

    Args:
        session: the session that would be offered.
        connection: its handshake has not begun.
        policy: the connection's.
    """
    core = session._session
    connection.reverified_chain = ()
    if not session._sound:
        return Reason.UNSOUND
    if not core.is_resumable:
        return Reason.NOT_RESUMABLE
    if now() >= session.expires_at:
        return Reason.EXPIRED
    if policy.verifies and core.peer_not_after < now():
        return Reason.CERTIFICATE_OUT_OF_DATE if core.peer_not_after >= 0 else Reason.NO_CERTIFICATE
    if policy.requires_staple and (session._notes().staple_until or 0) < now():
        return Reason.STAPLE_OUT_OF_DATE
    if not connection.offers_cipher_of(core):
        return Reason.CIPHER_NOT_OFFERED
    if session._binding is None and policy.encrypts_hello:
        return Reason.OTHER_POLICY  # nobody knows whether it was made with ECH
    if session._binding is not None:
        reason = _difference(session._binding, policy.binding)
        if reason is not None or not (policy.verifies and policy.reverifies):
            return reason
    elif core.hostname is not None and core.hostname.lower() != policy.binding.hostname:
        return Reason.OTHER_HOST
    if policy.verifies and not _passes(session, connection):
        return Reason.CERTIFICATE_REFUSED
    return None


def _difference(earned: Binding, wanted: Binding) -> Reason | None:
    if earned.hostname != wanted.hostname:
        return Reason.OTHER_HOST
    return None if earned.policy == wanted.policy else Reason.OTHER_POLICY


def _passes(session: SSLSession, connection: Resumable) -> bool:
    """Return whether the peer's certificate passes the connection's verification now, by its own
    authorities, name and dates. The chain that the peer once sent may help, but is not trusted.
    """
    peer = session._session.peer()
    others = session._notes().peers or ()
    return peer is not None and bool(connection.reverify(peer, others[1:]))

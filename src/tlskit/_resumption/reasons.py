"""Whether a connection was resumed, and why not: the values of `conn.resumption`."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass


class Reason(str, Enum):
    """Why a handshake was a full one. The value is a sentence."""

    # A client offered nothing.
    NOT_ENABLED = "no session was set, and automatic resumption is off"
    NO_NAME = "the connection has no server name that a session could be looked up by"
    NOTHING_STORED = "nothing is stored for this server name and verification policy"
    ALREADY_TAKEN = "each ticket of this peer has been taken already, and a ticket is used once"
    STORE_DOWN = "the store did not answer"
    UNREADABLE = "what the store held could not be read"
    EXPIRED = "the session has expired"
    OTHER_HOST = "the session was made with another server name"
    OTHER_POLICY = "the session was made under another verification policy"
    CONTEXT_CHANGED = "the context was changed after the connection was made"
    NOT_RESUMABLE = "the session is not resumable: no ticket came, or it was withdrawn"
    UNSOUND = (
        "the session's handshake was not complete when it was taken, or its context had "
        "been changed meanwhile"
    )
    CERTIFICATE_OUT_OF_DATE = "the peer's certificate is no longer in date"
    STAPLE_OUT_OF_DATE = (
        "the context requires a staple, and that of the session's handshake is no longer in date"
    )
    NO_CERTIFICATE = "the session holds no certificate"
    CERTIFICATE_REFUSED = (
        "the certificate in the session does not pass this connection's verification"
    )
    CIPHER_NOT_OFFERED = "the session's cipher suite is not among those that this connection offers"
    PRE_SHARED_KEY = (
        "the connection has a pre-shared key, with which a handshake is as short as a resumption"
    )
    VERIFY_CALLBACK = (
        "the context has a verify_callback or verify_each, and a resumed handshake shows no chain "
        "to ask it about"
    )
    CERTIFICATE_CALLBACK = (
        "the context has a certificate_callback, and a resumed handshake stands for whatever "
        "certificate was shown before"
    )
    TOO_LATE = "the session was set when the handshake had already begun"

    # A session was offered, and not accepted.
    OTHER_VERSION = "the session is of another protocol version than the one that was agreed on"
    OTHER_CIPHER = "the session's cipher suite does not go with the one that was agreed on"
    NOT_ACCEPTED = "the server did not accept the session, and does not say why"

    # A server's client offered nothing, or something that was not accepted.
    CLIENT_OFFERED_NOTHING = "the client offered no session"
    UNKNOWN_SESSION = "the client offered a session that is not known here"
    OTHER_ID_CONTEXT = (
        "the session was made under another session id context, or another verification policy"
    )
    TICKET_KEY_UNKNOWN = "the client's ticket is not under one of this server's keys"
    TICKET_KEY_RETIRED = "the client's ticket is under a key that is no longer in use"
    TICKET_DAMAGED = "the client's ticket is damaged, or was changed"
    TICKET_ELSEWHERE = (
        "the client's ticket was made for another server name, or by a server "
        "whose certificate has other names"
    )

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Resumed:
    """The handshake resumed a session.

    Attributes:
        age: the session's age at this handshake, in seconds; None if the server's ticket does not
            contain it.
        ticket: which of its connection's tickets it was, counting from 1; None if unknown.
        automatic: whether it came from the context's store.
    """

    age: int | None
    ticket: int | None = None
    automatic: bool = False

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True)
class NotOffered:
    """The handshake was a full one: this side had no session to offer."""

    reason: Reason

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Refused:
    """The handshake was a full one: a session was offered, and the server did not accept it."""

    reason: Reason

    def __bool__(self) -> bool:
        return False


Resumption = Resumed | NotOffered | Refused

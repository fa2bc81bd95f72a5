"""Whether a connection was resumed, and why not: the values of `conn.resumption`."""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass


class Reason(str, Enum):
    """Why a handshake was a full one. The value is a sentence."""

    # A client offered nothing.
    NOT_ENABLED = "no session was set, and automatic resumption is off"
    NO_NAME = "the connection has no server name to look up a session by"
    NOTHING_STORED = "nothing is stored for this server name and verification policy"
    ALREADY_TAKEN = "every ticket of this peer has been used, and a ticket is used only once"
    STORE_DOWN = "the store did not answer"
    UNREADABLE = "the stored session could not be read"
    EXPIRED = "the session has expired"
    OTHER_HOST = "the session was made with another server name"
    OTHER_POLICY = "the session was made under another verification policy"
    CONTEXT_CHANGED = "the context was changed after the connection was made"
    NOT_RESUMABLE = (
        "the session cannot be resumed: the server sent no ticket, or OpenSSL has invalidated it"
    )
    UNSOUND = (
        "the session was taken before its handshake was complete, or its context was changed in "
        "between"
    )
    CERTIFICATE_OUT_OF_DATE = "the peer's certificate is no longer valid"
    STAPLE_OUT_OF_DATE = (
        "the context requires a staple, and the one from the session's handshake is out of date"
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
        "the context has a certificate_callback, and a resumed handshake would keep the "
        "certificate that was shown before"
    )
    TOO_LATE = "the session was set after the handshake had begun"

    # A session was offered, and not accepted.
    OTHER_VERSION = "the session is for another protocol version than the negotiated one"
    OTHER_CIPHER = "the session's cipher suite does not match the negotiated one"
    NOT_ACCEPTED = "the server did not accept the session, and did not say why"

    # A server's client offered nothing, or something that was not accepted.
    CLIENT_OFFERED_NOTHING = "the client offered no session"
    UNKNOWN_SESSION = "the client offered a session that this server does not know"
    OTHER_ID_CONTEXT = (
        "the session was made under another session id context, or another verification policy"
    )
    TICKET_KEY_UNKNOWN = "the client's ticket was not encrypted with any of this server's keys"
    TICKET_KEY_RETIRED = "the client's ticket was encrypted with a key that is no longer in use"
    TICKET_DAMAGED = "the client's ticket is damaged or was changed"
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

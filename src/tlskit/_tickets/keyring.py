"""Keys for tickets.

A ticket is a session that the server has encrypted to itself; the client keeps it. Who has the key
can read what the session protects, so keys must not live long, and all that serve one address must
have the same ones. `TicketKeyring` makes both easy: it is used in C by the handshakes themselves
(csrc/tk_ring.c, tk_ticket.c), which never wait for Python. What is here says where its keys are
from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from threading import Lock, get_ident
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from .._core.paths import without_values
from .._core.tickets import Ring
from .given import MOST_PERIODS, digest_of, keys_of, secrets_of
from .sources import CallbackSource, FileSource, Source, whole
from .wiping import wiper

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass
if TYPE_CHECKING:
    from typing_extensions import Buffer

PERIOD = 3600
LIFETIME = 7200
WEEK = 7 * 86400


@dataclass(frozen=True)
class TicketStats:
    """What became of tickets, counted over all contexts that share a keyring, in this process.

    A handshake in which a client shows several tickets may count in several places, but in each
    only once.
    """

    new: int
    """Tickets made. A full TLS 1.3 handshake makes `ctx.tickets.count` of them."""
    resumed: int
    """Handshakes that resumed from a ticket."""
    renewed: int
    """... of these, those whose ticket was under an older key."""
    refused: int
    """Tickets that could be read, and were not resumed: expired, or of another policy, version,
    cipher or id context.
    """
    unknown: int
    """Tickets under a key that was never here."""
    retired: int
    """Tickets under a key that was here, and is not any more."""
    tampered: int
    """Tickets whose key is here, and whose bytes are not what was made with it."""
    rotations: int
    """How often another key has begun to encrypt."""


class TicketKeyring:
    """Keys for tickets: the first encrypts, the others decrypt, and what comes under them is
    renewed.

    `TicketKeyring()` makes its own keys: every `period` another one takes over, and those of before
    stay as long as the tickets under them. Each is made from what was left of the one before, which
    is erased, so a key that is gone cannot be computed again (forward secrecy); and children forked
    later make the same keys at the same time.

    For processes that have no parent in common, and for other machines, see `fleet`; for keys that
    others make,
    `from_keys`, `from_files` and `from_callback`.

    One keyring may serve any number of contexts and threads, and go on in forked children. It is
    never pickled.

    Args:
        period: for how many seconds a key encrypts: an hour unless changed. What a thief of all
            keys could read is what began in the last `period + lifetime`.
        lifetime: how many seconds a ticket is good for: two hours unless changed, at most 7 days
            (RFC 8446, 4.6.1). Each key is kept until the last ticket under it has ended.

    Corresponds to SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
    """

    __slots__ = (
        "__weakref__", "_digest", "_every", "_keys", "_kind", "_lifetime", "_lock", "_next",
        "_period", "_pid", "_problem", "_reader",
        "_source",
    )  # fmt: skip

    def __init__(self, *, period: int = PERIOD, lifetime: int = LIFETIME) -> None:
        self._setup("own", period, lifetime)

    def _setup(self, kind: str, period: int, lifetime: int) -> None:
        self._kind = kind
        self._lifetime = whole(lifetime, "the lifetime of tickets", 1, WEEK, "seconds")
        self._period = whole(period, "the period of a ticket key", 1, WEEK, "seconds")
        if -(-lifetime // period) > MOST_PERIODS:
            raise ValueError(
                f"with a period of {period} seconds and a lifetime of {lifetime} there would be "
                f"more than {MOST_PERIODS} keys "
                "to keep: make the period longer, or the lifetime shorter"
            )
        self._source: Source | None = None
        self._every = self._next = 0.0
        self._reader = 0  # the thread that reads the source now
        self._lock, self._pid = Lock(), os.getpid()
        self._problem: Exception | None = None
        self._digest = b""  # of the keys that the source gave last
        self._keys = Ring(kind, period, lifetime)
        wiper.watch(self._keys)

    @classmethod
    def fleet(
        cls, *secrets: Buffer, period: int = PERIOD, lifetime: int = LIFETIME
    ) -> TicketKeyring:
        """Derive every key from a secret and the time: all machines with the same secret rotate
        together.

        Nothing is distributed but the secret, once. The clocks may differ by up to one period. To
        change the secret, give both to all machines, (old, new); then (new, old) to all; and (new)
        when the tickets under the old one have ended.

        Args:
            secrets: each 32 or more random bytes (`openssl rand 32`); the first one's keys encrypt.
                Who has it can compute every key that there was: keep it as you keep a private key,
                and change it now and then.
            period, lifetime: as for `TicketKeyring`, and the same on all machines.

        Raises:
            ValueError: a secret is too short, or plainly none; or there are more than eight.
        """
        self = cls.__new__(cls)
        with secrets_of(secrets) as given:
            self._setup("shared", period, lifetime)
            self._keys.set_secrets(given)
        return self

    @classmethod
    def from_keys(cls, keys: Iterable[Buffer], *, lifetime: int = LIFETIME) -> TicketKeyring:
        """Use these keys, until `set_keys` or `rotate` changes them.

        Args:
            keys: each 80 bytes (16 of its name, 32 for HMAC-SHA256, 32 for AES-256: what nginx and
                SSL_CTX_set_tlsext_ticket_keys(3) take) or 48 (16 of its name, 16 for AES-128, 16
                for HMAC-SHA256: what nginx takes). The first encrypts.
            lifetime: how many seconds a ticket is good for.
        """
        self = cls.__new__(cls)
        with keys_of(keys) as given:
            self._setup("given", WEEK, lifetime)
            self._keys.set_keys(given)
        return self

    @classmethod
    @without_values
    def from_files(
        cls, *paths: str | os.PathLike[str], every: float = 10.0, lifetime: int = LIFETIME
    ) -> TicketKeyring:
        """Read the keys from files, as nginx does (`ssl_session_ticket_key`), and again when these
        change.

        Args:
            paths: files of 80 or 48 bytes, as for `from_keys`: the first encrypts. Or one
                directory: the file whose name sorts last encrypts (names that begin with a date
                make it the newest); hidden ones are passed over.
            every: after how many seconds, at the earliest, to look whether they have changed. That
                is done where a server's connection is made, by whoever makes it, before the
                handshake.
            lifetime: how many seconds a ticket is good for.

        Raises:
            OSError, ValueError: a file cannot be read, or holds no key. When that happens later,
                the keys of before stay: see `problem`.
        """
        return cls._from_source(FileSource(paths), every, lifetime)

    @classmethod
    def from_callback(
        cls,
        function: Callable[[], Iterable[Buffer]],
        *,
        every: float = 60.0,
        lifetime: int = LIFETIME,
    ) -> TicketKeyring:
        """Ask a function for the keys, now and later.

        Args:
            function: returns keys as for `from_keys`, the first encrypts. It is called where a
                server's connection is made, by whoever makes it, before the handshake, and never
                twice at once; so it should be quick. One that takes its time belongs in a thread or
                task of your own that calls `refresh` (with `every=math.inf`).
            every: after how many seconds, at the earliest, to ask again.
            lifetime: how many seconds a ticket is good for.

        Raises:
            What the function raises. When that happens later, the keys of before stay: see
            `problem`.
        """
        return cls._from_source(CallbackSource(function), every, lifetime)

    @classmethod
    def _from_source(cls, source: Source, every: float, lifetime: int) -> TicketKeyring:
        if not every > 0:
            raise ValueError(f"the time between two looks is more than 0 seconds, not {every}")
        self = cls.__new__(cls)
        self._setup("given", WEEK, lifetime)
        self._source, self._every = source, every
        self.refresh()
        return self

    # -- settings ----------------------------------------------------------------------------------

    @property
    def period(self) -> int | None:
        """For how many seconds a key encrypts; None: until it is changed."""
        return None if self._kind == "given" else self._period

    @property
    def lifetime(self) -> int:
        """How many seconds a ticket is good for, at most."""
        return self._lifetime

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys in force, in hexadecimal, the first encrypts. They are no secret:
        every ticket shows one.
        """
        return tuple(name.hex() for name in self._keys.names())

    def stats(self) -> TicketStats:
        """Count what became of tickets in this process. Never blocks."""
        numbers = self._keys.statistics()
        return TicketStats(new=numbers.pop("made"), **numbers)

    # -- change ------------------------------------------------------------------------------------

    def rotate(self, *, forget: bool = False) -> None:
        """Let a new random key encrypt from the next ticket on, in this process and in children
        forked later.

        Args:
            forget: drop the keys of before at once, when they may be in wrong hands: every client
                makes a full handshake next time. Otherwise they decrypt for another `lifetime`.

        Raises:
            ValueError: the keys are not made here: they come from files, a callback, or a fleet's
                secret.
        """
        if self._kind == "shared":
            raise ValueError(
                "the keys of a fleet follow the clock: to have others, change the secret on all "
                "machines (set_secrets)"
            )
        if self._source is not None:
            raise ValueError("the keys come from elsewhere: change them there, and call refresh()")
        self._keys.rotate(forget=forget)
        wiper.look()

    def set_keys(self, keys: Iterable[Buffer]) -> None:
        """Put these in place of all keys: what is not among them is retired. For a keyring of
        `from_keys`.

        Raises:
            ValueError: one of them is no key; nothing has changed then. Or this keyring has its
                keys from elsewhere.
        """
        if self._kind != "given" or self._source is not None:
            raise ValueError(
                "this keyring has its keys from elsewhere: TicketKeyring.from_keys makes one "
                "that takes them from you"
            )
        with keys_of(keys) as given:
            self._keys.set_keys(given)
        wiper.look()

    def set_secrets(self, *secrets: Buffer) -> None:
        """Derive the keys from these secrets from now on. For a keyring of `fleet`, which see.

        Raises:
            ValueError: a secret is too short, or plainly none; nothing has changed then. Or this
                keyring has no secret.
        """
        if self._kind != "shared":
            raise ValueError(
                "this keyring has its keys from elsewhere: TicketKeyring.fleet makes one that "
                "derives them from a secret"
            )
        with secrets_of(secrets) as given:
            self._keys.set_secrets(given)

    def refresh(self) -> bool:
        """Read the files, or call the function, now. May block on those. Returns whether the keys
        have changed.

        Raises:
            OSError, ValueError, or what the function raises; the keys of before stay then.
            ValueError: this keyring has neither.
            RuntimeError: it is that function that calls this.
        """
        if self._source is None:
            raise ValueError(
                "this keyring reads its keys from nowhere: there is nothing to refresh"
            )
        if self._reader == get_ident():
            raise RuntimeError(
                "refresh() was called by the function that gives the keys, which it would call"
            )
        with self._locked():
            return self._read(forced=True)

    @property
    def problem(self) -> Exception | None:
        """Why the last look at the files, or the last call of the function, gave no keys; None: it
        did.

        The keys of before go on. The logger `tlskit.tickets` gets a warning when that begins.
        """
        return self._problem

    def _locked(self) -> Lock:
        if self._pid != os.getpid():  # a thread that held it did not come along into the child
            self._lock, self._pid = Lock(), os.getpid()
        return self._lock

    def _before_connection(self) -> None:
        """Look whether the source has news, when it is time and nobody else is looking."""
        if self._source is None or monotonic() < self._next:
            return
        lock = self._locked()
        if not lock.acquire(blocking=False):
            return
        try:
            self._read(forced=False)
        except Exception as error:
            if self._problem is None:
                _log(
                    "the ticket keys could not be read again (%s: %s): those of before go on",
                    type(error).__name__,
                    error,
                )
            self._problem = error
        finally:
            lock.release()

    def _read(self, *, forced: bool) -> bool:
        assert self._source is not None
        self._next, self._reader = monotonic() + self._every, get_ident()
        try:
            try:
                raw = self._source.read(forced=forced)
            finally:
                self._reader = 0
            if raw is None:
                return False
            with keys_of(raw) as keys:
                digest = digest_of(keys)
                changed = digest != self._digest
                if changed:
                    self._keys.set_keys(keys)
                    wiper.look()
        finally:
            self._source.forget()
        self._source.accept()
        self._digest, self._problem = digest, None
        return changed

    # -- secrets -----------------------------------------------------------------------------------

    def dangerous_keys(self) -> list[bytes]:
        """Give the keys in force themselves, the first encrypts: 80 bytes each, or 48 for AES-128,
        as for `from_keys`.

        They read every ticket under them. A file with one of them (mode 0600) is what nginx takes.
        """
        return [
            key.name + key.aes + key.hmac if len(key.aes) == 16 else key.name + key.hmac + key.aes
            for key in self._keys.in_force()
        ]

    def __repr__(self) -> str:
        kinds = {
            "own": "its own keys",
            "shared": "the keys of a fleet",
            "given": "keys from elsewhere",
        }
        each = "" if self.period is None else f", another every {self.period} s"
        return f"<TicketKeyring: {kinds[self._kind]}{each}, tickets for {self._lifetime} s>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a TicketKeyring holds secrets, and is not pickled: for processes that are not "
            "forked, see TicketKeyring.fleet"
        )


def _log(words: str, *arguments: object) -> None:
    import logging

    logging.getLogger("tlskit.tickets").warning(words, *arguments)

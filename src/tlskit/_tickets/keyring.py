"""Ticket keys.

A ticket is a session that the server has encrypted to itself; the client keeps it. Anyone who has
the key can read what the session protects, so keys must be short-lived, and all servers of one
address must share them. `TicketKeyring` makes both easy. Handshakes use it directly in C
(csrc/tk_ring.c, tk_ticket.c) and never wait for Python; this module only decides where the keys
come from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from threading import Lock, get_ident
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from .._core.paths import without_values
from .._core.tickets import Ring
from .._counters import Counted
from .._forks import Forked, watch
from .._lazy import LateName
from .arguments import MOST_PERIODS, digest_of, keys_of, secrets_of
from .sources import CallbackSource, FileSource, Source, whole
from .wiping import wiper

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .._frozen import dataclass
if TYPE_CHECKING:
    from typing_extensions import Buffer
else:
    Buffer = LateName("tlskit._annotations", "Buffer")

PERIOD = 3600
LIFETIME = 7200
WEEK = 7 * 86400


@dataclass(frozen=True)
class TicketStats(Counted):
    """Counts of tickets in this process, over all contexts that share a keyring.

    A handshake in which a client offers several tickets may increment several counters, each of
    them at most once.
    """

    new: int
    """Tickets made. A full TLS 1.3 handshake makes `ctx.tickets.count` of them."""
    resumed: int
    """Handshakes that resumed from a ticket."""
    renewed: int
    """... of these, the ones whose ticket was under an older key."""
    refused: int
    """Tickets that were decrypted but not resumed: expired, or made under another policy, version,
    cipher or id context.
    """
    unknown: int
    """Tickets under a key that this keyring never had."""
    retired: int
    """Tickets under a key that has been retired."""
    tampered: int
    """Tickets under a known key that fail authentication."""
    rotations: int
    """How often a new key has begun to encrypt."""


class TicketKeyring(Forked):
    """Ticket keys: the first one encrypts, the others only decrypt, and a ticket under one of those
    is renewed.

    `TicketKeyring()` makes its own keys. A new key takes over every `period`, and the older ones
    stay until the tickets under them have expired. Each key is derived from a state that is then
    erased, so a retired key cannot be computed again (forward secrecy). Children forked later
    derive the same keys at the same time.

    For processes without a common parent, and for other machines, see `fleet`. For keys that are
    made elsewhere, see `from_keys`, `from_files` and `from_callback`.

    A keyring may serve any number of contexts and threads, and keeps working in forked children. It
    cannot be pickled.

    Args:
        period: for how many seconds a key encrypts; an hour by default. A thief of all keys could
            read the sessions that began within the last `period + lifetime`.
        lifetime: for how many seconds a ticket is valid; two hours by default, at most 7 days
            (RFC 8446, 4.6.1). A key is kept until the last ticket under it has expired.

    Corresponds to SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
    """

    __slots__ = (
        "__weakref__", "_digest", "_every", "_keys", "_kind", "_lifetime", "_lock", "_next",
        "_period", "_problem", "_reader",
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
                f"a period of {period} seconds with a lifetime of {lifetime} would need more than "
                f"{MOST_PERIODS} keys: make the period longer, or the lifetime shorter"
            )
        self._source: Source | None = None
        self._every = self._next = 0.0
        self._reader = 0  # the thread that is reading the source
        self._lock = Lock()
        self._problem: Exception | None = None
        self._digest = b""  # of the keys that the source returned last
        self._keys = Ring(kind, period, lifetime)
        wiper.watch(self._keys)
        watch(self)

    @classmethod
    def fleet(
        cls, *secrets: Buffer, period: int = PERIOD, lifetime: int = LIFETIME
    ) -> TicketKeyring:
        """Derive all keys from a secret and the time, so that all machines with the same secret
        rotate together.

        Only the secret is distributed, and only once. The clocks may differ by up to one period. To
        change the secret, give all machines (old, new); then give all of them (new, old); and once
        the tickets under the old secret have expired, (new).

        Args:
            secrets: each at least 32 random bytes (`openssl rand 32`). Keys from the first one
                encrypt. Anyone who has a secret can compute all its keys, past ones included: keep
                it as you keep a private key, and change it now and then.
            period, lifetime: as for `TicketKeyring`, and the same on all machines.

        Raises:
            ValueError: a secret is too short or not random, or there are more than eight.
        """
        self = cls.__new__(cls)
        with secrets_of(secrets) as given:
            self._setup("shared", period, lifetime)
            self._keys.set_secrets(given)
        return self

    @classmethod
    def from_keys(cls, keys: Iterable[Buffer], *, lifetime: int = LIFETIME) -> TicketKeyring:
        """Use these keys until `set_keys` or `rotate` changes them.

        Args:
            keys: each has 80 bytes (a name of 16, then 32 for HMAC-SHA256 and 32 for AES-256, as
                in nginx and SSL_CTX_set_tlsext_ticket_keys(3)) or 48 bytes (a name of 16, then 16
                for AES-128 and 16 for HMAC-SHA256, as in nginx). The first one encrypts.
            lifetime: for how many seconds a ticket is valid.
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
        """Read the keys from files, as nginx does (`ssl_session_ticket_key`), and reread them when
        they change.

        Args:
            paths: files of 80 or 48 bytes, as for `from_keys`; the first one encrypts. Or a
                directory, whose file with the name that sorts last encrypts (begin the names with
                a date, and that is the newest one); hidden files are skipped.
            every: the shortest time in seconds between two checks for changes. The thread that
                creates a server connection makes the check, before the handshake.
            lifetime: for how many seconds a ticket is valid.

        Raises:
            OSError, ValueError: a file cannot be read, or does not hold a key. If that happens
                later, the previous keys stay in force: see `problem`.
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
        """Get the keys from a function, now and again later.

        Args:
            function: returns keys as for `from_keys`; the first one encrypts. The thread that
                creates a server connection calls it, before the handshake, and never twice at once.
                So it should be fast. If it is slow, pass `every=math.inf`, and call `refresh` from
                a thread or task of your own.
            every: the shortest time in seconds between two calls.
            lifetime: for how many seconds a ticket is valid.

        Raises:
            Whatever the function raises. If that happens later, the previous keys stay in force:
            see `problem`.
        """
        return cls._from_source(CallbackSource(function), every, lifetime)

    @classmethod
    def _from_source(cls, source: Source, every: float, lifetime: int) -> TicketKeyring:
        if not every > 0:
            raise ValueError(f"every must be more than 0 seconds, got {every}")
        self = cls.__new__(cls)
        self._setup("given", WEEK, lifetime)
        self._source, self._every = source, every
        self.refresh()
        return self

    # -- settings ----------------------------------------------------------------------------------

    @property
    def period(self) -> int | None:
        """For how many seconds a key encrypts; None means until it is changed."""
        return None if self._kind == "given" else self._period

    @property
    def lifetime(self) -> int:
        """For how many seconds a ticket is valid, at most."""
        return self._lifetime

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys in force, in hexadecimal; the first one's key encrypts. They are
        not secret: every ticket shows one.
        """
        return tuple(name.hex() for name in self._keys.names())

    def stats(self) -> TicketStats:
        """Return the counts of tickets in this process. Never blocks."""
        numbers = self._keys.statistics()
        return TicketStats(new=numbers.pop("made"), **numbers)

    # -- change ------------------------------------------------------------------------------------

    def rotate(self, *, forget: bool = False) -> None:
        """Make a new random key encrypt from the next ticket on, in this process and in children
        forked later.

        Args:
            forget: also drop all earlier keys at once, because they may be compromised; every
                client then makes a full handshake. Otherwise they decrypt for another `lifetime`.

        Raises:
            ValueError: the keyring does not make its own keys: they come from files, a callback or
                a fleet's secret.
        """
        if self._kind == "shared":
            raise ValueError(
                "the keys of a fleet follow the clock: to replace them, change the secret on all "
                "machines (set_secrets)"
            )
        if self._source is not None:
            raise ValueError("the keys come from elsewhere: change them there, and call refresh()")
        self._keys.rotate(forget=forget)
        wiper.look()

    def set_keys(self, keys: Iterable[Buffer]) -> None:
        """Replace all keys; those that are not given again are retired. Only for keyrings made by
        `from_keys()`.

        Raises:
            ValueError: one of them is not a ticket key, and nothing was changed; or the keyring
                gets its keys from elsewhere.
        """
        if self._kind != "given" or self._source is not None:
            raise ValueError(
                "this keyring gets its keys from elsewhere: TicketKeyring.from_keys makes one "
                "that takes them from you"
            )
        with keys_of(keys) as given:
            self._keys.set_keys(given)
        wiper.look()

    def set_secrets(self, *secrets: Buffer) -> None:
        """Derive the keys from these secrets from now on. Only for keyrings made by `fleet()`.

        Raises:
            ValueError: a secret is too short or not random, and nothing was changed; or the keyring
                has no secret.
        """
        if self._kind != "shared":
            raise ValueError(
                "this keyring gets its keys from elsewhere: TicketKeyring.fleet makes one that "
                "derives them from a secret"
            )
        with secrets_of(secrets) as given:
            self._keys.set_secrets(given)

    def refresh(self) -> bool:
        """Read the files, or call the function, now; this may block. Returns whether the keys have
        changed.

        Raises:
            OSError, ValueError, or what the function raises: the previous keys stay in force.
            ValueError: the keyring has neither files nor a function.
            RuntimeError: called by that function itself.
        """
        if self._source is None:
            raise ValueError(
                "this keyring has neither files nor a function to get its keys from: there is "
                "nothing to refresh"
            )
        if self._reader == get_ident():
            raise RuntimeError("refresh() was called by the function that returns the keys")
        with self._lock:
            return self._read(forced=True)

    @property
    def problem(self) -> Exception | None:
        """Why the last read of the files, or the last call of the function, gave no keys; None if
        it succeeded.

        The previous keys stay in force. The logger `tlskit.tickets` gets a warning when this
        begins.
        """
        return self._problem

    def _after_fork(self) -> None:
        self._lock = Lock()
        if self._reader != get_ident():
            self._reader = 0

    def _before_connection(self) -> None:
        """Check the source for changes, if it is time and no other thread is doing so."""
        if self._source is None or monotonic() < self._next:
            return
        lock = self._lock
        if not lock.acquire(blocking=False):
            return
        try:
            self._read(forced=False)
        except Exception as error:
            if self._problem is None:
                _log(
                    "the ticket keys could not be read again (%s: %s): the old ones stay in use",
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
        """Return the keys in force, the encrypting one first: 80 bytes each, or 48 for AES-128, as
        for `from_keys`.

        They decrypt every ticket under them. nginx takes a file with one of them (mode 0600).
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
            "a TicketKeyring cannot be pickled, because it holds secrets: for processes that are "
            "not forked, see TicketKeyring.fleet"
        )


def _log(words: str, *arguments: object) -> None:
    import logging

    logging.getLogger("tlskit.tickets").warning(words, *arguments)

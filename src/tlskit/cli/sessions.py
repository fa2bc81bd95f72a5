"""`tlskit sessions`: list a store's entries, show one, and remove them. It never shows a session's
secrets.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import time as now

from ..sessions import RedisStore, SQLiteStore, SSLSession
from ..stores.store import Entry
from . import places
from .failure import MISUSED, Failure

_PATIENCE = 5.0  # seconds
_PLACE = 64  # hexadecimal digits: the common prefix of one peer's keys
_CLIENT, _SERVER = (
    33,
    32,
)  # bytes of the keys: a client's also say whether a session may be used more than once


@dataclass(frozen=True)
class Item:
    """One entry of a store.

    Attributes:
        key: its key, in hexadecimal digits.
        kind: "client" or "server", or "?" for entries that are not tlskit's.
        seconds_left: how long the store still keeps it.
        session: its session, or None if it cannot be read.
    """

    key: str
    kind: str
    seconds_left: float
    session: SSLSession | None = field(repr=False)

    @property
    def age(self) -> float | None:
        """The session's age in seconds."""
        return None if self.session is None else max(0.0, now() - self.session.time)


@dataclass(frozen=True)
class Order:
    """The store to use.

    Attributes:
        store: a path, or a URL.
        secret_file: the file with the secret; None for the one beside the store, or the
            environment.
        prefix: what the keys in Redis begin with.
    """

    store: str
    secret_file: str | None = None
    prefix: str = places.PREFIX

    @property
    def where(self) -> str:
        return places.shown(self.store)


@dataclass(frozen=True)
class Listing:
    """The entries that `list` and `show` have found, in the order to show them in.

    Attributes:
        complete: whether these are all.
    """

    order: Order
    items: list[Item]
    complete: bool = True

    @property
    def unreadable(self) -> int:
        return sum(item.session is None for item in self.items)

    @property
    def failed(self) -> Failure | None:
        """The failure, if there are entries and none can be read."""
        if not self.items or self.unreadable < len(self.items):
            return None
        many = f"None of the {len(self.items)} entries" if len(self.items) > 1 else "The one entry"
        neither = "opens" if len(self.items) > 1 else "does not open"
        return Failure(f"{many} in {self.order.where} {neither} with this secret.")


@dataclass(frozen=True)
class Removal:
    """The result of `purge`.

    Attributes:
        removed: the number of entries; None if the store removes them by itself.
        everything: whether entries that have not expired were also to be removed.
    """

    order: Order
    removed: int | None
    everything: bool


def listing(order: Order, most: int) -> Listing:
    """List the entries, `most` at most: a store may have more than fit into memory.

    Raises:
        Failure: there is no such store, it does not answer, or it cannot list its entries.
    """
    with _looking(order) as store:
        items = list(islice(_items(store.entries()), most + 1))
    return Listing(order, sorted(items[:most], key=_place), complete=len(items) <= most)


def found(order: Order, beginning: str) -> Listing:
    """Find the entries under the one key that begins like this.

    Raises:
        Failure: as for `listing`; or there is no such key, or more than one.
    """
    keys, items = set(), []
    with _looking(order) as store:
        for item in _items(store._entries_under(beginning.lower())):
            # A client's tickets are stored under two keys, which differ in their last byte.
            keys.add(item.key[:_PLACE] if item.kind == "client" else item.key)
            if len(keys) > 1:
                raise Failure(
                    f"More than one key in {order.where} begins with {beginning}: give more digits."
                )
            items.append(item)
    if not keys:
        raise Failure(f"No key in {order.where} begins with {beginning}.")
    return Listing(order, sorted(items, key=_place))


def purged(order: Order, *, everything: bool, sure: bool) -> Removal:
    """Remove expired entries, or all of them.

    Args:
        order: the store; its secret does not matter.
        everything: also remove entries that have not expired.
        sure: do not ask for confirmation.

    Raises:
        Failure: as for `listing`; or there is no terminal to ask on.
    """
    with _looking(order, sealed=True) as store:
        if not everything:
            return Removal(
                order, store.purge() if isinstance(store, SQLiteStore) else None, everything
            )
        if not sure and not _asked(f"Remove every session from {order.where}? [y/N] "):
            return Removal(order, 0, everything)
        return Removal(order, store._drop_all(), everything)


@contextmanager
def _looking(order: Order, *, sealed: bool = False) -> Iterator[SQLiteStore | RedisStore]:
    if places.is_memcached(order.store):
        raise Failure(
            f"memcached cannot list what it holds, and drops by itself what has expired: ask the "
            f"programs that use {order.where}.",
            status=MISUSED,
        )
    secret = places.given_secret(order.secret_file)
    with closing(
        places.to_look_into(
            order.store, secret, prefix=order.prefix, timeout=_PATIENCE, sealed=sealed
        )
    ) as store:
        try:
            yield store
        except places.troubles() as error:
            raise places.unusable(error, order.where) from error


def _items(entries: Iterable[Entry]) -> Iterator[Item]:
    for key, value, seconds_left in entries:
        kind = {_CLIENT: "client", _SERVER: "server"}.get(len(key), "?")
        yield Item(key.hex(), kind, seconds_left, SSLSession._from_value(value))


def _place(item: Item) -> tuple[object, ...]:
    """Return an entry's sort key: entries of one name together, newest first, unreadable ones
    last.
    """
    hostname = "" if item.session is None else item.session.hostname or ""
    return (item.session is None, hostname, item.kind, item.key, -item.seconds_left)


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        raise Failure(
            "--all asks first, but standard input is not a terminal: add --yes.", status=MISUSED
        )
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")

"""Renewing what a context has loaded from files: its certificate, and whom it trusts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from ssl import cert_time_to_seconds
from time import gmtime, strftime
from time import time as now

from .._core import files
from .._core.certificate import Certificate
from .._core.credential import Credential
from .._core.trust import TrustStore
from .._lazy import LateName
from .._state import Settings
from .arguments import path_of
from .credentials import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .watcher import Watcher
else:
    Callable = LateName("collections.abc", "Callable")
    Watcher = LateName("tlskit._settings.watcher", "Watcher")
    Any = LateName("typing", "Any")


class RenewalSettings:
    """Certificates and authorities that are replaced while connections go on."""

    _settings: Settings
    _use: Callable[[Credential], None]

    def reload(
        self,
        certfile: Any = None,
        keyfile: Any = None,
        password: Any = None,
        *,
        cafile: Any = None,
        crl: Any = None,
        other_names: bool = False,
    ) -> None:
        """Check and replace the certificate, the trusted authorities, or both, on a server or a
        client, while connections go on.

        Existing connections keep the certificate that they began with. Sessions and ticket keys are
        kept, and with a renewed certificate for the same names, earlier sessions are still resumed.
        Sessions that were verified by other authorities are not.

        Args:
            certfile: a file with the certificate followed by its chain, in PEM. It replaces the one
                with the same kind of key.
            keyfile: a file with the private key in PEM; by default the certificate's file.
            password: for an encrypted key, as in `load_cert_chain`.
            cafile: a file of authorities in PEM, which replace all that were trusted before.
            crl: a file of certificate revocation lists in PEM, which are added to the authorities;
                a newer list replaces an older one. Turn on the checks with `verify_flags`.
            other_names: whether the new certificate may be for names other than those of the
                certificate that it replaces.

        Raises:
            OSError: a file cannot be read.
            SSLError: a file cannot be parsed, or the key does not match the certificate. A file
                that is still being written usually fails like this.
            ValueError: a certificate or a revocation list is not in date; the chain is out of order
                (each certificate must be signed by the next one) or incomplete; a name that was
                served is missing; or no file is given.
            RuntimeError: the context is frozen.

        If it fails, nothing has changed. Safe from any thread; it never waits for a peer.
        """
        if certfile is None and cafile is None and crl is None:
            raise ValueError("reload needs a file: certfile, cafile or crl")
        if certfile is None and keyfile is not None:
            raise ValueError("keyfile needs a certfile")
        fresh = None if certfile is None else self._read_credential(certfile, keyfile, password)
        authorities = None if cafile is None else _authorities(path_of("cafile", cafile))
        lists = None if crl is None else _lists(path_of("crl", crl))
        with self._settings.together():
            if fresh is not None:
                check_renewal(fresh, self._replaced_by(fresh), other_names=other_names)
                self._use(fresh)
            if authorities is not None:
                self._settings.trust = authorities
            if lists is not None:
                self._settings.trust = self._settings.trust.joined(lists)

    def _read_credential(self, certfile: Any, keyfile: Any, password: Any) -> Credential:
        return load(certfile, keyfile, password)

    def _replaced_by(self, fresh: Credential) -> Credential | None:
        credentials: Sequence[Credential] = self._settings["credentials"]
        same = [one for one in credentials if one.kind == fresh.kind]
        found = same or list(credentials)
        return found[-1] if found else None

    def watch(
        self,
        certfile: Any = None,
        keyfile: Any = None,
        password: Any = None,
        *,
        cafile: Any = None,
        crl: Any = None,
        other_names: bool = False,
        interval: float = 60.0,
        on_reload: Callable[[], object] | None = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> Watcher:
        """Make a watcher that calls `reload` when one of the files changes.

        The watcher must be started: use it in a `with` statement or call `start()` for a thread, or
        run `watcher.run()` in an asyncio task. The arguments are those of `reload`, and:

        Args:
            interval: seconds between two checks of the files, at least 1.
            on_reload: called after each reload, in the watcher's thread or task.
            on_error: called with the exception of a failed reload, once for each new error. The
                context stays unchanged, and the watcher keeps trying. Without this callback, the
                logger "tlskit" gets the error.

        Raises:
            ValueError: the interval is below 1 second, or no file is given.
        """
        from .watcher import Watcher

        given = {"certfile": certfile, "keyfile": keyfile, "cafile": cafile, "crl": crl}
        paths = tuple(path for name, value in given.items() if (path := path_of(name, value)))

        def renew() -> None:
            self.reload(
                certfile, keyfile, password, cafile=cafile, crl=crl, other_names=other_names
            )

        return Watcher(paths, renew, interval, on_reload, on_error)


# -- checks ----------------------------------------------------------------------------------------


def check_renewal(fresh: Credential, before: Credential | None, *, other_names: bool) -> None:
    """Refuse a certificate that cannot replace another one: ValueError says why."""
    chain = fresh.certificates()
    fields = [one.fields() for one in chain]
    for number, one in enumerate(fields):
        _check_dates(one, number)
    for number, (one, issuer) in enumerate(pairwise(fields)):
        if one["issuer"] != issuer["subject"]:
            raise ValueError(
                f"the chain is not in order: certificate {number} was issued by "
                f"{_words(one['issuer'])}, and certificate {number + 1} is of "
                f"{_words(issuer['subject'])}"
            )
    broken = fresh.unsigned()
    if broken is not None:
        raise ValueError(
            f"the chain is not in order: certificate {broken} was not signed by the key of "
            f"certificate {broken + 1}, although that one has the name of its issuer"
        )
    if before is None:
        return
    was = before.certificates()
    if len(chain) == 1 and len(was) > 1 and fields[0]["issuer"] == was[0].fields()["issuer"]:
        raise ValueError(
            f"the chain ends after the certificate, where the previous one has {len(was)} "
            "certificates: the file may be incomplete"
        )
    if not other_names and fresh.names != before.names:
        _check_names(fields[0], was[0])


def _check_dates(fields: dict[str, Any], number: int) -> None:
    begins, ends = (cert_time_to_seconds(fields[key]) for key in ("notBefore", "notAfter"))
    what = "the certificate" if number == 0 else f"certificate {number} of the chain"
    if now() < begins:
        raise ValueError(f"{what} is not valid before {_date(begins)}")
    if now() >= ends:
        raise ValueError(f"{what} expired on {_date(ends)}")


def _check_names(fields: dict[str, Any], before: Certificate) -> None:
    missing = sorted(_names(before.fields()) - _names(fields))
    if missing:
        raise ValueError(
            f"the new certificate is not valid for {', '.join(missing)}, unlike the one that it "
            "replaces: pass other_names=True if that is intended"
        )


def _names(fields: dict[str, Any]) -> set[str]:
    """Return the names of a certificate: its alternative names, or its subject without any."""
    names = {f"{kind}:{value}" for kind, value in fields.get("subjectAltName", ())}
    return names or {_words(fields["subject"])}


def _words(name: Any) -> str:
    return ", ".join(f"{key}={value}" for part in name for key, value in part) or "nobody"


def _date(seconds: float) -> str:
    return strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(seconds))


# -- files -----------------------------------------------------------------------------------------


def _authorities(path: str | None) -> TrustStore:
    assert path is not None
    store = TrustStore()
    with files.opened(path) as pem:
        store.add_pem(pem)
    if store.count()["x509"] == 0:
        raise ValueError(f"cafile {path!r} holds no certificate")
    return store


def _lists(path: str | None) -> TrustStore:
    assert path is not None
    store = TrustStore()
    with files.opened(path) as pem:
        store.add_pem(pem)
    if store.count()["crl"] == 0:
        raise ValueError(f"crl {path!r} holds no certificate revocation list")
    stale = store.stale_list()
    if stale is not None:
        begins, ends = stale["notBefore"], stale.get("notAfter")
        early = now() < cert_time_to_seconds(begins)
        when = f"is not valid before {begins}" if early else f"expired on {ends}"
        raise ValueError(f"crl {path!r}: the list of {_words(stale['issuer'])} {when}")
    return store

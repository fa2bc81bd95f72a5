"""A throwaway PKI: a root, an authority below it, certificates for a few names, and one root that
nobody trusts.
"""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

if "TRUSTME_PYTHON" in os.environ:  # in programs that tests start, which have no pytest's plugins
    from . import elsewhere  # noqa: F401

import trustme

NAMES = ("localhost", "other.example", "127.0.0.1", "::1", "xn--knig-5qa.example")


@dataclass(frozen=True)
class Identity:
    """A certificate with its chain and key, as files."""

    chain: Path
    key: Path
    both: Path


@dataclass(frozen=True)
class PKI:
    """Paths and bytes of everything that the tests show or trust."""

    folder: Path
    root: Path
    server: Identity
    """For all of NAMES, issued by the intermediate authority."""
    direct: Identity
    """For all of NAMES, issued by the root itself: the chain is one certificate and the trust
    anchor.
    """
    narrow: Identity
    """For localhost alone: whoever asks for 127.0.0.1 has come to the wrong host."""
    rsa: Identity
    client: Identity
    expired: Identity
    stranger: Identity
    """For all of NAMES, from a root that is not trusted."""
    stranger_root: Path

    @property
    def root_pem(self) -> str:
        return self.root.read_text()


def make(folder: Path) -> PKI:
    root = trustme.CA()
    middle = root.create_child_ca()
    strangers = trustme.CA()
    long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)

    def keep(name: str, leaf: trustme.LeafCert) -> Identity:
        chain, key, both = (
            folder / f"{name}.chain.pem",
            folder / f"{name}.key.pem",
            folder / f"{name}.pem",
        )
        chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        both.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
        return Identity(chain, key, both)

    root.cert_pem.write_to_path(str(folder / "root.pem"))
    strangers.cert_pem.write_to_path(str(folder / "stranger-root.pem"))
    return PKI(
        folder=folder,
        root=folder / "root.pem",
        server=keep("server", middle.issue_cert(*NAMES)),
        direct=keep("direct", root.issue_cert(*NAMES)),
        narrow=keep("narrow", middle.issue_cert("localhost")),
        rsa=keep("rsa", root.issue_cert(*NAMES, key_type=trustme.KeyType.RSA)),
        client=keep("client", root.issue_cert("client@example.org", common_name="client")),
        expired=keep(
            "expired",
            root.issue_cert(*NAMES, not_before=datetime.datetime(2000, 1, 1), not_after=long_ago),
        ),
        stranger=keep("stranger", strangers.issue_cert(*NAMES)),
        stranger_root=folder / "stranger-root.pem",
    )

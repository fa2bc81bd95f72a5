"""How a client's connection finds the keys for Encrypted ClientHello (ECH, RFC 9849)."""

from __future__ import annotations

from collections.abc import Mapping

from .._core.encrypted_hello import EncryptedHello, usable_configs
from .._core.library import version_text
from .._core.names import packed_address, server_name
from .._state.values import HiddenNames


def hide_name(connection: EncryptedHello, hidden: HiddenNames, hostname: str | None) -> None:
    """Encrypt a client's ClientHello if there are keys for this server, or make it look so.

    Raises:
        TypeError, ValueError: a function has returned something that cannot be used.
    """
    named = hostname is not None and packed_address(hostname) is None
    found = _lists_for(hidden, server_name(hostname).lower) if hostname and named else None
    if found is not None:
        if not usable_configs(found) or not connection.encrypt_hello(found, hidden.outer_name):
            raise ValueError(
                f"the ECHConfigList for {hostname!r} has no configuration that "
                f"{version_text()} can use"
            )
    elif hidden.grease:
        connection.grease_hello()


def _lists_for(hidden: HiddenNames, name: str) -> bytes | None:
    lists = hidden.lists
    if lists is None or isinstance(lists, bytes):
        return lists
    if isinstance(lists, Mapping):
        return lists.get(name)
    found = lists(name)
    if found is not None and not isinstance(found, bytes):
        raise TypeError(
            f"ech_config_list must return an ECHConfigList as bytes, or None, got "
            f"{type(found).__name__}"
        )
    return found

"""Encrypted ClientHello (ECH, RFC 9849) on clients."""

from __future__ import annotations

from .native import ffi, lib, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_SLOTS: tuple[str, ...] = ()  # the Connection has them
_STATUS = {
    lib.TK_ECH_NONE: "not used", lib.TK_ECH_GREASE: "grease", lib.TK_ECH_ACCEPTED: "accepted",
    lib.TK_ECH_REJECTED: "rejected",
}  # fmt: skip


class EncryptedHello:
    """The part of a client's Connection that encrypts its ClientHello."""

    __slots__ = _NO_SLOTS

    _conn: Any

    def encrypt_hello(self, configs: bytes, outer_name: str | None) -> bool:
        """Encrypt the ClientHello under one of these configurations (an ECHConfigList), with an
        outer name other than the configuration's if one is given; return False if libssl can use
        none. Corresponds to SSL_set1_ech_config_list(3).

        Raises:
            ValueError: the connection cannot use TLS 1.3, which ECH needs.
        """
        outer = ffi.NULL if outer_name is None else outer_name.encode("ascii")
        ok: int = lib.tk_conn_encrypt_hello(self._conn, configs, len(configs), outer)
        if ok < 0:
            raise ValueError(
                "Encrypted ClientHello needs TLS 1.3, which this context does not allow: see "
                "maximum_version and options"
            )
        return ok == 1

    def grease_hello(self) -> None:
        """Send what looks like an encrypted ClientHello. Corresponds to SSL_OP_ECH_GREASE."""
        lib.tk_conn_grease_hello(self._conn)

    @property
    def encrypts_hello(self) -> bool:
        """Whether the ClientHello is encrypted, in earnest."""
        return bool(lib.tk_conn_encrypts_hello(self._conn))

    def ech(self) -> tuple[str, str | None]:
        """Return the status, as in `SessionInfo.ech`, and the outer name. Corresponds to
        SSL_ech_get1_status(3).
        """
        found = ffi.new("tk_ech *")
        lib.tk_conn_ech(self._conn, found)
        outer = ffi.string(found.outer).decode("ascii", "backslashreplace")
        return ech_status(found.status), outer or None

    def ech_retry_configs(self) -> bytes | None:
        """Return the configurations that a server sent with its rejection, b"" if it sent none;
        None if it has not proved to be the outer name's. Corresponds to
        SSL_ech_get1_retry_config(3).
        """
        proved = []
        found = list(listed(lambda out: proved.append(lib.tk_conn_ech_retry(self._conn, out))))
        return (found[0][1] if found else b"") if any(proved) else None


def ech_status(status: int) -> str:
    """Return a status in words."""
    return _STATUS.get(status, "rejected")


def usable_configs(configs: bytes) -> int:
    """Return how many configurations of an ECHConfigList this OpenSSL can use. Corresponds to
    OSSL_ECHSTORE_num_entries(3).
    """
    count: int = lib.tk_ech_usable(configs, len(configs))
    return count

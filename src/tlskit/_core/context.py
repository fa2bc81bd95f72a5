"""The owner of an SSL_CTX. OpenSSL checks every setting: it takes effect, or it raises and changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from .cipher import CipherFacts, cipher_facts
from .credential import Credential
from .fault import from_queue, plain_error, unnumbered_error
from .hook_switches import HookSwitches
from .keylog import KeyLog
from .library import require
from .native import CONST, address_of, ffi, lib, listed, owned
from .negotiation import Negotiation
from .session import Session
from .tickets import Ring
from .trust import NOBODY, TrustStore
from .verifying import ContextVerifying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ROLES = {"any": lib.TK_ROLE_ANY, "client": lib.TK_ROLE_CLIENT, "server": lib.TK_ROLE_SERVER}
TUNINGS = {
    "fallback_scsv": lib.TK_TUNE_FALLBACK,
    "release_buffers": lib.TK_TUNE_RELEASE_BUFFERS,
    "auto_chain": lib.TK_TUNE_AUTO_CHAIN,
    "dh_auto": lib.TK_TUNE_AUTO_DH,
    "max_fragment_length": lib.TK_TUNE_MAX_FRAGMENT,
    "max_send_fragment": lib.TK_TUNE_SEND_FRAGMENT,
    "block_padding": lib.TK_TUNE_PADDING,
    "max_cert_list": lib.TK_TUNE_CERTIFICATES,
}
STATISTICS = (
    "number", "connect", "connect_good", "connect_renegotiate", "accept", "accept_good",
    "accept_renegotiate",
    "hits", "misses", "timeouts", "cache_full", "cb_hits",
)  # fmt: skip


class Context(HookSwitches, Negotiation, ContextVerifying):
    """An SSL_CTX: one state of a context. Once a connection has been made from it, nothing may be
    set any more; until then, only one thread at a time may set something.

    Args:
        role: "any", "client" or "server".
        before: the state that this one follows. Its sessions, their counters and OpenSSL's own
            ticket key are carried over; the settings are not.

    Attributes:
        trust: the certificates that it trusts.
    """

    __slots__ = ("address", "hooks", "role", "trust")

    hooks: int
    trust: TrustStore

    def __init__(self, role: str, before: Context | None = None) -> None:
        fault = ffi.new("tk_fault *")
        if before is None:
            pointer = lib.tk_ctx_new(ROLES[role], fault)
        else:
            pointer = lib.tk_ctx_next(before._ctx, fault)
        if pointer == ffi.NULL:
            from .diagnosis import explain_no_context

            raise explain_no_context(from_queue(fault))
        self._ctx = owned(pointer, lib.tk_ctx_free)
        self.address: int = address_of(pointer)
        self.role: str = role
        self.hooks = 0
        self.trust = NOBODY
        self._named: tuple[str, ...] = ()
        self._post_quantum = False
        self.wanted_groups: tuple[str, ...] = ()

    def _check(self, status: int, fault: Any) -> None:
        if status < 0:
            raise from_queue(fault)

    # -- plain settings: numbers -------------------------------------------------------------------

    @property
    def options(self) -> int:
        """The SSL_OP_ bits. Corresponds to SSL_CTX_set_options(3)."""
        n: int = lib.tk_ctx_options(self._ctx)
        return n

    @options.setter
    def options(self, value: int) -> None:
        lib.tk_ctx_set_options(self._ctx, value)

    @property
    def verify_mode(self) -> int:
        """The SSL_VERIFY_ bits. Corresponds to SSL_CTX_set_verify(3)."""
        n: int = lib.tk_ctx_verify_mode(self._ctx)
        return n

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        lib.tk_ctx_set_verify_mode(self._ctx, value)

    @property
    def verify_depth(self) -> int:
        """The highest number of CA certificates in a chain; -1 for OpenSSL's own limit. Corresponds
        to SSL_CTX_set_verify_depth(3).
        """
        n: int = lib.tk_ctx_verify_depth(self._ctx)
        return n

    @verify_depth.setter
    def verify_depth(self, value: int) -> None:
        lib.tk_ctx_set_verify_depth(self._ctx, value)

    @property
    def verify_flags(self) -> int:
        """The X509_V_FLAG_ bits. Corresponds to X509_VERIFY_PARAM_set_flags(3)."""
        n: int = lib.tk_ctx_verify_flags(self._ctx)
        return n

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        fault = ffi.new("tk_fault *")
        self._check(lib.tk_ctx_set_verify_flags(self._ctx, value, fault), fault)

    def set_host_flags(self, flags: int) -> None:
        """Set the X509_CHECK_FLAG_ bits. Corresponds to X509_VERIFY_PARAM_set_hostflags(3)."""
        lib.tk_ctx_set_host_flags(self._ctx, flags)

    @property
    def versions(self) -> tuple[int, int]:
        """The lowest and the highest protocol version; 0 for the library's own limit. Set both or
        neither.
        """
        return lib.tk_ctx_min_version(self._ctx), lib.tk_ctx_max_version(self._ctx)

    @versions.setter
    def versions(self, bounds: tuple[int, int]) -> None:
        fault = ffi.new("tk_fault *")
        if lib.tk_ctx_set_versions(self._ctx, *bounds, fault) < 0:
            lowest, highest = (f"{n:#06x}" if n else "any" for n in bounds)
            raise ValueError(
                f"OpenSSL does not accept the protocol versions from {lowest} to {highest}"
            )

    @property
    def security_level(self) -> int:
        """0 to 5. Corresponds to SSL_CTX_set_security_level(3)."""
        n: int = lib.tk_ctx_security_level(self._ctx)
        return n

    @security_level.setter
    def security_level(self, value: int) -> None:
        lib.tk_ctx_set_security_level(self._ctx, value)

    @property
    def num_tickets(self) -> int:
        """How many tickets a TLS 1.3 server sends after a full handshake. Corresponds to
        SSL_CTX_set_num_tickets(3).
        """
        n: int = lib.tk_ctx_num_tickets(self._ctx)
        return n

    @num_tickets.setter
    def num_tickets(self, value: int) -> None:
        if lib.tk_ctx_set_num_tickets(self._ctx, value) != 1:
            raise ValueError("failed to set num tickets.")

    def set_ring(self, ring: Ring | None) -> None:
        """Set the keys for tickets; None for libssl's own. Corresponds to
        SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
        """
        lib.tk_ctx_set_ring(self._ctx, ffi.NULL if ring is None else ring._ring)

    @property
    def ticket_keys(self) -> bytes:
        """libssl's own ticket key: name, HMAC, AES. Corresponds to
        SSL_CTX_set_tlsext_ticket_keys(3).
        """
        room = ffi.new("uint8_t[80]")
        try:
            if lib.tk_ctx_ticket_keys(self._ctx, room) < 0:
                raise plain_error("OpenSSL did not return its ticket key")
            return bytes(ffi.buffer(room))
        finally:
            lib.tk_wipe(room, len(room))

    @ticket_keys.setter
    def ticket_keys(self, value: bytes) -> None:
        if lib.tk_ctx_set_ticket_keys(self._ctx, value) < 0:
            raise plain_error("OpenSSL did not accept the ticket key")

    @property
    def max_early_data(self) -> int:
        """How many bytes of early data a server accepts; 0 for none. Corresponds to
        SSL_CTX_set_max_early_data(3).
        """
        n: int = lib.tk_ctx_max_early_data(self._ctx)
        return n

    @max_early_data.setter
    def max_early_data(self, size: int) -> None:
        lib.tk_ctx_set_max_early_data(self._ctx, size)

    @property
    def post_handshake_auth(self) -> bool:
        """Applies to future connections. Corresponds to SSL_set_post_handshake_auth(3) and
        SSL_VERIFY_POST_HANDSHAKE.
        """
        return bool(lib.tk_ctx_post_handshake_auth(self._ctx))

    @post_handshake_auth.setter
    def post_handshake_auth(self, on: bool) -> None:
        lib.tk_ctx_set_post_handshake_auth(self._ctx, on)

    def policy(self) -> tuple[int, ...]:
        """Return what a verification by this context depends on, in OpenSSL's terms: mode, depth,
        lowest and highest version, security level, flags for chains, flags for names.
        """
        p = ffi.new("tk_policy *")
        lib.tk_ctx_policy(self._ctx, p)
        return (
            p.verify_mode, p.verify_depth, p.min_version, p.max_version, p.security_level,
            p.verify_flags, p.host_flags,
        )  # fmt: skip

    def tune(self, what: str, value: int) -> None:
        """Set a number of the record layer or of messages: tk_api_tuning.h lists them."""
        if not lib.tk_ctx_tune(self._ctx, TUNINGS[what], value):
            raise ValueError(f"OpenSSL does not accept {value} as {what}")

    # -- lists -------------------------------------------------------------------------------------

    def set_ciphers(self, words: bytes) -> None:
        """Set the suites up to TLS 1.2. Corresponds to SSL_CTX_set_cipher_list(3), but a string
        that selects none changes nothing.
        """
        fault = ffi.new("tk_fault *")
        if lib.tk_ctx_set_ciphers(self._ctx, words, fault) < 0:
            raise unnumbered_error("No cipher can be selected.") from from_queue(fault)

    def set_ciphersuites(self, words: bytes) -> None:
        """Set the suites of TLS 1.3. Corresponds to SSL_CTX_set_ciphersuites(3)."""
        fault = ffi.new("tk_fault *")
        if lib.tk_ctx_set_ciphersuites(self._ctx, words, fault) < 0:
            raise plain_error("No cipher suite can be selected.") from from_queue(fault)

    def set_groups(self, words: bytes) -> None:
        """Set the key exchange groups, in order of preference. Corresponds to
        SSL_CTX_set1_groups_list(3).
        """
        fault = ffi.new("tk_fault *")
        if lib.tk_ctx_set_groups(self._ctx, words, fault) < 0:
            raise plain_error("unrecognized group") from from_queue(fault)

    def groups(self, *, aliases: bool) -> list[str]:
        """Return the groups that connections could use. Corresponds to
        SSL_CTX_get0_implemented_groups(3).
        """
        require("GROUP_LIST", "get_groups()")
        return [
            name.decode()
            for _, name in listed(lambda out: lib.tk_ctx_groups(self._ctx, aliases, out))
        ]

    def set_signature_algorithms(self, words: bytes, *, of_clients: bool) -> None:
        """Set how a side, or only a client, may sign. Corresponds to SSL_CTX_set1_sigalgs_list(3)
        and SSL_CTX_set1_client_sigalgs_list(3).
        """
        fault = ffi.new("tk_fault *")
        if lib.tk_ctx_set_sigalgs(self._ctx, of_clients, words, fault) < 0:
            raise plain_error("unrecognized signature algorithm") from from_queue(fault)

    def ciphers(self) -> Iterator[CipherFacts]:
        """Return the suites in force, in order of preference. Corresponds to SSL_get_ciphers(3)."""
        return cipher_facts(lambda out: lib.tk_ctx_ciphers(self._ctx, out))

    def set_dh(self, pem: bytes, *, accepted: bool) -> None:
        """Set parameters for finite-field Diffie-Hellman; `accepted` means by the security level
        that was in force when they were set. Corresponds to SSL_CTX_set0_tmp_dh_pkey(3).
        """
        fault = ffi.new("tk_fault *")
        self._check(lib.tk_ctx_set_dh(self._ctx, pem, len(pem), accepted, fault), fault)

    def set_alpn(self, wire: bytes) -> None:
        """Set the application protocols, each preceded by its length. Corresponds to
        SSL_CTX_set_alpn_protos(3).
        """
        if lib.tk_ctx_set_alpn(self._ctx, wire, len(wire)) < 0:
            raise plain_error("OpenSSL did not accept the list of application protocols")

    # -- certificates, trust, key log --------------------------------------------------------------

    def use(self, credential: Credential, *, accepted: bool) -> None:
        """Add a certificate with its chain and its key, beside those with other types of keys;
        `accepted` means by the security level that was in force when it was added.

        Raises:
            SSLError: it is too weak for the security level.
        """
        fault = ffi.new("tk_fault *")
        if lib.tk_ctx_use(self._ctx, credential._credential, accepted, fault) < 0:
            from .diagnosis import explain_loading

            raise explain_loading(from_queue(fault), fault)

    def set_ca_names(self, ders: tuple[bytes, ...]) -> None:
        """Name these authorities to clients. Corresponds to SSL_CTX_set_client_CA_list(3)."""
        joined, fault = b"".join(ders), ffi.new("tk_fault *")
        self._check(lib.tk_ctx_set_ca_names(self._ctx, joined, len(joined), fault), fault)

    def set_trust(self, store: TrustStore) -> None:
        """Set the trusted certificates. Corresponds to SSL_CTX_set1_cert_store(3)."""
        empty = store.empty and not store.directories
        lib.tk_ctx_set_trust(self._ctx, store._store, empty)
        self.trust = store

    def set_keylog(self, file: KeyLog | None) -> None:
        """Append the secrets of every connection to a file, from C. Corresponds to
        SSL_CTX_set_keylog_callback(3).
        """
        lib.tk_ctx_set_keylog(self._ctx, ffi.NULL if file is None else file._keylog)

    def want_removed(self, on: bool) -> None:
        """Set whether sessions that are removed from the cache are queued. Corresponds to
        SSL_CTX_sess_set_remove_cb(3).
        """
        lib.tk_ctx_tell_removed(self._ctx, on)

    def removed(self) -> Iterator[Session]:
        """Yield the queued removed sessions, oldest first."""
        while (session := lib.tk_ctx_next_removed(self._ctx)) != ffi.NULL:
            yield Session(session)

    def want_ticket_data(self, on: bool) -> None:
        """Set whether connections are asked for the application's data for each ticket. Corresponds
        to SSL_CTX_set_session_ticket_cb(3).
        """
        self._switch(lib.TK_HOOK_TICKET, on)

    def set_psk_hint(self, hint: bytes | None) -> None:
        """Set the hint that a TLS 1.2 server sends about the identity it wants. Corresponds to
        SSL_CTX_use_psk_identity_hint(3).
        """
        if not lib.tk_ctx_set_psk_hint(self._ctx, ffi.NULL if hint is None else hint):
            raise ValueError("failed to set identity hint")

    # -- the session cache -------------------------------------------------------------------------

    @property
    def cache_mode(self) -> int:
        """The SSL_SESS_CACHE_ bits. Corresponds to SSL_CTX_set_session_cache_mode(3)."""
        n: int = lib.tk_ctx_cache_mode(self._ctx)
        return n

    @cache_mode.setter
    def cache_mode(self, value: int) -> None:
        lib.tk_ctx_set_cache_mode(self._ctx, value)

    @property
    def cache_size(self) -> int:
        """How many sessions the cache holds; 0 for no limit. Corresponds to
        SSL_CTX_sess_set_cache_size(3).
        """
        n: int = lib.tk_ctx_cache_size(self._ctx)
        return n

    @cache_size.setter
    def cache_size(self, value: int) -> None:
        lib.tk_ctx_set_cache_size(self._ctx, value)

    @property
    def session_timeout(self) -> int:
        """Seconds. Corresponds to SSL_CTX_set_timeout(3)."""
        n: int = lib.tk_ctx_session_timeout(self._ctx)
        return n

    @session_timeout.setter
    def session_timeout(self, seconds: int) -> None:
        lib.tk_ctx_set_session_timeout(self._ctx, seconds)

    def set_id_context(self, value: bytes, *, stands_for_policy: bool = False) -> None:
        """Set the servers' session id context; `stands_for_policy` means that connections which may
        ask about the server name resume nothing. Corresponds to SSL_CTX_set_session_id_context(3).
        """
        if lib.tk_ctx_set_id_context(self._ctx, value, len(value), stands_for_policy) < 0:
            raise ValueError(
                f"a session id context must have at most {CONST.SSL_MAX_SID_CTX_LENGTH} bytes, got "
                f"{len(value)}"
            )

    def statistics(self) -> dict[str, int]:
        """Return the twelve counters. Corresponds to SSL_CTX_sess_number(3)."""
        out = ffi.new("tk_session_stats *")
        lib.tk_ctx_session_stats(self._ctx, out)
        return {name: getattr(out, name) for name in STATISTICS}

    def flush_sessions(self, at: int) -> None:
        """Remove sessions that expire by then. Corresponds to SSL_CTX_flush_sessions(3)."""
        lib.tk_ctx_flush_sessions(self._ctx, at)

    def add_session(self, session: Session) -> bool:
        """Add a session; return False if it is there already. Corresponds to
        SSL_CTX_add_session(3).
        """
        return bool(lib.tk_ctx_add_session(self._ctx, session._session) == 1)

    def remove_session(self, session: Session) -> bool:
        """Remove a session; return False if it is not there. Corresponds to
        SSL_CTX_remove_session(3).
        """
        return bool(lib.tk_ctx_remove_session(self._ctx, session._session) == 1)

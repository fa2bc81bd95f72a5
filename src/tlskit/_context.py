"""SSLContext: what connections are made from."""

from __future__ import annotations

import os
import ssl
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from _tlsbind import CONST

from . import _trust
from ._channel import Channel
from ._core.context import Context, PasswordWanted
from ._object import SSLObject
from ._socket import SSLSocket
from .enums import Options, TLSVersion, VerifyFlags, VerifyMode, _SSLMethod
from .errors import SSLError
from .sessions import ContextSessions, SSLSession

if TYPE_CHECKING:
    import socket

    from typing_extensions import Buffer

Password = "str | bytes | bytearray | Callable[[], str | bytes | bytearray] | None"
Path = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"

#: The stdlib's class, taken before anybody can have put another one in its place.
StdlibContext = ssl.SSLContext

DEFAULT_CIPHERS = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"

_ROLES = {_SSLMethod.PROTOCOL_TLS: "any", _SSLMethod.PROTOCOL_TLS_CLIENT: "client", _SSLMethod.PROTOCOL_TLS_SERVER: "server"}
_FIXED = {  # protocols that are one version, deprecated as they are
    _SSLMethod.PROTOCOL_TLSv1: CONST.TLS1_VERSION,
    _SSLMethod.PROTOCOL_TLSv1_1: CONST.TLS1_1_VERSION,
    _SSLMethod.PROTOCOL_TLSv1_2: CONST.TLS1_2_VERSION,
}
_VERSIONS = (CONST.SSL3_VERSION, CONST.TLS1_VERSION, CONST.TLS1_1_VERSION, CONST.TLS1_2_VERSION, CONST.TLS1_3_VERSION)
_OPTIONS = (
    CONST.SSL_OP_ALL & ~getattr(CONST, "SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS", 0)
    | CONST.SSL_OP_NO_SSLv3
    | CONST.SSL_OP_NO_COMPRESSION
    | CONST.SSL_OP_CIPHER_SERVER_PREFERENCE
    | CONST.SSL_OP_SINGLE_DH_USE
    | CONST.SSL_OP_SINGLE_ECDH_USE
    | CONST.SSL_OP_ENABLE_MIDDLEBOX_COMPAT
)
_DEPRECATED_OPTIONS = (
    CONST.SSL_OP_NO_SSLv3 | CONST.SSL_OP_NO_TLSv1 | CONST.SSL_OP_NO_TLSv1_1 | CONST.SSL_OP_NO_TLSv1_2 | CONST.SSL_OP_NO_TLSv1_3
)
_MODES = {
    VerifyMode.CERT_NONE: CONST.SSL_VERIFY_NONE,
    VerifyMode.CERT_OPTIONAL: CONST.SSL_VERIFY_PEER,
    VerifyMode.CERT_REQUIRED: CONST.SSL_VERIFY_PEER | CONST.SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
}


class SSLContext(StdlibContext):
    """Settings, certificates, trust and sessions for any number of connections.

    A subclass of `ssl.SSLContext`, so that libraries that check for one take it. The base has an SSL_CTX of its own
    that nothing uses: it is a client that trusts nobody, so whatever went past tlskit would fail.

    Settings may come from any thread; those made while connections exist hold for connections made later.

    Attributes:
        sessions: the session cache, its settings and its counters.
    """

    sslsocket_class: type[ssl.SSLSocket] = SSLSocket
    sslobject_class: type[ssl.SSLObject] = SSLObject
    _windows_cert_stores = ("CA", "ROOT")
    _aiofastnet_force_fallback_ssl = True  # it would take the SSL_CTX out of the dormant base

    sessions: ContextSessions

    def __new__(cls, protocol: int | None = None, *args: Any, **kwargs: Any) -> SSLContext:
        if protocol is None:
            warnings.warn("ssl.SSLContext() without protocol argument is deprecated.", category=DeprecationWarning, stacklevel=2)
            protocol = _SSLMethod.PROTOCOL_TLS
        protocol = _integer(protocol)
        if protocol not in _ROLES and protocol not in _FIXED:
            raise ValueError("invalid or unsupported protocol version")
        protocol = _SSLMethod(protocol)
        if protocol in _FIXED or protocol is _SSLMethod.PROTOCOL_TLS:
            warnings.warn(f"ssl.{protocol.name} is deprecated", category=DeprecationWarning, stacklevel=2)
        self: SSLContext = StdlibContext.__new__(cls, _SSLMethod.PROTOCOL_TLS_CLIENT)
        self._setup(protocol)
        return self

    def _setup(self, protocol: _SSLMethod) -> None:
        core = self._core = Context(_ROLES.get(protocol, "any"))
        self._protocol = protocol
        self._scope = object()  # what the sessions of this context carry, and nothing else
        self._check_hostname = protocol is _SSLMethod.PROTOCOL_TLS_CLIENT
        self._verify_mode = VerifyMode.CERT_REQUIRED if self._check_hostname else VerifyMode.CERT_NONE
        self._flags_for_hosts: int = CONST.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
        self._set_by_user = [False, False]  # the lowest and the highest version
        self._keylog: str | None = None
        self._sni_callback: Callable[..., Any] | None = None
        core.options = _OPTIONS
        core.versions = (_FIXED[protocol],) * 2 if protocol in _FIXED else (CONST.TLS1_2_VERSION, 0)
        core.verify_mode = _MODES[self._verify_mode]
        core.verify_flags = CONST.X509_V_FLAG_TRUSTED_FIRST
        core.set_host_flags(self._flags_for_hosts)
        core.set_ciphers(DEFAULT_CIPHERS.encode())
        self.sessions = ContextSessions(core)

    # -- connections ----------------------------------------------------------------------------------------------

    def wrap_socket(  # type: ignore[override]
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLSocket:
        """Put TLS over a connected, listening or unconnected stream socket, which becomes the result's.

        Args:
            sock: the socket; its descriptor moves into the result.
            server_side: whether this is the server's side.
            do_handshake_on_connect: make the handshake here, or in `connect`, or in the accepted connection's own call.
            suppress_ragged_eofs: read an end without close_notify as an ordinary end.
            server_hostname: the server's name or address, for the ClientHello and for verification.
            session: one to resume from. See `SSLSocket.session`.

        Raises:
            SSLCertVerificationError: the peer's certificate did not pass.
            SSLError: the handshake failed.
            ValueError: the arguments contradict each other, or the context.
        """
        return self.sslsocket_class._create(  # type: ignore[attr-defined,no-any-return]
            sock=sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
            context=self,
            session=session,
        )

    def wrap_bio(  # type: ignore[override]
        self,
        incoming: Any,
        outgoing: Any,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLObject:
        """Put TLS over two byte queues: tlskit's MemoryBIO, the stdlib's, or any object of that shape.

        Never blocks. The arguments mean what they mean in `wrap_socket`.
        """
        return self.sslobject_class._create(  # type: ignore[attr-defined,no-any-return]
            incoming,
            outgoing,
            server_side=server_side,
            server_hostname=self._encode_hostname(server_hostname),
            session=session,
            context=self,
        )

    def _encode_hostname(self, hostname: str | bytes | None) -> str | None:
        if hostname is None:
            return None
        name = hostname.encode("idna").decode("ascii") if isinstance(hostname, str) else hostname.decode("ascii")
        if not name or name.startswith("."):
            raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
        if "\0" in name:
            raise TypeError("server_hostname has a null character in it")
        return name

    def _connection(self, owner: Any, *, server_side: bool, server_hostname: str | None, fd: int, session: SSLSession | None) -> Channel:
        """The channel of an SSLSocket."""
        channel = Channel(self, owner, server_side=server_side, server_hostname=server_hostname, fd=fd)
        if session is not None:
            channel.session = session
        return channel

    def _check_role(self, server_side: bool) -> None:
        wrong = _SSLMethod.PROTOCOL_TLS_CLIENT if server_side else _SSLMethod.PROTOCOL_TLS_SERVER
        if self._protocol is wrong:
            side, other = ("server", "CLIENT") if server_side else ("client", "SERVER")
            raise SSLError(1, f"Cannot create a {side} socket with a PROTOCOL_TLS_{other} context")

    # -- protocol and options -------------------------------------------------------------------------------------

    @property
    def protocol(self) -> _SSLMethod:  # type: ignore[override]
        """The protocol that the context was made with."""
        return self._protocol

    @property
    def options(self) -> Options:
        """The SSL_OP_ bits. Corresponds to SSL_CTX_set_options(3)."""
        return Options(self._core.options)

    @options.setter
    def options(self, value: int) -> None:
        number = _unsigned(value)
        if number & ~self._core.options & _DEPRECATED_OPTIONS:
            warnings.warn("ssl.OP_NO_SSL*/ssl.OP_NO_TLS* options are deprecated", category=DeprecationWarning, stacklevel=2)
        self._core.options = number

    @property
    def minimum_version(self) -> TLSVersion:
        """The lowest protocol version: a TLSVersion, its number, or None for any. TLS 1.2 unless changed.

        Raises (when it is set):
            ValueError: OpenSSL has no such version, or `maximum_version` was set to a lower one; nothing changes then.
        """
        fixed = self._protocol in _FIXED
        return TLSVersion.MINIMUM_SUPPORTED if fixed else TLSVersion(self._core.versions[0] or TLSVersion.MINIMUM_SUPPORTED)

    @minimum_version.setter
    def minimum_version(self, value: int | None) -> None:
        self._set_version(0, value)

    @property
    def maximum_version(self) -> TLSVersion:
        """The highest protocol version: a TLSVersion, its number, or None for any. Corresponds to SSL_CTX_set_max_proto_version(3)."""
        fixed = self._protocol in _FIXED
        return TLSVersion.MAXIMUM_SUPPORTED if fixed else TLSVersion(self._core.versions[1] or TLSVersion.MAXIMUM_SUPPORTED)

    @maximum_version.setter
    def maximum_version(self, value: int | None) -> None:
        self._set_version(1, value)

    def _set_version(self, which: int, value: int | None) -> None:
        if self._protocol in _FIXED:
            raise ValueError("The context's protocol doesn't support modification of highest and lowest version.")
        number, exact = _version(which, value)
        bounds = list(self._core.versions)
        bounds[which] = number
        # A bound that nobody set is no contradiction yet: programs set the highest first, below our default lowest.
        if exact and self._set_by_user[1 - which] and all(bounds) and bounds[0] > bounds[1]:
            names = (TLSVersion(b).name for b in bounds)
            raise ValueError("the lowest protocol version ({}) would be above the highest ({})".format(*names))
        if exact and number in (TLSVersion.SSLv3, TLSVersion.TLSv1, TLSVersion.TLSv1_1):
            warnings.warn(f"ssl.TLSVersion.{TLSVersion(number).name} is deprecated", category=DeprecationWarning, stacklevel=3)
        self._core.versions = (bounds[0], bounds[1])
        self._set_by_user[which] = exact

    @property
    def security_level(self) -> int:
        """How weak keys, curves and hashes may be: 0 (all) to 5; 2 unless changed. Corresponds to SSL_CTX_set_security_level(3).

        Raises (when it is set):
            TypeError: the value is not a whole number.
            ValueError: it is below 0 or above 5.
        """
        return self._core.security_level

    @security_level.setter
    def security_level(self, value: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"a security level is a whole number, not {type(value).__name__}")
        if not 0 <= value <= 5:
            raise ValueError(f"a security level lies between 0 and 5, not at {value}")
        self._core.security_level = value

    def set_ciphers(self, cipherlist: str, /) -> None:
        """Choose the cipher suites up to TLS 1.2, in OpenSSL's words (openssl-ciphers(1)).

        Raises:
            SSLError: the words select nothing; the suites stay as they were.
        """
        self._core.set_ciphers(_words(cipherlist))

    def get_ciphers(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the suites in force, the preferred first, each a dictionary of what OpenSSL knows of it."""
        return [
            {
                "id": c.id, "name": c.name, "protocol": c.protocol, "description": c.description, "strength_bits": c.bits,
                "alg_bits": c.algorithm_bits, "aead": c.aead, "symmetric": c.symmetric, "digest": c.digest,
                "kea": c.key_exchange, "auth": c.authentication,
            }
            for c in self._core.ciphers()
        ]  # fmt: skip

    def set_ecdh_curve(self, name: str | bytes, /) -> None:
        """Allow one key exchange group only. Corresponds to SSL_CTX_set1_groups_list(3)."""
        if not isinstance(name, (str, bytes)):
            raise TypeError(f"a curve is named by a string, not by {type(name).__name__}")
        raw = os.fsencode(name)
        if not raw.replace(b"-", b"").replace(b"_", b"").isalnum():  # a list is not one curve
            raise ValueError(f"unknown elliptic curve name {name!r}")
        try:
            self._core.set_groups(raw)
        except SSLError as error:
            raise ValueError(f"unknown elliptic curve name {name!r}") from error

    def load_dh_params(self, path: Any, /) -> None:
        """Use the finite-field Diffie-Hellman parameters in this PEM file. Corresponds to SSL_CTX_set0_tmp_dh_pkey(3)."""
        self._core.set_dh(_read("path", path))

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Name the application protocols to offer, or to choose from on a server, the preferred first (RFC 7301)."""
        wire = bytearray()
        for protocol in alpn_protocols:
            raw = bytes(protocol, "ascii")
            if not 0 < len(raw) < 256:
                raise SSLError("ALPN protocols must be 1 to 255 in length")
            wire.append(len(raw))
            wire += raw
        self._core.set_alpn(bytes(wire))

    def set_npn_protocols(self, npn_protocols: Iterable[str]) -> NoReturn:
        """Refuse: the predecessor of ALPN is gone from OpenSSL."""
        warnings.warn("ssl NPN is deprecated, use ALPN instead", DeprecationWarning, stacklevel=2)
        raise NotImplementedError("The NPN extension requires OpenSSL 1.0.1 or later.")

    # -- verification ---------------------------------------------------------------------------------------------

    @property
    def verify_mode(self) -> VerifyMode:
        """Whether the peer must show a certificate that passes. Corresponds to SSL_CTX_set_verify(3)."""
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        number = _integer(value)
        if number not in tuple(VerifyMode):
            raise ValueError("invalid value for verify_mode")
        mode = VerifyMode(number)
        if mode is VerifyMode.CERT_NONE and self._check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        self._core.verify_mode = _MODES[mode]
        self._verify_mode = mode

    @property
    def check_hostname(self) -> bool:
        """Whether the certificate has to carry the server's name; setting it demands a certificate too."""
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value: object) -> None:
        if value and self._verify_mode is VerifyMode.CERT_NONE:
            self.verify_mode = VerifyMode.CERT_REQUIRED
        self._check_hostname = bool(value)

    @property
    def hostname_checks_common_name(self) -> bool:
        """Whether a certificate without subjectAltName may carry the name in its subject."""
        return not self._flags_for_hosts & CONST.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT

    @hostname_checks_common_name.setter
    def hostname_checks_common_name(self, value: object) -> None:
        never: int = CONST.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        self._host_flags = self._flags_for_hosts & ~never if value else self._flags_for_hosts | never

    @property
    def _host_flags(self) -> int:
        return self._flags_for_hosts

    @_host_flags.setter
    def _host_flags(self, value: int) -> None:
        self._core.set_host_flags(_integer(value))
        self._flags_for_hosts = value

    @property
    def verify_flags(self) -> VerifyFlags:
        """How a chain is verified. Corresponds to X509_VERIFY_PARAM_set_flags(3)."""
        return VerifyFlags(self._core.verify_flags)

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        self._core.verify_flags = _unsigned(value)

    @property
    def verify_depth(self) -> int:
        """How many authorities may stand between the peer and a trust anchor; -1: OpenSSL's own limit (100)."""
        return self._core.verify_depth

    @verify_depth.setter
    def verify_depth(self, value: int) -> None:
        number = _integer(value)
        if not -1 <= number < 2**31:
            raise ValueError(f"a verification depth is -1 or more, not {number}")
        self._core.verify_depth = number

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: str | Buffer | None = None) -> None:
        """Trust certificates: all that the arguments hold, or none.

        Args:
            cafile: a file of certificates (and CRLs) in PEM.
            capath: a directory of them, each under the hash of its subject (openssl-rehash(1)).
            cadata: PEM as a string, or DER as bytes.

        Raises:
            OSError: the file cannot be read.
            SSLError: there is no certificate in it, or one that cannot be read.
            TypeError: nothing was given, or of another type.
        """
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        _trust.load(self._core, _path("cafile", cafile), _path("capath", capath), cadata)

    def load_default_certs(self, purpose: Any = ssl.Purpose.SERVER_AUTH) -> None:
        """Trust the machine's authorities; silently none where it has none."""
        if not isinstance(purpose, ssl._ASN1Object):
            raise TypeError(purpose)
        if sys.platform == "win32":
            _trust.load_windows(self._core, self._windows_cert_stores, purpose.oid)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """Trust SSL_CERT_FILE and SSL_CERT_DIR, or else the interpreter's usual places, or else the distribution's."""
        _trust.load_defaults(self._core)

    def cert_store_stats(self) -> dict[str, int]:
        """Return how many certificates ("x509", "x509_ca") and CRLs ("crl") are trusted."""
        return self._core.trust.count()

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """Return the trusted authorities, as `getpeercert` shows a certificate. Those of a directory show once they were used."""
        ders = self._core.trust.authorities()
        if binary_form:
            return ders
        from ._core.certificate import Certificate

        return [Certificate.from_der(der).fields() for der in ders]

    # -- its own certificate --------------------------------------------------------------------------------------

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """Put a certificate, its chain and its private key in. Another key type may be put in beside it.

        Args:
            certfile: a file with the certificate, and after it its chain, in PEM.
            keyfile: a file with the private key in PEM; the certificate's file when left out.
            password: for an encrypted key: text, bytes, or a function that gives either; called only when needed.

        Raises:
            OSError: a file cannot be read.
            SSLError: what it holds is no certificate or key, they do not match, or are too weak for `security_level`.
            ValueError: the password is longer than 1024 bytes.
            TypeError: an argument has the wrong type.

        On any error, the certificate that was there before stays.
        """
        chain = _read("certfile", certfile)
        key = chain if keyfile is None else _read("keyfile", keyfile)
        if password is not None and not callable(password):
            return self._core.use_chain(chain, key, _password(password))
        try:
            return self._core.use_chain(chain, key, None)
        except PasswordWanted:
            if password is None:
                raise SSLError(1, "the private key is encrypted, and no password was given") from None
        return self._core.use_chain(chain, key, _password(password(), "password callback must return a string"))

    # -- servers --------------------------------------------------------------------------------------------------

    @property  # type: ignore[override]
    def sni_callback(self) -> Callable[[SSLSocket | SSLObject, str | None, SSLContext], int | None] | None:
        """Called in a server's handshake as `sni_callback(connection, server_name, context)`.

        It may set `connection.context` to another context, whose certificate is shown then (nothing else of it takes
        effect). It returns None to go on, or the number of an alert. It runs inside the handshake, in the thread that
        makes it; it must not use another connection that waits for this one.
        """
        return self._sni_callback

    @sni_callback.setter
    def sni_callback(self, callback: Callable[..., Any] | None) -> None:
        if self._protocol is _SSLMethod.PROTOCOL_TLS_CLIENT:
            raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
        if callback is not None and not callable(callback):
            raise TypeError("not a callable object")
        self._sni_callback = callback
        self._core.want_servername(callback is not None)

    def set_servername_callback(self, server_name_callback: Callable[..., Any] | None) -> None:
        """Set `sni_callback`, giving the callback an encoded name; kept for old programs."""
        if server_name_callback is None:
            self.sni_callback = None
            return
        if not callable(server_name_callback):
            raise TypeError("not a callable object")

        def with_encoded_name(connection: Any, name: str | None, context: SSLContext) -> Any:
            return server_name_callback(connection, self._encode_hostname(name), context)

        self.sni_callback = with_encoded_name

    @property
    def num_tickets(self) -> int:
        """How many tickets a TLS 1.3 server sends after a full handshake. Corresponds to SSL_CTX_set_num_tickets(3)."""
        return self._core.num_tickets

    @num_tickets.setter
    def num_tickets(self, value: int) -> None:
        number = _integer(value)
        if number < 0:
            raise ValueError("value must be non-negative")
        if self._protocol is not _SSLMethod.PROTOCOL_TLS_SERVER:
            raise ValueError("SSLContext is not a server context.")
        self._core.num_tickets = number

    @property
    def post_handshake_auth(self) -> bool:
        """Whether a TLS 1.3 client offers, and a server may ask for, a certificate after the handshake."""
        return self._core.post_handshake_auth

    @post_handshake_auth.setter
    def post_handshake_auth(self, value: object) -> None:
        self._core.post_handshake_auth = bool(value)

    # -- what can be seen -----------------------------------------------------------------------------------------

    def session_stats(self) -> dict[str, int]:
        """Return the stdlib's eleven counters; `sessions.stats()` has twelve. Corresponds to SSL_CTX_sess_number(3)."""
        counters = self._core.statistics()
        del counters["cb_hits"]
        return counters

    @property  # type: ignore[override]
    def keylog_filename(self) -> str | None:
        """A file to which the secrets of every connection are appended, for Wireshark; None: nowhere. For debugging only."""
        return self._keylog

    @keylog_filename.setter
    def keylog_filename(self, value: Any) -> None:
        path = None if value is None else os.fspath(value)
        if path is not None:
            with open(path, "ab"):  # so that what cannot be written is the operating system's own error
                pass
        self._core.set_keylog(None if path is None else os.fsencode(path))
        self._keylog = None if path is None else os.fsdecode(path)


def _refuse_what_is_not_ours() -> None:
    """A name of the stdlib's class that tlskit does not define would configure the dormant base, to no effect: refuse."""
    for name in dir(StdlibContext):
        if name not in vars(SSLContext) and not (name.startswith("__") and name.endswith("__")):
            setattr(SSLContext, name, _NotOurs(name))


class _NotOurs:
    def __init__(self, name: str) -> None:
        self.name = name

    def _refuse(self, *args: object) -> NoReturn:
        raise NotImplementedError(f"SSLContext.{self.name} is not part of this version of tlskit")

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._refuse()

    __set__ = __delete__ = __call__ = _refuse


_refuse_what_is_not_ours()


def _version(which: int, value: int | None) -> tuple[int, bool]:
    """OpenSSL's number for a bound, and whether it names one version (rather than any, the lowest or the highest)."""
    if value is None:
        return 0, False
    number = _integer(value)
    if number == (TLSVersion.MINIMUM_SUPPORTED, TLSVersion.MAXIMUM_SUPPORTED)[which]:
        return 0, False
    if number == TLSVersion.MINIMUM_SUPPORTED:
        return CONST.TLS1_VERSION, False
    if number == TLSVersion.MAXIMUM_SUPPORTED:
        return CONST.TLS1_3_VERSION, False
    if number not in _VERSIONS:
        raise ValueError(f"Unsupported TLS/SSL version {number:#x}")
    return number, True


def _integer(value: Any) -> int:
    if not hasattr(value, "__index__"):
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an integer")
    return int(value)


def _unsigned(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"argument must be int, not {type(value).__name__}")
    if value < 0:
        raise OverflowError("can't convert negative int to unsigned")
    if value >= 2**64:
        raise OverflowError("Python int too large to convert to C unsigned long")
    return int(value)


def _words(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"argument must be str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError("embedded null character")
    return value.encode()


def _path(name: str, value: Any) -> str | None:
    if value is None:
        return None
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise TypeError(f"{name} should be a valid filesystem path") from None
    if "\0" in path:
        raise ValueError("embedded null byte")
    return path


def _read(name: str, value: Any) -> bytes:
    path = _path(name, value)
    if path is None:
        raise TypeError(f"{name} should be a valid filesystem path")
    with open(path, "rb") as f:
        return f.read()


def _password(value: Any, complaint: str = "password should be a string or callable") -> bytes:
    if isinstance(value, str):
        raw = value.encode()
    elif isinstance(value, (bytes, bytearray)):
        raw = bytes(value)
    else:
        raise TypeError(complaint)
    return raw

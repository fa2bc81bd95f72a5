"""Functions that C calls in Python in the middle of a handshake.

The C side (tk_hooks.c) keeps the error queue and errno unchanged. On this side no exception
escapes: it is reported as unraisable, as in the stdlib, and kept on its connection, where it
becomes the cause of the SSLError.
"""

from __future__ import annotations

import sys
from ssl import AlertDescription, _TLSContentType, _TLSMessageType  # type: ignore[attr-defined]
from types import SimpleNamespace
from weakref import ref

from . import event_hooks
from .der import split
from .native import ffi, lib
from .psk import key_and_hash
from .verifying import REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

assert event_hooks  # importing it connects more functions


def handle_of(connection: Any) -> Any:
    """Return the handle by which C passes a connection to these functions."""
    return ffi.new_handle(ref(connection))


@ffi.def_extern(error=int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR))  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_servername(handle: Any, name: Any) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)  # the connection is gone
    try:
        wanted = ffi.string(name).decode("ascii", "surrogateescape") if name else None
        answer = connection.callbacks.on_servername(wanted)
        if answer is None:
            return lib.TK_ACKNOWLEDGED
        if isinstance(answer, int):
            return answer & 0xFF  # any other value refuses
        connection.hook_error = TypeError(
            f"sni_callback must return None or the number of an alert, got {type(answer).__name__}"
        )
        show_unraisable(connection.hook_error)
        return int(AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
    except BaseException as error:
        connection.hook_error = error
        show_unraisable(error)
        return int(AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE)


@ffi.def_extern(error=-1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_psk_client(handle: Any, hint: Any, identity: Any, room: Any, key: Any) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return 0
    connection.psk_offered = None
    try:
        answer = connection.callbacks.on_psk_client(_words(hint))
        if answer is None:
            return 0
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise TypeError(
                f"a PSK client callback must return a tuple of an identity and a key, or None, "
                f"got {type(answer).__name__}"
            )
        name, (secret, room.hash) = answer[0], key_and_hash(answer[1])
        raw = _identity(name)
        most = room.identity if room.modern else room.identity - 1
        if len(raw) > most:
            raise ValueError(
                f"a PSK identity of {len(raw)} bytes in UTF-8 is too long: {most} is the limit"
            )
        size = _fill(key, room.key, _read_only(secret, "key"))
        ended = raw if room.modern else raw + b"\0"
        ffi.buffer(identity, len(ended))[:] = ended
        room.identity = len(raw)
        connection.psk_offered = raw
        return size
    except BaseException as error:
        return _refused(connection, error)


@ffi.def_extern(error=-1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_psk_server(handle: Any, identity: Any, room: Any, key: Any) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return 0
    connection.psk_offered = None
    raw = bytes(ffi.buffer(identity, room.identity)) if identity else b""
    try:
        secret, kind = key_and_hash(connection.callbacks.on_psk_server(raw))
        if secret is None:
            return 0
        if not isinstance(secret, bytes):
            raise TypeError(
                f"a PSK server callback must return the key as bytes, or None, got "
                f"{type(secret).__name__}"
            )
        if kind == lib.TK_PSK_SHA384 and room.hash == lib.TK_PSK_SHA256:
            raise ValueError(
                "the pre-shared key is for SHA-384, and OpenSSL has chosen a cipher suite with "
                "SHA-256 before it asked for the key: allow this context only suites with "
                'SHA-384, with set_ciphersuites("TLS_AES_256_GCM_SHA384")'
            )
        size, room.hash = _fill(key, room.key, secret), kind
        connection.psk_offered = raw
        return size
    except BaseException as error:
        return _refused(connection, error)


@ffi.def_extern(error=-1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_ticket(handle: Any, into: Any, room: int) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return 0
    try:
        data = connection.callbacks.on_ticket()
        raw = b"" if data is None else bytes(memoryview(data))
        if len(raw) > room:
            raise ValueError(f"app_data must have at most {room} bytes, got {len(raw)}")
        ffi.buffer(into, len(raw))[:] = raw
        return len(raw)
    except BaseException as error:
        return _refused(connection, error)


@ffi.def_extern(error=-1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_session_id(handle: Any, into: Any, room: int) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return 0
    try:
        answer = connection.callbacks.on_session_id()
        if not isinstance(answer, bytes):
            raise TypeError(f"sessions.generate_id must return bytes, got {type(answer).__name__}")
        if not 1 <= len(answer) <= room:
            raise ValueError(
                f"sessions.generate_id must return between 1 and {room} bytes, got {len(answer)}"
            )
        ffi.buffer(into, len(answer))[:] = answer
        return len(answer)
    except BaseException as error:
        return _refused(connection, error)


@ffi.def_extern(error=0)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_verify(handle: Any, chain: Any, size: int) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return 0
    try:
        later = connection.callbacks.on_verify(tuple(split(bytes(ffi.buffer(chain, size)))))
        return lib.TK_VERIFY_LATER if later else 1
    except BaseException as error:
        _refused(connection, error)
        return 0


@ffi.def_extern(error=0)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_verify_each(handle: Any, der: Any, size: int, depth: int, code: int) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None:
        return REFUSED
    try:
        certificate = bytes(ffi.buffer(der, size)) if size else b""
        answer: int = connection.callbacks.on_verify_each(certificate, depth, code)
        return answer
    except BaseException as error:
        _refused(connection, error)
        return REFUSED


@ffi.def_extern(error=1)  # type: ignore[untyped-decorator,unused-ignore]
def tk_py_message(
    handle: Any, sent: int, version: int, content_type: int, data: Any, size: int
) -> int:
    connection = ffi.from_handle(handle)()
    if connection is None or connection.late_error is not None:
        return 0
    try:
        body = bytes(ffi.buffer(data, size)) if size else b""
        if content_type == _TLSContentType.HEADER and len(body) >= 3:
            version = body[1] << 8 | body[2]
        connection.callbacks.on_message(
            "write" if sent else "read",
            version,
            content_type,
            _message_type(content_type, body),
            body,
        )
        return 0
    except BaseException as error:
        connection.late_error = error
        return 1


def _message_type(content_type: int, body: bytes) -> int:
    """Return the message's type within its content type; -1 if unknown."""
    if content_type == _TLSContentType.CHANGE_CIPHER_SPEC:
        return int(_TLSMessageType.CHANGE_CIPHER_SPEC)
    at = {
        _TLSContentType.ALERT: 1,
        _TLSContentType.HANDSHAKE: 0,
        _TLSContentType.HEADER: 0,
        _TLSContentType.INNER_CONTENT_TYPE: 0,
    }.get(content_type)
    return body[at] if at is not None and at < len(body) else -1


def _words(text: Any) -> str | None:
    """Convert a C string in UTF-8; None for NULL or an empty one. If the peer has sent other bytes,
    they become surrogates.
    """
    raw = ffi.string(text) if text else b""
    return raw.decode("utf-8", "surrogateescape") if raw else None


def _identity(name: object) -> bytes:
    """Return the bytes of a client's identity; None is an empty one."""
    if isinstance(name, str):
        return name.encode()
    return b"" if name is None else _read_only(name, "identity")


def _read_only(value: Any, what: str) -> bytes:
    view = memoryview(value)
    if not view.readonly:
        raise TypeError(
            f"the {what} of a PSK callback must be bytes, got {type(value).__name__}, which could "
            f"change meanwhile"
        )
    return bytes(view)


def _fill(key: Any, room: int, secret: bytes) -> int:
    """Copy a key to libssl, and return its length."""
    if len(secret) > room:
        raise ValueError(
            f"a pre-shared key of {len(secret)} bytes is too long: {room} is the limit"
        )
    ffi.buffer(key, len(secret))[:] = secret
    return len(secret)


def _refused(connection: Any, error: BaseException) -> int:
    """Keep the error for the operation to raise."""
    if connection.late_error is None:
        connection.late_error = error
    return -1


def show_unraisable(error: BaseException) -> None:
    """Pass an exception to sys.unraisablehook.

    On CPython, only the interpreter itself can call it with the right argument. PyPy would run
    `__del__` at some later garbage collection, but lets anybody call the hook.
    """
    if sys.implementation.name == "cpython":
        _Messenger(error)
        return
    sys.unraisablehook(
        SimpleNamespace(
            exc_type=type(error),
            exc_value=error,
            exc_traceback=error.__traceback__,
            err_msg="Exception ignored in a callback of tlskit",
            object=None,
            extra_line="",
        )
    )


class _Messenger:
    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error

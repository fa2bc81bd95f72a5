"""The names of the `ssl` module: what the running Python has is in tlskit too, with the same
signature and the same value.

What is missing on purpose is listed here, name by name. A list that has become too long fails too.
"""

from __future__ import annotations

import inspect
import ssl as stdlib
import types

import pytest

import tlskit
from tlskit._stdlib.dormant import Dormant, NotOurs

from ..support.pypy import OF_PYPY, PYPY, SLOTS

CLASSES = ["SSLContext", "SSLSocket", "SSLObject", "MemoryBIO", "SSLSession"]

#: A source of randomness that no OpenSSL tlskit builds with has.
GONE = {"RAND_egd"}
#: What `ssl` imports for itself, and how it is made.
INTERNAL = {
    "_GLOBAL_DEFAULT_TIMEOUT", "_Enum", "_IntEnum", "_IntFlag", "_SSLContext", "_SSLv2_IF_EXISTS",
    "_nid2obj", "_simple_enum", "_ssl",
    "_sslcopydoc", "_txt2obj", "base64", "create_connection", "errno", "namedtuple", "os",
    "socket", "sys", "warnings",
    "_GiveupOnSSLSendfile", "_check_sslobject_params", "_socket",  # 3.15
}  # fmt: skip
#: Of the contexts: refused with a sentence, so that they do not configure the dormant base in
#: silence.
REFUSED = {
    "_set_npn_protocols",
    "_wrap_bio",
    "_wrap_socket",
}


def public(module):
    return {name for name in dir(module) if not (name.startswith("__") and name.endswith("__"))}


def constants(module):
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() or name.split("_")[0] in ("OP", "HAS", "PROTOCOL", "VERIFY")
    }


# -- the module ------------------------------------------------------------------------------------


def test_every_name_of_the_module():
    missing = public(stdlib) - public(tlskit)
    assert missing <= GONE | INTERNAL | OF_PYPY


def test_no_name_is_missing_for_nothing():
    """What is there need not be listed as missing."""
    assert not (GONE | INTERNAL) & set(tlskit.__all__)


@pytest.mark.parametrize(
    "name",
    sorted(n for n in dir(stdlib) if isinstance(getattr(stdlib, n), types.ModuleType))
    + [
        n
        for n in ("create_connection", "namedtuple", "_GLOBAL_DEFAULT_TIMEOUT")
        if hasattr(stdlib, n)
    ],
)
def test_what_the_module_has_imported(name):
    """Programs find `ssl.socket` and `ssl.errno` there, and use them."""
    assert getattr(tlskit, name) is getattr(stdlib, name)
    assert name not in tlskit.__all__


@pytest.mark.parametrize(
    "name", ["nosuchname", "__nosuchname__", "_SSLContext", "_create_stdlib_contexts", "RAND_egd"]
)
def test_other_names_are_not_there(name):
    """Least of all what would work without tlskit."""
    with pytest.raises(AttributeError, match=f"module 'tlskit' has no attribute '{name}'"):
        getattr(tlskit, name)


def test_all_is_what_there_is():
    namespace = {}
    exec("from tlskit import *", namespace)
    assert set(tlskit.__all__) <= set(namespace)
    assert len(tlskit.__all__) == len(set(tlskit.__all__))
    assert {name for name in tlskit.__all__ if name.startswith("_")} == set()


def test_a_star_import_has_what_the_stdlibs_has():
    theirs, ours = {}, {}
    exec("from ssl import *", theirs)
    exec("from tlskit import *", ours)
    modules = {name for name, value in theirs.items() if isinstance(value, types.ModuleType)}
    assert set(theirs) - set(ours) - modules <= GONE | INTERNAL | OF_PYPY


SHARED = sorted(set(constants(stdlib)) & set(dir(tlskit)))


@pytest.mark.parametrize("name", SHARED)
def test_values(name):
    theirs, ours = getattr(stdlib, name), getattr(tlskit, name)
    if name.startswith(("OPENSSL", "_OPENSSL")):
        assert type(theirs) is type(ours)
        return
    if name in (
        "_DEFAULT_CIPHERS",
        "_RESTRICTED_SERVER_CIPHERS",
    ):  # a distribution may have built its own in
        assert isinstance(ours, str)
        return
    if name in ("HAS_PSK", "HAS_PSK_TLS13", "HAS_PHA", "HAS_SSLv3", "HAS_TLSv1", "HAS_TLSv1_1"):
        assert isinstance(ours, bool)
        return
    assert ours == theirs
    assert type(ours) is type(theirs)


def test_the_constants_of_openssl_are_there():
    """Enough of them that the test above is not an empty one."""
    assert len(SHARED) > 80
    assert {
        "OP_NO_TLSv1_3",
        "CERT_REQUIRED",
        "PROTOCOL_TLS_CLIENT",
        "SSL_ERROR_EOF",
        "VERIFY_X509_STRICT",
        "HAS_SNI",
    } <= set(SHARED)


@pytest.mark.parametrize(
    "name",
    [
        "Options",
        "VerifyMode",
        "VerifyFlags",
        "TLSVersion",
        "AlertDescription",
        "SSLErrorNumber",
        "Purpose",
        "_SSLMethod",
        "_ASN1Object",
    ],
)
def test_enumerations_are_the_stdlibs_own(name):
    assert getattr(tlskit, name) is getattr(stdlib, name)


EXCEPTIONS = [
    name
    for name in public(stdlib) - INTERNAL
    if isinstance(kind := getattr(stdlib, name), type) and issubclass(kind, Exception)
]


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_are_the_stdlibs_own(name):
    assert getattr(tlskit, name) is getattr(stdlib, name)


def test_the_version_of_openssl():
    assert tlskit.OPENSSL_VERSION.startswith("OpenSSL ")
    assert tlskit.OPENSSL_VERSION_NUMBER >= 0x30000000
    major, minor, *_ = tlskit.OPENSSL_VERSION_INFO
    assert f" {major}.{minor}." in tlskit.OPENSSL_VERSION
    if tlskit.OPENSSL_VERSION == stdlib.OPENSSL_VERSION:
        for name in ("OPENSSL_VERSION_NUMBER", "OPENSSL_VERSION_INFO"):
            assert getattr(tlskit, name) == getattr(stdlib, name)


def test_the_version_of_the_headers():
    """A distribution goes on with its OpenSSL after it has built Python: they need not be one."""
    assert len(tlskit._OPENSSL_API_VERSION) == len(stdlib._OPENSSL_API_VERSION)
    assert (3, 0) <= tlskit._OPENSSL_API_VERSION[:2] <= tlskit.OPENSSL_VERSION_INFO[:2]


# -- signatures ------------------------------------------------------------------------------------


def signature(thing):
    """The parameters as a caller sees them; None where Python cannot tell."""
    try:
        found = inspect.signature(thing)
    except (ValueError, TypeError):
        return None
    return [(p.name, p.kind, repr(p.default)) for p in found.parameters.values()]


def same_call(theirs, ours):
    """Whether whoever calls the one can call the other. What tlskit adds is keyword-only, and has a
    default.
    """
    if theirs is None or ours is None or theirs == ours:
        return True
    if any(
        kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        for _, kind, _ in theirs
    ):
        return True
    keyword, needed = inspect.Parameter.KEYWORD_ONLY, repr(inspect.Parameter.empty)
    beyond = [row for row in ours if row[1] is keyword and row not in theirs and row[2] != needed]
    ours = [row for row in ours if row not in beyond]
    return len(theirs) == len(ours) and all(
        b == a
        or (b[2] == a[2] and a[1] is inspect.Parameter.POSITIONAL_ONLY)
        or (b[0] == a[0] and b[2] == a[2] and b[1] is EITHER)
        or (PYPY and b[2] == a[2] and b[1] is inspect.Parameter.POSITIONAL_ONLY)  # as in C
        for a, b in zip(theirs, ours, strict=True)
    )


EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


FUNCTIONS = sorted(
    name for name in public(stdlib) & public(tlskit) if inspect.isroutine(getattr(stdlib, name))
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    theirs, ours = signature(getattr(stdlib, name)), signature(getattr(tlskit, name))
    if name == "get_server_certificate":  # the stdlib's default is an object of its own
        assert [row[0] for row in theirs] == [row[0] for row in ours]
        return
    assert same_call(theirs, ours), f"{theirs}\n{ours}"


def methods():
    for kind in CLASSES:
        theirs, ours = getattr(stdlib, kind), getattr(tlskit, kind)
        for name in sorted(public(theirs) & public(ours)):
            if callable(getattr(theirs, name)) and not isinstance(getattr(theirs, name), type):
                yield kind, name


@pytest.mark.parametrize(("kind", "name"), list(methods()))
def test_methods(kind, name):
    theirs, ours = getattr(getattr(stdlib, kind), name), getattr(getattr(tlskit, kind), name)
    if isinstance(ours, NotOurs):
        pytest.skip("refused")
    assert same_call(signature(theirs), signature(ours)), f"{signature(theirs)}\n{signature(ours)}"


# -- classes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLASSES)
def test_every_attribute_of_the_classes(kind):
    missing = public(getattr(stdlib, kind)) - public(getattr(tlskit, kind))
    assert missing == set()


def test_subclasses():
    for kind in ("SSLContext", "SSLSocket", "SSLObject"):
        assert issubclass(getattr(tlskit, kind), getattr(stdlib, kind))
        assert getattr(tlskit, kind) is not getattr(stdlib, kind)
    for kind in ("MemoryBIO", "SSLSession"):
        assert getattr(tlskit, kind) is not getattr(stdlib, kind)


def test_no_public_constructors():
    for kind in ("SSLSocket", "SSLObject", "SSLSession"):
        for module in (stdlib, tlskit):
            with pytest.raises(TypeError):
                getattr(module, kind)()


@pytest.mark.parametrize("kind", ["SSLContext", "SSLSocket", "SSLObject", "SSLSession"])
def test_properties_stay_properties(kind):
    theirs, ours = getattr(stdlib, kind), getattr(tlskit, kind)
    data = (property, types.GetSetDescriptorType, types.MemberDescriptorType)
    for name in sorted(public(theirs) & public(ours)):
        if isinstance(inspect.getattr_static(theirs, name), data):
            mine = inspect.getattr_static(ours, name)
            assert isinstance(mine, (*data, NotOurs)), name


def test_module_names():
    for kind in CLASSES:
        assert getattr(tlskit, kind).__name__ == kind
        assert getattr(tlskit, kind).__module__.startswith("tlskit")


# -- the dormant base ------------------------------------------------------------------------------


def base_names():
    return {
        name
        for name in dir(stdlib.SSLContext)
        if not (name.startswith("__") and name.endswith("__"))
    }


def test_every_inherited_name_is_shadowed():
    """Otherwise it would configure an SSL_CTX that nobody uses."""
    for name in base_names() - SLOTS:
        kind = next(kind for kind in tlskit.SSLContext.__mro__ if name in vars(kind))
        assert kind.__module__.startswith("tlskit."), name


def test_what_is_refused():
    refused = {name for name, value in vars(Dormant).items() if isinstance(value, NotOurs)}
    assert refused <= REFUSED | OF_PYPY
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    for name in refused:
        with pytest.raises(NotImplementedError, match=name):
            getattr(context, name)
        with pytest.raises(NotImplementedError, match=name):
            setattr(context, name, None)
        with pytest.raises(NotImplementedError, match=name):
            delattr(context, name)


def test_the_base_trusts_nobody(pki):
    """Whatever goes past tlskit fails closed: the base is a client that verifies and has no
    authority.
    """
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.root)
    context.check_hostname = False
    context.verify_mode = tlskit.CERT_NONE
    context.load_cert_chain(pki.client.chain, pki.client.key)
    base = stdlib._ssl._SSLContext
    assert base.verify_mode.__get__(context) == stdlib.CERT_REQUIRED
    assert base.check_hostname.__get__(context) is True
    assert base.cert_store_stats(context) == {"x509": 0, "x509_ca": 0, "crl": 0}
    assert base.get_ca_certs(context) == []
    assert base.protocol.__get__(context) == stdlib.PROTOCOL_TLS_CLIENT


def test_a_handshake_of_the_base_fails(pki):
    from ..support.pairs import server_context, shake

    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.root)
    to_client, to_server = stdlib.MemoryBIO(), stdlib.MemoryBIO()
    raw = stdlib._ssl._SSLContext._wrap_bio(
        context, to_client, to_server, server_side=False, server_hostname="localhost"
    )
    far = server_context(pki, module=stdlib).wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(stdlib.SSLCertVerificationError):
        shake(raw, far)


def test_instances(pki):
    from ..support.pairs import client_context, memory_pair, server_context, socket_pair

    client, server = client_context(pki), server_context(pki)
    assert isinstance(client, stdlib.SSLContext)
    near, _ = memory_pair(client, server)
    assert isinstance(near, stdlib.SSLObject)
    assert near._sslobj.owner is near
    assert near.context is client
    with socket_pair(client, server) as (near, _):
        assert isinstance(near, stdlib.SSLSocket)
        assert near._sslobj.owner is near
        assert near.context is client


#: What others ask of `_sslobj`: httpcore of the ALPN result, CPython's tests of the chains,
#: truststore and gevent of the rest.
INNER = [
    "cipher", "compression", "context", "do_handshake", "get_channel_binding", "getpeercert",
    "owner", "pending", "read",
    "selected_alpn_protocol", "server_hostname", "server_side", "session", "session_reused",
    "shared_ciphers", "shutdown",
    "verify_client_post_handshake", "version", "write", "get_verified_chain",
    "get_unverified_chain",
    "group", "client_sigalg", "server_sigalg", "uses_ktls_for_send", "uses_ktls_for_recv",
    "sendfile",
]  # fmt: skip


@pytest.mark.parametrize("name", INNER)
def test_the_inner_object(pki, name):
    """Design, section 6: "with a working `_sslobj`"."""
    from ..support.pairs import client_context, memory_pair, server_context

    inner = getattr(stdlib._ssl, "_SSLSocket", object)  # PyPy's has no such name
    for module in (stdlib, tlskit) if hasattr(inner, name) else (tlskit,):
        near, _ = memory_pair(
            client_context(pki, module=module), server_context(pki, module=module), module=module
        )
        assert hasattr(near._sslobj, name)
        if name in (
            "cipher",
            "compression",
            "getpeercert",
            "pending",
            "selected_alpn_protocol",
            "version",
        ):
            assert getattr(near._sslobj, name)() == getattr(near, name)()


def test_a_flag_for_those_who_look_into_contexts():
    assert tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)._aiofastnet_force_fallback_ssl is True


def test_names_beyond_the_stdlib():
    """What the design promises on top."""
    beyond = {
        "SessionCacheMode",
        "SessionStats",
        "ErrorEntry",
        "OP_ALLOW_NO_DHE_KEX",
        "OP_PRIORITIZE_CHACHA",
        "OP_NO_ENCRYPT_THEN_MAC",
    }
    beyond |= {"SessionInfo", "CipherInfo", "KeyInfo"}
    assert beyond <= set(tlskit.__all__)

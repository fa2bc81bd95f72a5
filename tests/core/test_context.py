"""SSLContext: every setting, compared with the stdlib's answer to the same input where it has one,
and seen to take effect.

A setting that is refused leaves the one before it in force.
"""

from __future__ import annotations

import copy
import datetime
import gc
import os
import pathlib
import pickle
import ssl as stdlib
import subprocess
import sys
import weakref

import pytest

import tlskit
from tlskit import TLSVersion

from ..stdlib.compare import MODULES, compared, outcome, quiet, same_openssl, suites
from ..support import peers
from ..support.pairs import client_context, memory_pair, only, server_context, shake, take_tickets
from ..support.pypy import PYPY

PROTOCOLS = [
    "PROTOCOL_TLS",
    "PROTOCOL_TLS_CLIENT",
    "PROTOCOL_TLS_SERVER",
    "PROTOCOL_TLSv1",
    "PROTOCOL_TLSv1_1",
    "PROTOCOL_TLSv1_2",
]
CURRENT = ["PROTOCOL_TLS_CLIENT", "PROTOCOL_TLS_SERVER"]
ODD = [None, "1", b"1", 1.5, [], object()]


def make(module, protocol="PROTOCOL_TLS_CLIENT"):
    return quiet(lambda: module.SSLContext(getattr(module, protocol)))


@pytest.fixture
def context():
    return tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def server(pki):
    return server_context(pki)


@pytest.fixture
def client(pki):
    return client_context(pki)


def set_and_read(name, value, protocol="PROTOCOL_TLS_CLIENT"):
    """What a fresh context says after a setting: of the setting itself, and of what it might have
    touched.
    """

    def work(module):
        fresh = make(module, protocol)
        setattr(fresh, name, value)
        seen = [getattr(fresh, each) for each in {name: 0, "check_hostname": 0, "verify_mode": 0}]
        return seen, [type(each).__name__ for each in seen]

    return work


# -- making one ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_protocol(protocol):
    result = compared(lambda module: repr(module.SSLContext(getattr(module, protocol)).protocol))
    assert result.raised is None


def test_without_a_protocol():
    result = compared(lambda module: repr(module.SSLContext().protocol))
    assert [category for category, _ in result.warned] == [DeprecationWarning] * 2


@pytest.mark.parametrize("bad", [-1, 1, 6, 15, 18, 100, 2**31 - 1])
def test_a_protocol_that_is_none(bad):
    assert compared(lambda module: module.SSLContext(bad)).raised is ValueError


@pytest.mark.parametrize("bad", ["TLS", 16.0, 16.5, [], b"16"])
def test_a_protocol_of_the_wrong_type(bad):
    assert compared(lambda module: module.SSLContext(bad)).raised is TypeError


def test_other_arguments_are_for_subclasses():
    class Mine(tlskit.SSLContext):
        def __init__(self, protocol, name, *, color):
            self.name, self.color = name, color

    mine = Mine(tlskit.PROTOCOL_TLS_CLIENT, "mine", color="green")
    assert (mine.name, mine.color, mine.protocol) == ("mine", "green", tlskit.PROTOCOL_TLS_CLIENT)
    assert isinstance(mine, stdlib.SSLContext)


def test_the_protocol_cannot_be_changed(context):
    with pytest.raises(AttributeError):
        context.protocol = tlskit.PROTOCOL_TLS_SERVER


@pytest.mark.parametrize(
    "work", [pickle.dumps, copy.copy, copy.deepcopy], ids=lambda work: work.__name__
)
def test_it_is_neither_pickled_nor_copied(work):
    compared(lambda module: work(make(module)))
    with pytest.raises(TypeError):
        work(make(tlskit))


def test_it_is_freed(pki):
    """No cycle keeps a context alive: not its facet, its callbacks or its connections."""
    context = server_context(pki)
    context.sni_callback = lambda connection, name, context: None
    context.sessions.on_new = lambda connection, session: None
    memory_pair(client_context(pki), context)
    gone = weakref.ref(context)
    del context
    gc.collect()
    assert gone() is None


def test_a_connection_outlives_its_context(pki):
    near, far = memory_pair(client_context(pki), server_context(pki))
    gc.collect()
    far.write(b"still here")
    assert near.read(20) == b"still here"


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        0,
        1,
        0x4000,
        stdlib.OP_ALL,
        stdlib.OP_NO_TICKET,
        stdlib.OP_NO_TLSv1_2,
        stdlib.OP_NO_TLSv1_3 | 4,
    ],
)
def test_options(protocol, value):
    assert compared(set_and_read("options", value, protocol)).raised is None


@pytest.mark.parametrize("bad", [*ODD, 2**64, 2**70, -(2**70)])
def test_options_of_the_wrong_type_or_size(bad):
    assert compared(set_and_read("options", bad)).raised in (TypeError, ValueError, OverflowError)


def test_options_are_set_and_cleared_one_by_one(context):
    before = context.options
    context.options |= tlskit.OP_NO_TICKET
    assert context.options == before | tlskit.OP_NO_TICKET
    context.options &= ~tlskit.OP_NO_TICKET
    assert context.options == before
    assert isinstance(context.options, tlskit.Options)


def test_options_of_later_openssl_survive(context):
    """Bits that nobody here has a name for are not lost."""
    context.options |= 1 << 40
    assert context.options & 1 << 40
    context.options |= tlskit.OP_NO_TICKET
    assert context.options & 1 << 40


def test_refused_options_change_nothing(context):
    before = context.options
    for bad in ODD:
        with pytest.raises(TypeError):
            context.options = bad
    assert context.options == before


def test_options_take_effect(pki, client, server):
    """Also on later connections of a context that has had others."""
    near, _ = memory_pair(client, server)
    assert near.version() == "TLSv1.3"
    with pytest.warns(DeprecationWarning, match="OP_NO_TLS"):
        client.options |= tlskit.OP_NO_TLSv1_3
    near, _ = memory_pair(client, server)
    assert near.version() == "TLSv1.2"
    client.options &= ~tlskit.OP_NO_TLSv1_3
    near, _ = memory_pair(client, server)
    assert near.version() == "TLSv1.3"


# -- versions --------------------------------------------------------------------------------------

VERSIONS = [*TLSVersion, 0x0303, 0x0304, -1, -2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
@pytest.mark.parametrize("value", [v for v in VERSIONS if v != TLSVersion.SSLv3], ids=repr)
def test_versions(protocol, name, value):
    compared(set_and_read(name, value, protocol))


@same_openssl
@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
def test_the_version_that_may_not_exist(name):
    compared(set_and_read(name, TLSVersion.SSLv3))


@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
@pytest.mark.parametrize("bad", [0, 1, 2, 0x0305, 0x0299, 772000, -3])
def test_versions_that_are_none(name, bad):
    result = compared(set_and_read(name, bad))
    assert result.raised is ValueError


@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
@pytest.mark.parametrize("bad", [v for v in ODD if v is not None and v != "1"], ids=repr)
def test_versions_of_the_wrong_type(name, bad):
    assert compared(set_and_read(name, bad)).raised is TypeError


@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
@pytest.mark.parametrize("bad", ["1", "", "TLSv1.9", "TLS 1.2\0"])
def test_versions_by_a_name_that_none_has(context, name, bad):
    """A name of a version is accepted, unlike in the stdlib; another string is a ValueError."""
    before = getattr(context, name)
    with pytest.raises(ValueError, match="version"):
        setattr(context, name, bad)
    assert getattr(context, name) == before


def test_versions_as_integers_read_as_members(context):
    context.minimum_version = 0x0303
    assert context.minimum_version is TLSVersion.TLSv1_2
    context.maximum_version = 0x0304
    assert context.maximum_version is TLSVersion.TLSv1_3


def test_none_is_any_version(context, client, server):
    context.minimum_version = context.maximum_version = TLSVersion.TLSv1_2
    context.minimum_version = context.maximum_version = None
    assert context.minimum_version is TLSVersion.MINIMUM_SUPPORTED
    assert context.maximum_version is TLSVersion.MAXIMUM_SUPPORTED
    client.maximum_version = TLSVersion.TLSv1_2
    client.maximum_version = None
    near, _ = memory_pair(client, server)
    assert near.version() == "TLSv1.3"


def test_from_one_version_to_another(context):
    """Programs move the bounds one by one: the way out of a pair is never blocked."""
    context.minimum_version = context.maximum_version = TLSVersion.TLSv1_2
    context.maximum_version = TLSVersion.TLSv1_3
    context.minimum_version = TLSVersion.TLSv1_3
    context.minimum_version = TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = TLSVersion.TLSv1_2
    assert (context.minimum_version, context.maximum_version) == (
        TLSVersion.MINIMUM_SUPPORTED,
        TLSVersion.TLSv1_2,
    )


def test_the_highest_first_below_the_default_lowest(context):
    """A default is no contradiction."""
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = TLSVersion.TLSv1_1
    assert context.maximum_version is TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = TLSVersion.TLSv1
    assert context.minimum_version is TLSVersion.TLSv1


@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
def test_a_refused_version_changes_nothing(context, name):
    setattr(context, name, TLSVersion.TLSv1_3)
    for bad in (0, 0x0305, "TLSv1.9", 1.5):
        with pytest.raises((ValueError, TypeError)):
            setattr(context, name, bad)
    assert getattr(context, name) is TLSVersion.TLSv1_3


def test_versions_take_effect(client, server, version):
    only(version, client)
    near, far = memory_pair(client, server)
    assert (
        near.version()
        == far.version()
        == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    )


def test_versions_that_do_not_meet(client, server):
    only(TLSVersion.TLSv1_2, client)
    only(TLSVersion.TLSv1_3, server)
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


@pytest.mark.parametrize("name", ["minimum_version", "maximum_version"])
def test_a_protocol_that_is_one_version(name):
    result = compared(set_and_read(name, TLSVersion.TLSv1_2, "PROTOCOL_TLSv1_2"))
    assert result.raised is ValueError
    result = compared(lambda module: getattr(make(module, "PROTOCOL_TLSv1_1"), name))
    assert result.raised is None


# -- security level --------------------------------------------------------------------------------


def test_the_level_by_default():
    assert compared(lambda module: make(module).security_level).raised is None
    assert make(tlskit).security_level == 2


@pytest.mark.parametrize("level", range(6))
def test_the_level_can_be_set(context, level):
    context.security_level = level
    assert context.security_level == level


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (-1, ValueError),
        (6, ValueError),
        (2**40, ValueError),
        (None, TypeError),
        ("1", TypeError),
        (1.0, TypeError),
        (True, TypeError),
    ],
)
def test_a_level_out_of_range(context, bad, error):
    context.security_level = 1
    with pytest.raises(error):
        context.security_level = bad
    assert context.security_level == 1


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    """Certificates with RSA keys of 1024 and 2048 bits, and whom to trust for them."""
    from ..sessions.authority import Authority

    authority = Authority(tmp_path_factory.mktemp("weak"))
    return (
        authority,
        authority.issue("localhost", bits=1024)[0],
        authority.issue("localhost", bits=2048)[0],
    )


def test_the_level_forbids_weak_keys_of_our_own(context, weak):
    _, weakest, middling = weak
    for level, identity, allowed in (
        (2, weakest, False),
        (1, weakest, True),
        (0, weakest, True),
        (2, middling, True),
        (3, middling, False),
    ):
        context.security_level = level
        if allowed:
            context.load_cert_chain(identity.chain, identity.key)
        else:
            with pytest.raises(tlskit.SSLError) as caught:
                context.load_cert_chain(identity.chain, identity.key)
            assert caught.value.reason == "EE_KEY_TOO_SMALL"


def test_the_level_forbids_weak_keys_of_the_peer(weak, version):
    authority, weakest, middling = weak
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.security_level = 0
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(authority.root)
    only(version, client, server)
    for level, identity, allowed in (
        (0, weakest, True),
        (2, weakest, False),
        (2, middling, True),
        (3, middling, False),
    ):
        server.load_cert_chain(identity.chain, identity.key)
        client.security_level = level
        if allowed:
            memory_pair(client, server)
        else:
            with pytest.raises(tlskit.SSLError):
                memory_pair(client, server)


def test_the_level_forbids_weak_ciphers(client, server):
    """A suite without encryption stays in the list, but is used at level 0 alone."""
    only(TLSVersion.TLSv1_2, client, server)
    for context in (client, server):
        context.set_ciphers("ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0")
    near, _ = memory_pair(client, server)
    assert near.cipher()[0] == "ECDHE-ECDSA-NULL-SHA"
    for context in (client, server):
        context.security_level = 1
        with pytest.raises(tlskit.SSLError):
            memory_pair(client, server)
        context.security_level = 0
        memory_pair(client, server)


def test_a_level_in_the_cipher_string(context):
    context.set_ciphers("ECDHE+AESGCM:@SECLEVEL=1")
    assert context.security_level == 1
    context.security_level = 3
    assert context.security_level == 3


@pytest.mark.parametrize(
    "words", ["NOSUCH:@SECLEVEL=0", "@SECLEVEL=0:NOSUCH", "@SECLEVEL=9", "@SECLEVEL=0:!ALL"]
)
def test_a_level_in_a_string_that_selects_nothing(context, words):
    before = context.get_ciphers()
    with pytest.raises(tlskit.SSLError):
        context.set_ciphers(words)
    assert context.security_level == 2
    assert context.get_ciphers() == before


# -- ciphers and groups ----------------------------------------------------------------------------

WORDS = [
    "ALL",
    "DEFAULT",
    "ECDHE+AESGCM",
    "AES128-SHA256",
    "ALL:@SECLEVEL=0",
    "ECDHE+CHACHA20:DHE+AES",
    "AES:@SECLEVEL=1",
    "ALL:eNULL",
    "ALL:!ECDHE:+AES",
]


@same_openssl
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ciphers(protocol, words):
    def work(module):
        context = make(module, protocol)
        context.set_ciphers(words)
        return suites(context), getattr(context, "security_level", None) if not PYPY else 0

    assert compared(work).raised is None


@pytest.mark.parametrize(
    "words", ["", "NOSUCH", "!ALL", "TLS_AES_128_GCM_SHA256", "-ALL", ":", " ", "@SECLEVEL=1"]
)
def test_ciphers_that_select_nothing(words):
    compared(lambda module: make(module).set_ciphers(words))


@pytest.mark.parametrize("bad", [None, 5, b"ALL", [b"ALL"], [5], "A\0B"])
def test_ciphers_of_the_wrong_type(bad):
    assert compared(lambda module: make(module).set_ciphers(bad)).raised in (TypeError, ValueError)


def test_refused_ciphers_change_nothing(client, server):
    """libssl empties the list first and complains afterwards: the stdlib's context is of no more
    use then.
    """
    client.maximum_version = TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE+CHACHA20")
    before = client.get_ciphers()
    for bad in ("", "NOSUCH", "!ALL", None, 5, "A\0"):
        with pytest.raises((tlskit.SSLError, TypeError, ValueError)):
            client.set_ciphers(bad)
    assert client.get_ciphers() == before
    near, _ = memory_pair(client, server)
    assert near.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"


def test_ciphers_that_do_not_meet(client, server):
    only(TLSVersion.TLSv1_2, client, server)
    client.set_ciphers("ECDHE+CHACHA20")
    server.set_ciphers("ECDHE+AESGCM")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


def test_the_shape_of_get_ciphers(context):
    for suite in context.get_ciphers():
        assert list(suite) == [
            "id", "name", "protocol", "description", "strength_bits", "alg_bits", "aead",
            "symmetric", "digest", "kea", "auth"
        ]  # fmt: skip
        assert isinstance(suite["aead"], bool)
        assert isinstance(suite["id"], int)


@pytest.mark.parametrize("name", ["prime256v1", "secp384r1", "secp521r1", b"prime256v1"])
def test_curves(name):
    assert compared(lambda module: make(module).set_ecdh_curve(name)).raised is None


@pytest.mark.parametrize("bad", ["nosuch", "", b"nosuch", "käse", "prime256v1,secp384r1"])
def test_curves_that_are_none(bad):
    assert compared(lambda module: make(module).set_ecdh_curve(bad)).raised is ValueError


@pytest.mark.parametrize("bad", [None, 5, 1.5, ["prime256v1"]])
def test_curves_of_the_wrong_type(bad):
    assert compared(lambda module: make(module).set_ecdh_curve(bad)).raised is TypeError


def test_one_curve_only(context):
    """The documentation: "Allow one key exchange group only"."""
    assert (
        compared(lambda module: make(module).set_ecdh_curve("prime256v1:secp384r1")).raised
        is ValueError
    )


@pytest.mark.parametrize(
    ("curve", "group"),
    [("prime256v1", "prime256v1"), ("secp384r1", "secp384r1"), ("X25519", "x25519")],
)
def test_curves_take_effect(client, server, version, curve, group):
    only(version, client, server)
    server.set_ecdh_curve(curve)
    near, far = memory_pair(client, server)
    aliases = {
        "prime256v1": {"prime256v1", "secp256r1", "P-256"},
        "secp384r1": {"secp384r1", "P-384"},
        "x25519": {"x25519", "X25519"},
    }
    assert near.group() in aliases[group]
    assert far.group() in aliases[group]


def test_a_refused_curve_changes_nothing(client, server, version):
    only(version, client, server)
    server.set_ecdh_curve("secp384r1")
    for bad in ("nosuch", "", None):
        with pytest.raises((ValueError, TypeError)):
            server.set_ecdh_curve(bad)
    near, _ = memory_pair(client, server)
    assert near.group() in ("secp384r1", "P-384")


def test_curves_that_do_not_meet(client, server):
    client.set_ecdh_curve("prime256v1")
    server.set_ecdh_curve("secp384r1")
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)


# -- finite-field Diffie-Hellman -------------------------------------------------------------------


@pytest.fixture(scope="module")
def parameters(tmp_path_factory):
    """The group ffdhe3072 of RFC 7919, as a file."""
    path = tmp_path_factory.mktemp("dh") / "ffdhe3072.pem"
    command = [
        peers.command(),
        "genpkey",
        "-genparam",
        "-algorithm",
        "DH",
        "-pkeyopt",
        "group:ffdhe3072",
        "-out",
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return path


def test_dh_parameters_take_effect(pki, parameters):
    for module in MODULES:
        client, server = (
            client_context(pki, module=module),
            server_context(pki, identity=pki.rsa, module=module),
        )
        only(TLSVersion.TLSv1_2, client, server)
        server.load_dh_params(parameters)
        server.set_ciphers("DHE+AESGCM")
        client.set_ciphers("DHE+AESGCM")
        near, _ = memory_pair(client, server, module=module)
        assert near.cipher()[0].startswith("DHE-RSA")


@pytest.mark.parametrize("bad", ["nosuch", "", None, 5, [], "a\0b"], ids=repr)
def test_dh_parameters_from_nowhere(bad):
    compared(lambda module: make(module, "PROTOCOL_TLS_SERVER").load_dh_params(bad))
    with pytest.raises((OSError, TypeError, ValueError)):
        make(tlskit, "PROTOCOL_TLS_SERVER").load_dh_params(bad)


def test_dh_parameters_that_are_none(pki, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for path in (pki.root, pki.server.key, tmp_path / "empty", tmp_path):
        theirs, ours = (
            outcome(
                lambda module=module, path=path: make(module, "PROTOCOL_TLS_SERVER").load_dh_params(
                    str(path)
                )
            )
            for module in MODULES
        )
        assert ours.raised is theirs.raised is not None


# -- ALPN ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "protocols",
    [["h2"], ["h2", "http/1.1"], ("a", "b"), [], ["x" * 255], {"h2": 1}, "h2", iter(["h2"])],
    ids=str,
)
def test_alpn(protocols):
    assert compared(lambda module: make(module).set_alpn_protocols(protocols)).raised is None


@pytest.mark.parametrize(
    "bad", [[""], ["x" * 256], ["h2", ""], ["é"], None, 5, [5], [b"h2"], [None]], ids=str
)
def test_alpn_that_is_none(bad):
    result = compared(lambda module: make(module).set_alpn_protocols(bad))
    assert result.raised in (tlskit.SSLError, TypeError, UnicodeEncodeError)


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (["h2", "http/1.1"], ["http/1.1", "h2"], "http/1.1"),  # the server's preference
        (["h2"], ["h2"], "h2"),
        (["h2"], ["spdy"], None),
        (["h2"], None, None),
        (None, ["h2"], None),
        ([], ["h2"], None),
        (["x" * 255, "h2"], ["h2"], "h2"),
    ],
)
def test_alpn_takes_effect(pki, version, ours, theirs, chosen):
    for module in MODULES:
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        only(version, client, server)
        for context, protocols in ((client, ours), (server, theirs)):
            if protocols is not None:
                context.set_alpn_protocols(protocols)
        near, far = memory_pair(client, server, module=module)
        assert near.selected_alpn_protocol() == far.selected_alpn_protocol() == chosen


def test_refused_alpn_changes_nothing(client, server):
    server.set_alpn_protocols(["h2"])
    client.set_alpn_protocols(["h2"])
    for bad in ([""], ["x" * 256], ["é"], None, [5]):
        with pytest.raises((tlskit.SSLError, TypeError, UnicodeEncodeError)):
            client.set_alpn_protocols(bad)
    near, _ = memory_pair(client, server)
    assert near.selected_alpn_protocol() == "h2"


def test_alpn_can_be_set_anew(client, server):
    server.set_alpn_protocols(["a", "b"])
    for offered, chosen in ((["a"], "a"), (["b"], "b"), ([], None)):
        client.set_alpn_protocols(offered)
        near, _ = memory_pair(client, server)
        assert near.selected_alpn_protocol() == chosen


def test_npn_is_gone(context):
    """The stdlib's has an AttributeError for it, as it happens."""
    with pytest.warns(DeprecationWarning, match="ALPN"), pytest.raises(NotImplementedError):
        context.set_npn_protocols(["h2"])


# -- verification ----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [0, 1, 2, *stdlib.VerifyMode, True])
def test_verify_mode(protocol, value):
    compared(set_and_read("verify_mode", value, protocol))


@pytest.mark.parametrize("bad", [3, 4, -1, 100, *ODD], ids=repr)
def test_verify_mode_that_is_none(bad):
    result = compared(set_and_read("verify_mode", bad, "PROTOCOL_TLS_SERVER"))
    assert result.raised in (TypeError, ValueError)


def hostname_story(module):
    """Every step of the tie between check_hostname and verify_mode, and what each leaves."""
    context, seen = make(module, "PROTOCOL_TLS_CLIENT"), []

    def step(name, value):
        seen.append(
            (
                name,
                value,
                outcome(lambda: setattr(context, name, value)),
                context.check_hostname,
                context.verify_mode,
            )
        )

    step("verify_mode", 0)  # refused while names are checked
    step("verify_mode", 1)
    step("check_hostname", False)
    step("verify_mode", 0)
    step("check_hostname", True)  # brings CERT_REQUIRED back
    step("verify_mode", 0)
    step("check_hostname", 0)
    step("verify_mode", 1)
    step("check_hostname", 1)  # CERT_OPTIONAL is enough
    step("check_hostname", "")
    step("check_hostname", [1])
    step("check_hostname", None)
    return seen


def test_check_hostname_and_verify_mode():
    result = compared(hostname_story)
    assert result.raised is None
    assert result.value[0][2].raised is ValueError


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [True, False])
def test_check_hostname_on_every_protocol(protocol, value):
    compared(set_and_read("check_hostname", value, protocol))


def test_a_refused_mode_changes_nothing(client, server):
    for bad in (0, 3, None, "1"):
        with pytest.raises((ValueError, TypeError)):
            client.verify_mode = bad
    assert client.verify_mode is tlskit.CERT_REQUIRED
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(client, server, hostname="evil.example")


@pytest.mark.parametrize("hostname", [None, ""])
def test_check_hostname_needs_a_name(pki, hostname):
    import socket

    def work(module):
        with socket.socket() as plain:
            return client_context(pki, module=module).wrap_socket(plain, server_hostname=hostname)

    assert compared(work).raised is ValueError
    compared(
        lambda module: (
            client_context(pki, module=module)
            .wrap_bio(module.MemoryBIO(), module.MemoryBIO(), server_hostname="")
            .context
            and 0
        )
    )


GOOD_NAMES = [
    "localhost",
    "LOCALHOST",
    "other.example",
    "127.0.0.1",
    "::1",
    "0:0:0:0:0:0:0:1",
    "xn--knig-5qa.example",
    "könig.example",
]
BAD_NAMES = [
    "evil.example",
    "127.0.0.2",
    "::2",
    "example",
    "*.example",
    "127.0.0.1.",
    "[::1]",
]


@pytest.mark.parametrize("hostname", GOOD_NAMES + BAD_NAMES)
def test_names_take_effect(pki, version, hostname):
    def work(module):
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        only(version, client, server)
        return memory_pair(client, server, hostname=hostname, module=module)[0].server_hostname

    ours = outcome(lambda: work(tlskit))
    assert (ours.raised is None) is (hostname in GOOD_NAMES)
    if (
        stdlib.OPENSSL_VERSION == tlskit.OPENSSL_VERSION
    ):  # OpenSSL 4.0 refuses some of these before it looks at a certificate
        assert compared(work) == ours


@pytest.mark.parametrize(
    "hostname", ["", ".example", "a\0b", b"\xff", "a" * 64 + ".example", 5, "a..b"]
)
def test_names_that_are_none(pki, hostname):
    compared(
        lambda module: (
            client_context(pki, module=module).wrap_bio(
                module.MemoryBIO(), module.MemoryBIO(), server_hostname=hostname
            )
            and 0
        )
    )


@pytest.mark.parametrize("value", [True, False, 0, 1, "", "x", None])
def test_hostname_checks_common_name(value):
    assert compared(set_and_read("hostname_checks_common_name", value)).raised is None


def test_common_names_take_effect(tmp_path, version):
    """A certificate without alternative names: its common name is good for something only when that
    is wanted.
    """
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    identity, _ = authority.issue(common_name="localhost")
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(identity.chain, identity.key)
    client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(authority.root)
    only(version, client, server)
    client.hostname_checks_common_name = True
    memory_pair(client, server)
    client.hostname_checks_common_name = False
    with pytest.raises(tlskit.SSLCertVerificationError, match="Hostname mismatch"):
        memory_pair(client, server)


@pytest.mark.parametrize("value", [0, 1, 4, 0x20, 0x24])
def test_host_flags(value):
    assert compared(set_and_read("_host_flags", value)).raised is None


@pytest.mark.parametrize("bad", [None, "4", 1.5])
def test_host_flags_of_the_wrong_type(bad):
    assert compared(set_and_read("_host_flags", bad)).raised is TypeError


@pytest.mark.parametrize(
    "value",
    [
        0,
        *stdlib.VerifyFlags,
        stdlib.VERIFY_X509_STRICT | stdlib.VERIFY_X509_PARTIAL_CHAIN,
        0x8000,
        0x40,
    ],
)
@pytest.mark.parametrize("protocol", CURRENT)
def test_verify_flags(protocol, value):
    assert compared(set_and_read("verify_flags", value, protocol)).raised is None


@pytest.mark.parametrize("bad", ODD, ids=repr)
def test_verify_flags_of_the_wrong_type(bad):
    assert compared(set_and_read("verify_flags", bad)).raised is TypeError


@pytest.mark.parametrize("bad", [-1, 2**64, 2**70])
def test_verify_flags_out_of_range(context, bad):
    """The stdlib takes what is left of the bits."""
    before = context.verify_flags
    with pytest.raises(OverflowError):
        context.verify_flags = bad
    assert context.verify_flags == before


def test_verify_flags_take_effect(client, server):
    memory_pair(client, server)
    client.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    with pytest.raises(tlskit.SSLCertVerificationError, match="CRL"):
        memory_pair(client, server)
    client.verify_flags &= ~tlskit.VERIFY_CRL_CHECK_LEAF
    memory_pair(client, server)


def test_partial_chains(pki, server, context):
    """The intermediate alone is trusted."""
    chain = pki.server.chain.read_text()
    context.load_verify_locations(cadata=chain[chain.rindex("-----BEGIN") :])
    context.verify_flags &= ~tlskit.VERIFY_X509_PARTIAL_CHAIN
    with pytest.raises(tlskit.SSLCertVerificationError):
        memory_pair(context, server)
    context.verify_flags |= tlskit.VERIFY_X509_PARTIAL_CHAIN
    memory_pair(context, server)


@pytest.mark.parametrize("value", [-1, 0, 1, 5, 100, 2**31 - 1])
def test_verify_depth(context, value):
    context.verify_depth = value
    assert context.verify_depth == value


@pytest.mark.parametrize(
    ("bad", "error"),
    [(-2, ValueError), (2**31, ValueError), (None, TypeError), ("1", TypeError), (1.5, TypeError)],
)
def test_verify_depth_out_of_range(context, bad, error):
    context.verify_depth = 3
    with pytest.raises(error):
        context.verify_depth = bad
    assert context.verify_depth == 3


def test_verify_depth_takes_effect(pki, client, server, version):
    """The server's chain has one intermediate."""
    only(version, client, server)
    for depth, passes in ((-1, True), (5, True), (1, True), (0, False)):
        client.verify_depth = depth
        if passes:
            memory_pair(client, server)
        else:
            with pytest.raises(tlskit.SSLCertVerificationError):
                memory_pair(client, server)


@pytest.mark.parametrize("mode", stdlib.VerifyMode)
@pytest.mark.parametrize("shown", ["client", "stranger", None])
def test_a_servers_mode_takes_effect(pki, version, mode, shown):
    def work(module):
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        only(version, client, server)
        server.load_verify_locations(pki.root)
        server.verify_mode = mode
        if shown:
            identity = getattr(pki, shown)
            client.load_cert_chain(identity.chain, identity.key)
        return memory_pair(client, server, module=module)[1].getpeercert()

    result = compared(work)
    assert (result.raised is None) is (
        mode is stdlib.CERT_NONE
        or shown == "client"
        or (shown is None and mode is stdlib.CERT_OPTIONAL)
    )


# -- its own certificate ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(pki, tmp_path_factory):
    """The server's certificate with an encrypted key, beside it and in one file; the password is
    "pässword".
    """
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pki.server.key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption("pässword".encode())
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    folder = tmp_path_factory.mktemp("locked")
    paths = folder / "locked.key.pem", folder / "locked.pem"
    paths[0].write_bytes(text)
    paths[1].write_bytes(text + pki.server.chain.read_bytes())
    return paths


def works(pki, context, *, shown=None):
    """Whether a client gets through, and to this certificate."""
    near, _ = memory_pair(client_context(pki), context)
    if shown is not None:
        first = (
            shown.chain.read_text().split("-----END CERTIFICATE-----")[0]
            + "-----END CERTIFICATE-----\n"
        )
        assert near.getpeercert(True) == tlskit.PEM_cert_to_DER_cert(first)


GOOD_PASSWORDS = {
    "text": "pässword",
    "bytes": "pässword".encode(),
    "bytearray": bytearray("pässword".encode()),
    "function to text": lambda: "pässword",
    "function to bytes": lambda: "pässword".encode(),
    "function to bytearray": lambda: bytearray("pässword".encode()),
}


@pytest.mark.parametrize("which", GOOD_PASSWORDS)
def test_passwords(pki, locked, which):
    def work(module):
        context = make(module, "PROTOCOL_TLS_SERVER")
        context.load_cert_chain(pki.server.chain, locked[0], GOOD_PASSWORDS[which])
        context.load_cert_chain(locked[1], password=GOOD_PASSWORDS[which])
        return context

    context = work(tlskit)
    works(pki, context, shown=pki.server)
    assert compared(lambda module: work(module) and 0).raised is None


class Callable:
    def __call__(self):
        return "pässword"

    def method(self):
        return "pässword"


@pytest.mark.parametrize("password", [Callable(), Callable().method], ids=["object", "method"])
def test_passwords_from_any_callable(pki, locked, password):
    assert (
        compared(
            lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
                locked[1], password=password
            )
        ).raised
        is None
    )


def failing():
    raise ZeroDivisionError


BAD_PASSWORDS = {
    "wrong": "password",
    "wrong bytes": b"password",
    "empty": "",
    "too long": "x" * 1025,
    "too long bytes": b"x" * 5000,
    "number": 5,
    "list": ["pässword"],
    "function to wrong": lambda: "password",
    "function to nothing": lambda: None,
    "function to number": lambda: 9,
    "function to too much": lambda: b"x" * 1025,
    "function that fails": failing,
    "function with a parameter": lambda one: "pässword",
}


@pytest.mark.parametrize("which", BAD_PASSWORDS)
def test_passwords_that_do_not_fit(pki, locked, which, server):
    password = BAD_PASSWORDS[which]
    result = compared(
        lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
            pki.server.chain, locked[0], password
        )
    )
    assert result.raised is not None
    with pytest.raises(result.raised):
        server.load_cert_chain(pki.direct.chain, locked[0], password)
    works(pki, server, shown=pki.server)


def test_a_password_of_the_longest_length(pki, tmp_path):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pki.server.key.read_bytes(), None)
    longest = b"x" * 1023  # cryptography's limit; OpenSSL's is one more
    path = tmp_path / "longest.pem"
    secret = serialization.BestAvailableEncryption(longest)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    )
    for password in (longest, longest.decode(), lambda: longest):
        compared(
            lambda module, password=password: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
                pki.server.chain, path, password
            )
        )


@pytest.mark.parametrize(
    "password",
    ["x" * 2000, "any", b"", lambda: 5, failing],
    ids=["long", "any", "empty", "odd", "failing"],
)
def test_a_password_that_nobody_asks_for(pki, password):
    """The key is not encrypted: the password is neither called nor judged."""
    result = compared(
        lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
            pki.server.chain, pki.server.key, password
        )
    )
    assert result.raised is None


def test_no_password_for_an_encrypted_key(pki, locked, server):
    """The stdlib's OpenSSL would ask at the terminal."""
    for arguments in ((pki.server.chain, locked[0]), (locked[1],)):
        with pytest.raises(tlskit.SSLError, match="password"):
            server.load_cert_chain(*arguments)
    works(pki, server, shown=pki.server)


def test_a_password_function_is_asked_once(pki, locked):
    calls = []

    def ask():
        calls.append(None)
        return "pässword"

    tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER).load_cert_chain(locked[1], password=ask)
    assert len(calls) == 1


def test_traditional_encryption(pki, tmp_path):
    """Keys as `openssl ec -aes256` writes them."""
    path = tmp_path / "traditional.pem"
    command = [
        peers.command(),
        "ec",
        "-in",
        str(pki.server.key),
        "-aes256",
        "-passout",
        "pass:secret",
        "-out",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this openssl has another syntax")
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server.chain, path, "secret")
    works(pki, context, shown=pki.server)
    with pytest.raises(tlskit.SSLError):
        context.load_cert_chain(pki.server.chain, path, "wrong")


@pytest.mark.parametrize("form", [str, pathlib.Path, os.fsencode, lambda path: str(path).encode()])
def test_paths_of_every_type(pki, form):
    assert (
        compared(
            lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
                form(pki.server.chain), form(pki.server.key)
            )
        ).raised
        is None
    )
    compared(
        lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
            certfile=form(pki.server.both), keyfile=None
        )
    )


def broken_files(folder, pki):
    """Pairs of files that are no certificate with its key."""
    (folder / "empty").write_bytes(b"")
    (folder / "garbage").write_bytes(b"garbage\n" * 100)
    (folder / "zeros").write_bytes(bytes(5000))
    chain, key = pki.server.chain.read_text(), pki.server.key.read_text()
    (folder / "cut").write_text(chain[:300])
    (folder / "cut.second").write_text(chain[: chain.rindex("-----BEGIN") + 200])
    (folder / "bad.second").write_text(
        chain[: chain.rindex("-----BEGIN") + 100]
        + "****"
        + chain[chain.rindex("-----BEGIN") + 104 :]
    )
    (folder / "bad").write_text(chain[:100] + "****" + chain[104:])
    (folder / "cut.key").write_text(key[:80])
    good, good_key = pki.server.chain, pki.server.key
    return {
        "no such file": (folder / "nosuch", None),
        "no such key": (good, folder / "nosuch"),
        "a directory": (folder, None),
        "a directory as key": (good, folder),
        "empty": (folder / "empty", None),
        "empty key": (good, folder / "empty"),
        "garbage": (folder / "garbage", good_key),
        "garbage as key": (good, folder / "garbage"),
        "zeros": (folder / "zeros", good_key),
        "cut": (folder / "cut", good_key),
        "damaged": (folder / "bad", good_key),
        "cut key": (good, folder / "cut.key"),
        "no key in the file": (good, None),
        "a key as certificate": (good_key, good_key),
        "a certificate as key": (good, good),
        "another's key": (good, pki.direct.key),
        "another kind of key": (good, pki.rsa.key),
        "the root's": (pki.root, good_key),
    }


def test_broken_chains(pki, tmp_path):
    for name, files in broken_files(tmp_path, pki).items():
        theirs, ours = (
            outcome(
                lambda module=module, files=files: make(
                    module, "PROTOCOL_TLS_SERVER"
                ).load_cert_chain(*files)
            )
            for module in MODULES
        )
        assert ours.raised is theirs.raised is not None, name


@same_openssl
def test_a_key_that_belongs_to_another(pki):
    """The reason that programs look for."""
    for files in ((pki.server.chain, pki.direct.key), (pki.rsa.chain, pki.server.key)):
        with pytest.raises(tlskit.SSLError) as caught:
            make(tlskit, "PROTOCOL_TLS_SERVER").load_cert_chain(*files)
        assert caught.value.library == "X509"
        assert caught.value.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")
    result = compared(
        lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
            pki.server.chain, pki.direct.key
        )
    )
    assert result.value == ("X509", "KEY_VALUES_MISMATCH")


@pytest.mark.parametrize("certfile", ["cut.second", "bad.second"])
def test_a_chain_that_breaks_off(pki, tmp_path, server, certfile):
    """The first certificate is good: the second is not."""
    broken_files(tmp_path, pki)
    result = compared(
        lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
            tmp_path / certfile, pki.server.key
        )
    )
    assert result.raised is tlskit.SSLError


def test_a_failed_load_changes_nothing(pki, tmp_path, server, version):
    """What was there before goes on to work."""
    only(version, server)
    for name, files in broken_files(tmp_path, pki).items():
        with pytest.raises((OSError, tlskit.SSLError)):
            server.load_cert_chain(*files)
        near, _ = memory_pair(client_context(pki), server)
        assert len(near.get_unverified_chain()) == 2, name
    works(pki, server, shown=pki.server)


def test_a_failed_load_puts_nothing_in(pki, tmp_path):
    """On a context without a certificate, half a load would be seen as one."""
    for files in broken_files(tmp_path, pki).values():
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        with pytest.raises((OSError, tlskit.SSLError)):
            context.load_cert_chain(*files)
        with pytest.raises(tlskit.SSLError):
            memory_pair(client_context(pki), context)


@pytest.mark.parametrize("bad", [None, 5, 1.5, [], object()], ids=repr)
def test_files_of_the_wrong_type(pki, bad):
    compared(lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(bad))
    if bad is not None:
        compared(
            lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(
                pki.server.chain, bad
            )
        )
        with pytest.raises(TypeError):
            make(tlskit, "PROTOCOL_TLS_SERVER").load_cert_chain(bad)


def test_no_files_at_all():
    compared(lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain())
    compared(lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain(keyfile="x"))


def test_a_null_in_a_path():
    compared(lambda module: make(module, "PROTOCOL_TLS_SERVER").load_cert_chain("a\0b"))


def test_the_whole_chain_is_shown(pki, server):
    near, _ = memory_pair(client_context(pki), server)
    assert len(near.get_unverified_chain()) == 2
    assert len(near.get_verified_chain()) == 3


def test_another_certificate_takes_the_place_of_the_first(pki, server, version):
    only(version, server)
    server.load_cert_chain(pki.direct.chain, pki.direct.key)
    near, _ = memory_pair(client_context(pki), server)
    assert len(near.get_unverified_chain()) == 1  # and the first one's chain has gone with it
    works(pki, server, shown=pki.direct)


def test_two_kinds_of_keys_beside_each_other(pki, server):
    server.load_cert_chain(pki.rsa.chain, pki.rsa.key)
    client = client_context(pki)
    client.maximum_version = TLSVersion.TLSv1_2
    seen = {}
    for words in ("ECDHE+aRSA", "ECDHE+aECDSA"):
        client.set_ciphers(words)
        near, _ = memory_pair(client, server)
        seen[words] = near.cipher()[0], len(near.get_unverified_chain())
    assert seen["ECDHE+aRSA"][0].startswith("ECDHE-RSA")
    assert seen["ECDHE+aECDSA"] == (seen["ECDHE+aECDSA"][0], 2)
    assert seen["ECDHE+aECDSA"][0].startswith("ECDHE-ECDSA")


def test_a_server_without_a_certificate(pki):
    bare = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    with pytest.raises(tlskit.SSLError) as caught:
        memory_pair(client_context(pki), bare)
    assert caught.value.reason in ("NO_SHARED_CIPHER", "NO_SUITABLE_SIGNATURE_ALGORITHM")


def test_other_kinds_of_keys(tmp_path, pki):
    """Keys in the older forms, and of other curves."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    for bits in (0, 2048):
        identity, _ = authority.issue("localhost", bits=bits)
        key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey if bits else ec.EllipticCurvePrivateKey)
        form = serialization.PrivateFormat.TraditionalOpenSSL
        identity.key.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        )
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.chain, identity.key)
        client = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(authority.root)
        memory_pair(client, context)


# -- the server name -------------------------------------------------------------------------------


@pytest.fixture
def unraisable(monkeypatch):
    """What was shown as unraisable, instead of failing the test."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda row: seen.append(type(row.exc_value)))
    return seen


def test_sni_callback_is_asked(pki, client, server, version):
    only(version, client, server)
    calls = []
    server.sni_callback = lambda connection, name, context: calls.append(
        (connection, name, context)
    )
    _, far = memory_pair(client, server)
    assert calls == [(far, "localhost", server)]


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("LOCALHOST", "LOCALHOST"),
        ("könig.example", "xn--knig-5qa.example"),
        ("127.0.0.1", None),
        (None, None),
    ],
)
def test_what_sni_callback_is_told(pki, version, hostname, name):
    for module in MODULES:
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        client.check_hostname = False
        only(version, client, server)
        names = []
        server.sni_callback = lambda connection, name, context, names=names: names.append(name)
        memory_pair(client, server, hostname=hostname, module=module)
        assert names == [name]


def test_sni_callback_may_switch_contexts(pki, client, server, version):
    only(version, client, server)
    other = server_context(pki, identity=pki.rsa)
    seen = []

    def switch(connection, name, context):
        assert connection.context is context is server
        if name == "other.example":
            connection.context = other
            seen.append(connection.context is other)

    server.sni_callback = switch
    near, far = memory_pair(client, server)
    assert near.getpeercert(True) == memory_pair(client, server)[0].getpeercert(True)
    assert far.context is server
    first = near.getpeercert(True)
    near, far = memory_pair(client, server, hostname="other.example")
    assert near.getpeercert(True) != first
    assert far.context is other
    assert seen == [True]


@pytest.mark.parametrize(
    "bad",
    [None, 5, "context", stdlib.SSLContext(stdlib.PROTOCOL_TLS_SERVER)],
    ids=lambda bad: type(bad).__name__,
)
def test_switching_to_what_is_no_context(pki, client, server, unraisable, bad):
    server.sni_callback = lambda connection, name, context: setattr(connection, "context", bad)
    with pytest.raises(tlskit.SSLError):
        memory_pair(client, server)
    assert unraisable == [TypeError]


def sni_answers(pki, answer, version):
    """What a client and its server see when the callback gives this."""

    def work(module):
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        only(version, client, server)
        server.sni_callback = answer
        to_client, to_server = module.MemoryBIO(), module.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        far = server.wrap_bio(to_server, to_client, server_side=True)
        seen = [outcome(near.do_handshake), outcome(far.do_handshake), outcome(near.do_handshake)]
        return [(row.raised, row.value) for row in seen]

    return compared(work)


@pytest.mark.parametrize(
    "alert",
    [
        stdlib.ALERT_DESCRIPTION_ACCESS_DENIED,
        112,
        stdlib.ALERT_DESCRIPTION_UNRECOGNIZED_NAME,
        80,
        0,
        None,
    ],
)
def test_alerts_of_sni_callback(pki, version, alert):
    """None goes on; whatever number it is refuses, also 0 (close_notify)."""
    result = sni_answers(pki, lambda connection, name, context: alert, version)
    assert result.raised is None
    assert (result.value[1][0] is tlskit.SSLError) is (alert is not None)


def test_sni_callback_that_raises(pki, version, unraisable):
    def trouble(connection, name, context):
        raise ZeroDivisionError

    result = sni_answers(pki, trouble, version)
    assert result.value[2][0] is tlskit.SSLError
    assert unraisable == [ZeroDivisionError] * 2


def test_what_sni_callback_raised_is_the_cause(pki, client, server, unraisable):
    error = ZeroDivisionError("in the callback")

    def trouble(connection, name, context):
        raise error

    server.sni_callback = trouble
    with pytest.raises(tlskit.SSLError) as caught:
        memory_pair(client, server)
    assert caught.value.__cause__ is error
    server.sni_callback = None
    memory_pair(client, server)


@pytest.mark.parametrize("answer", ["foo", 1.5, [], b"x"], ids=repr)
def test_sni_callback_that_gives_something_else(pki, version, unraisable, answer):
    result = sni_answers(pki, lambda connection, name, context: answer, version)
    assert result.value[2][0] is tlskit.SSLError
    assert unraisable == [TypeError] * 2


def test_sni_callback_is_taken_off(client, server):
    calls = []
    server.sni_callback = lambda *arguments: calls.append(arguments)
    server.sni_callback = None
    assert server.sni_callback is None
    memory_pair(client, server)
    assert calls == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [None, len, 5, "callback"], ids=repr)
def test_setting_sni_callback(protocol, value):
    def work(module):
        context = make(module, protocol)
        context.sni_callback = value
        return context.sni_callback is value

    compared(work)
    compared(lambda module: make(module, protocol).set_servername_callback(value))


def test_a_refused_sni_callback_changes_nothing(client, server):
    calls = []
    server.sni_callback = callback = lambda *arguments: calls.append(arguments)
    with pytest.raises(TypeError):
        server.sni_callback = 5
    assert server.sni_callback is callback
    memory_pair(client, server)
    assert len(calls) == 1


def test_set_servername_callback_gives_encoded_names(pki):
    for module in MODULES:
        client, server = client_context(pki, module=module), server_context(pki, module=module)
        names = []
        server.set_servername_callback(
            lambda connection, name, context, names=names: names.append(name)
        )
        memory_pair(client, server, hostname="könig.example", module=module)
        assert names == ["xn--knig-5qa.example"]
        server.set_servername_callback(None)
        memory_pair(client, server, module=module)
        assert len(names) == 1


# -- the key log -----------------------------------------------------------------------------------


def test_keylog(tmp_path, client, server, version):
    only(version, client, server)
    path = tmp_path / "keys.log"
    client.keylog_filename = path
    assert client.keylog_filename == path
    memory_pair(client, server)
    lines = path.read_text().splitlines()
    assert lines[0].startswith("#")
    labels = {line.split()[0] for line in lines[1:]}
    assert labels == ({"CLIENT_RANDOM"} if version is TLSVersion.TLSv1_2 else labels)
    if version is TLSVersion.TLSv1_3:
        wanted = {
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        }
        assert wanted <= labels
    assert all(len(line.split()) == 3 and len(line.split()[1]) == 64 for line in lines[1:])


def test_keylog_on_both_sides_and_off(tmp_path, client, server):
    path = tmp_path / "keys.log"
    client.keylog_filename = server.keylog_filename = str(path)
    memory_pair(client, server)
    lines = path.read_text().splitlines()
    secrets = [line for line in lines if not line.startswith("#")]
    assert len(secrets) == 2 * len(set(secrets))
    client.keylog_filename = None
    assert client.keylog_filename is None
    memory_pair(client, server)
    once = len(path.read_text().splitlines())
    server.keylog_filename = None
    memory_pair(client, server)
    assert len(path.read_text().splitlines()) == once > len(lines)


def test_keylog_appends(tmp_path, client, server):
    path = tmp_path / "keys.log"
    path.write_text("# kept\n")
    client.keylog_filename = path
    memory_pair(client, server)
    assert path.read_text().startswith("# kept\n")
    assert path.read_text().count("#") == 1


@pytest.mark.parametrize("bad", ["", "nosuch/keys.log", ".", "keys\0log"])
def test_keylog_that_cannot_be_written(tmp_path, monkeypatch, bad):
    monkeypatch.chdir(tmp_path)
    result = compared(set_and_read("keylog_filename", bad))
    assert result.raised is not None


@pytest.mark.parametrize("bad", [5.5, [], object()], ids=repr)
def test_keylog_of_the_wrong_type(bad):
    assert compared(set_and_read("keylog_filename", bad)).raised is TypeError


def test_a_refused_keylog_changes_nothing(tmp_path, client, server):
    path = tmp_path / "keys.log"
    client.keylog_filename = path
    for bad in (tmp_path / "nosuch" / "keys.log", tmp_path, 5.5):
        with pytest.raises((OSError, TypeError)):
            client.keylog_filename = bad
    assert client.keylog_filename == path
    memory_pair(client, server)
    assert "CLIENT" in path.read_text()


def test_keylog_by_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = outcome(lambda: set_and_read("keylog_filename", b"keys.log")(tlskit))
    assert result.raised is None
    assert (tmp_path / "keys.log").exists()


@pytest.mark.skipif(sys.flags.ignore_environment, reason="this Python ignores the environment")
@pytest.mark.parametrize("value", ["path", ""])
def test_the_keylog_of_the_environment(tmp_path, monkeypatch, value):
    path = tmp_path / "keys.log" if value else ""
    monkeypatch.setenv("SSLKEYLOGFILE", str(path))
    for factory in ("create_default_context", "_create_stdlib_context"):
        assert compared(
            lambda module, factory=factory: getattr(module, factory)().keylog_filename
        ).value == (str(path) if value else None)
    assert tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT).keylog_filename is None


# -- tickets and late certificates -----------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [0, 1, 2, 100, -1, None, "1", 1.5])
def test_num_tickets(protocol, value):
    compared(set_and_read("num_tickets", value, protocol))


def test_a_refused_number_of_tickets_changes_nothing(server):
    server.num_tickets = 3
    for bad in (-1, None, "1", 1.5):
        with pytest.raises((ValueError, TypeError)):
            server.num_tickets = bad
    assert server.num_tickets == 3


def test_num_tickets_takes_effect(client, server):
    for count in (0, 1, 3):
        server.num_tickets = count
        client.sessions.on_new = (seen := []).append and (
            lambda connection, session, seen=seen: seen.append(session)
        )
        memory_pair(client, server)
        assert len(seen) == count


@pytest.mark.parametrize("value", [True, False, 0, 1, "", "x"])
@pytest.mark.parametrize("protocol", CURRENT)
def test_post_handshake_auth(protocol, value):
    assert compared(set_and_read("post_handshake_auth", value, protocol)).raised is None


def late(
    pki,
    module,
    *,
    offered=True,
    version=TLSVersion.TLSv1_3,
    shown="client",
    demanded=stdlib.CERT_REQUIRED,
):
    """A server that asks for a certificate after the handshake: what it sees before, of the
    question, and afterwards.
    """
    client, server = client_context(pki, module=module), server_context(pki, module=module)
    only(version, client, server)
    client.post_handshake_auth = offered
    server.post_handshake_auth = True
    server.verify_mode = demanded
    server.load_verify_locations(pki.root)
    if shown:
        identity = getattr(pki, shown)
        client.load_cert_chain(identity.chain, identity.key)
    near, far = memory_pair(client, server, module=module)
    before = far.getpeercert()
    asked = outcome(far.verify_client_post_handshake)
    failures = set()
    for end in (far, near) * 4:
        for work in (lambda end=end: end.write(b"x"), lambda end=end: end.read(10)):
            result = outcome(work)
            if result.raised not in (None, stdlib.SSLWantReadError):
                failures.add((result.raised, result.value))
    return before, (asked.raised, asked.value), bool(failures), outcome(far.getpeercert)[:2]


@pytest.mark.parametrize("shown", ["client", "stranger", None])
@pytest.mark.parametrize("demanded", [stdlib.CERT_REQUIRED, stdlib.CERT_OPTIONAL, stdlib.CERT_NONE])
def test_a_late_certificate(pki, shown, demanded):
    """After a failure the stdlib no longer says what was true before; tlskit does."""
    theirs, ours = (
        late(pki, module, shown=shown, demanded=demanded) for module in (stdlib, tlskit)
    )
    assert ours[:3] == theirs[:3]
    before, asked, failed, (_, after) = ours
    assert ours[3] == ((None, None) if failed else theirs[3])
    assert before is None
    if demanded is not stdlib.CERT_NONE:
        assert asked == (None, None)
        assert failed is (
            shown == "stranger" or (shown is None and demanded is stdlib.CERT_REQUIRED)
        )
        if shown == "client":
            assert after["subjectAltName"] == (("email", "client@example.org"),)


def test_a_late_certificate_that_was_not_offered(pki):
    """Then the server demands it at once, in the handshake."""
    assert (
        compared(lambda module: late(pki, module, offered=False, demanded=stdlib.CERT_NONE)).value[
            1
        ][0]
        is tlskit.SSLError
    )
    compared(lambda module: late(pki, module, offered=False))


def test_a_late_certificate_in_tls_1_2(pki):
    compared(lambda module: late(pki, module, version=TLSVersion.TLSv1_2))


def test_asking_on_the_wrong_side(pki, client, server):
    near, _ = memory_pair(client, server)
    with pytest.raises(tlskit.SSLError):
        near.verify_client_post_handshake()


# -- settings and connections ----------------------------------------------------------------------


def test_settings_hold_for_later_connections(client, server):
    """A connection keeps the settings that it was made with."""
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="evil.example")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    client.check_hostname = False
    client.verify_mode = tlskit.CERT_NONE
    with pytest.raises(tlskit.SSLCertVerificationError):
        shake(near, far)


@pytest.mark.parametrize("protocol", CURRENT)
def test_the_wrong_role(pki, protocol):
    def work(module):
        context = make(module, protocol)
        context.check_hostname = False
        return context.wrap_bio(
            module.MemoryBIO(), module.MemoryBIO(), server_side=protocol == "PROTOCOL_TLS_CLIENT"
        )

    assert compared(work).raised is tlskit.SSLError


def test_a_name_that_is_to_be_checked_has_to_be_given(pki):
    """None is another matter: tests/core/test_names.py."""
    context = client_context(pki)
    with pytest.raises(ValueError, match="server_hostname"):
        context.wrap_bio(tlskit.MemoryBIO(), tlskit.MemoryBIO(), server_hostname="")
    context.check_hostname = False
    near, far = memory_pair(context, server_context(pki), hostname=None)
    assert near.version() == far.version()


@pytest.mark.skipif(
    not hasattr(stdlib, "_check_sslobject_params"), reason="this Python's ssl takes them"
)
def test_what_a_client_alone_may_say(pki):
    def named(module):
        return server_context(pki, module=module).wrap_bio(
            module.MemoryBIO(), module.MemoryBIO(), server_side=True, server_hostname="x"
        )

    def resuming(module):
        return server_context(pki, module=module).wrap_bio(
            module.MemoryBIO(), module.MemoryBIO(), server_side=True, session=1
        )

    assert compared(named).raised is compared(resuming).raised is ValueError


def test_one_context_for_both_roles(pki):
    both = quiet(lambda: tlskit.SSLContext(tlskit.PROTOCOL_TLS))
    both.load_cert_chain(pki.server.chain, pki.server.key)
    both.load_verify_locations(pki.root)
    both.verify_mode = tlskit.CERT_REQUIRED
    near, far = memory_pair(both, both)
    assert near.getpeercert() == far.getpeercert()
    assert both.sessions.stats().connect_good == both.sessions.stats().accept_good == 1


def test_dates_of_today(pki, client, server):
    """The server's certificate is in date, and the one that is not is refused."""
    near, _ = memory_pair(client, server)
    end = tlskit.cert_time_to_seconds(near.getpeercert()["notAfter"])
    assert end > datetime.datetime.now().timestamp()
    server.load_cert_chain(pki.expired.chain, pki.expired.key)
    with pytest.raises(tlskit.SSLCertVerificationError) as caught:
        memory_pair(client, server)
    assert caught.value.verify_code == 10
    take_tickets(near)


def test_the_server_name_of_a_connection_that_is_gone(pki):
    """Its callback cannot be asked, and may be what keeps strangers out."""
    asked = []
    server = server_context(pki)
    server.sni_callback = lambda *arguments: asked.append(arguments)
    to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client_context(pki).wrap_bio(to_client, to_server, server_hostname="localhost")
    beneath = server.wrap_bio(to_server, to_client, server_side=True)._sslobj
    gc.collect()
    with pytest.raises(tlskit.SSLWantReadError):
        near.do_handshake()
    with pytest.raises(tlskit.SSLError, match="callback failed"):
        beneath.do_handshake()
    assert asked == []


def test_what_a_client_trusts_completes_its_chain(pki):
    """So does libssl for the stdlib: an intermediate authority need not be in the certificate's own
    file.
    """
    client, server = client_context(pki), server_context(pki)
    client.load_cert_chain(pki.client.chain, pki.client.key)
    server.load_verify_locations(pki.root)
    server.verify_mode = tlskit.CERT_REQUIRED
    _, far = memory_pair(client, server)
    assert far.get_unverified_chain() == far.get_verified_chain()


@pytest.mark.parametrize("name", ["keylog_filename", "options", "verify_mode", "minimum_version"])
def test_attributes_stay(context, name):
    before = getattr(context, name)
    with pytest.raises(AttributeError, match=f"{name} of a context cannot be deleted"):
        delattr(context, name)
    assert getattr(context, name) == before

"""Settings at once, copies, frozen contexts, and contexts as text."""

from __future__ import annotations

import difflib
import subprocess
import sys

import pytest

import tlskit
from tlskit import MemoryStore, TicketKeyring, TLSVersion

from ..support.pairs import client_context, memory_pair, server_context
from .test_freezing import VALUES, place, prepared

# -- several at once -------------------------------------------------------------------------------


def test_all_of_it_holds(pki, new_or_used):
    client, server = new_or_used
    keyring = TicketKeyring()
    server.configure(
        cert_chain=(pki.narrow.chain, pki.narrow.key),
        ciphers="ECDHE+AESGCM",
        minimum_version=TLSVersion.TLSv1_2,
        maximum_version=TLSVersion.TLSv1_2,
        alpn_protocols=["h2"],
        sessions={"id_context": b"mine", "size": 3},
        tickets={"keyring": keyring, "lifetime": 60},
        verify_depth=4,
    )
    client.set_alpn_protocols(["h2"])
    near, _ = memory_pair(client, server)
    assert (near.version(), near.selected_alpn_protocol()) == ("TLSv1.2", "h2")
    assert near.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)
    assert server.sessions.id_context == b"mine"
    assert server.tickets.keyring is keyring
    assert (server.tickets.lifetime, server.sessions.size, server.verify_depth) == (60, 3, 4)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"ciphers": "NONE-OF-THAT-NAME"}, tlskit.SSLError),
        ({"security_level": 9}, ValueError),
        ({"cert_chain": "/nowhere/at/all"}, OSError),
        ({"sessions": {"id_context": b"x" * 33}}, ValueError),
        ({"sessions": {"size": -1}}, ValueError),
        ({"tickets": {"lifetime": 0}}, ValueError),
        ({"check_hostname": True, "groups": "no-group"}, tlskit.SSLError),
        ({"no_such_setting": 1}, TypeError),
        ({"sessions": {"no_such_setting": 1}}, TypeError),
        ({"sessions": 5}, TypeError),
        ({"_settings": 1}, TypeError),
        ({"session_stats": 1}, TypeError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value.__name__,
)  # fmt: skip
def test_nothing_of_it_holds_when_one_is_refused(pki, new_or_used, wrong, error):
    client, server = new_or_used
    before = server.describe()
    session = memory_pair(client, server)[0].session
    with pytest.raises(error):
        server.configure(
            alpn_protocols=["h2"],
            verify_depth=7,
            verify_locations={"cafile": pki.stranger_root},
            **wrong,
        )
    assert server.describe() == before
    assert memory_pair(client, server, session=session)[0].session_reused


@pytest.mark.parametrize("version", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3])
def test_versions_go_up_and_down_together(new_or_used, version):
    client, _ = new_or_used
    for one in (version, TLSVersion.TLSv1_3, TLSVersion.TLSv1_2, version):
        client.configure(minimum_version=one, maximum_version=one)
    assert (client.minimum_version, client.maximum_version) == (version, version)


def test_what_depends_on_something_comes_after_it(new_or_used):
    client, _ = new_or_used
    client.configure(verify_mode=tlskit.CERT_NONE, check_hostname=False)
    assert client.verify_mode is tlskit.CERT_NONE
    client.configure(check_hostname=True, verify_mode=tlskit.CERT_REQUIRED)
    assert client.check_hostname


def test_what_a_failure_has_done_to_the_session_cache_is_undone(pki, new_or_used):
    """The cache is one for all states of a context."""
    client, server = new_or_used
    server.options |= tlskit.OP_NO_TICKET
    with pytest.raises(tlskit.SSLError):
        server.configure(sessions={"size": 1}, groups="no-such-group")
    memory_pair(client, server)
    memory_pair(client, server)
    assert len(server.sessions) > 1


# -- copies ----------------------------------------------------------------------------------------


def test_a_copy_connects_as_its_original(pki, new_or_used):
    client, server = new_or_used
    server.set_alpn_protocols(["h2"])
    client.set_alpn_protocols(["h2"])
    near, _ = memory_pair(client.copy(), server.copy())
    assert near.selected_alpn_protocol() == "h2"
    assert near.getpeercert()["subjectAltName"]


def test_a_copy_and_its_original_go_their_own_ways(pki, new_or_used):
    client, server = new_or_used
    copy = server.copy()
    copy.load_cert_chain(pki.narrow.chain, pki.narrow.key)
    copy.sessions.timeout = 55
    server.sessions.timeout = 66
    assert len(memory_pair(client, copy)[0].getpeercert()["subjectAltName"]) == 1
    assert len(memory_pair(client, server)[0].getpeercert()["subjectAltName"]) > 1
    assert (copy.sessions.timeout, server.sessions.timeout) == (55, 66)
    assert type(copy) is type(server)
    assert copy.protocol is server.protocol


def test_a_copy_has_sessions_and_ticket_keys_of_its_own(pki, new_or_used):
    client, server = new_or_used
    session = memory_pair(client, server)[0].session
    copy = server.copy()
    assert not memory_pair(client, copy, session=session)[0].session_reused
    assert memory_pair(client, server, session=session)[0].session_reused
    assert copy.tickets.dangerous_keys != server.tickets.dangerous_keys
    assert copy.sessions.stats().accept == 1


def test_a_copy_shares_what_is_shared_by_reference(pki, new_or_used):
    client, server = new_or_used
    client.sessions.store = MemoryStore()
    server.tickets.keyring = TicketKeyring()
    assert client.copy().sessions.store is client.sessions.store
    assert server.copy().tickets.keyring is server.tickets.keyring
    session = memory_pair(client, server)[0].session
    assert memory_pair(client, server.copy(), session=session)[0].session_reused
    memory_pair(client, server)
    assert memory_pair(client.copy(), server)[0].session_reused


def test_a_copy_of_a_subclass(pki):
    class Mine(tlskit.SSLContext):
        """With an attribute of its own."""

    context = Mine(tlskit.PROTOCOL_TLS_CLIENT)
    context.tag = "red"
    copy = context.copy()
    assert type(copy) is Mine
    assert copy.tag == "red"
    copy.tag = "blue"
    assert context.tag == "red"


# -- frozen ----------------------------------------------------------------------------------------


def test_a_frozen_context_refuses_settings(pki, new_or_used):
    _, server = new_or_used
    assert not server.frozen
    server.freeze()
    assert server.frozen
    refused = [
        lambda: setattr(server, "options", 0),
        lambda: setattr(server, "verify_mode", tlskit.CERT_OPTIONAL),
        lambda: setattr(server, "sni_callback", None),
        lambda: setattr(server.sessions, "store", MemoryStore()),
        lambda: setattr(server.sessions, "timeout", 5),
        lambda: setattr(server.tickets, "keyring", None),
        lambda: server.load_cert_chain(pki.server.chain, pki.server.key),
        lambda: server.load_verify_locations(pki.stranger_root),
        lambda: server.set_ciphers("ECDHE+AESGCM"),
        lambda: server.configure(verify_depth=1),
        lambda: server.configure(),
        lambda: server.reload(pki.server.chain, pki.server.key),
    ]
    before = server.describe()
    for one in refused:
        with pytest.raises(RuntimeError, match="frozen"):
            one()
    assert server.describe() == before


def test_a_frozen_context_may_be_frozen_again(new_or_used):
    client, _ = new_or_used
    client.freeze()
    client.freeze()
    assert client.frozen


def test_a_frozen_context_goes_on(pki, new_or_used):
    client, server = new_or_used
    server.tickets.keyring = keyring = TicketKeyring()
    client.freeze()
    server.freeze()
    session = memory_pair(client, server)[0].session
    keyring.rotate()
    assert memory_pair(client, server, session=session)[0].session_reused
    server.sessions.clear()
    copy = server.copy()
    copy.verify_depth = 3
    assert not copy.frozen


# -- as text ---------------------------------------------------------------------------------------


def test_equal_contexts_have_equal_texts(pki):
    texts = {server_context(pki).describe() for _ in range(3)}
    assert len(texts) == 1
    context = client_context(pki)
    assert context.copy().describe() == context.describe()
    assert server_context(pki, identity=pki.direct).describe() not in texts


def test_a_change_is_one_line_of_a_diff(pki, new_or_used):
    client, _ = new_or_used
    before = client.describe().splitlines()
    client.security_level = 3
    after = client.describe().splitlines()
    lines = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert "- security_level: 2" in lines
    assert "+ security_level: 3" in lines


def test_a_text_says_nothing_secret(pki, new_or_used):
    _, server = new_or_used
    server.tickets.dangerous_keys = key = bytes(range(80))
    server.set_psk_server_callback(lambda identity: b"a secret key")
    text = server.describe()
    assert "ticket_keys: set" in text
    for secret in (key.hex(), "BEGIN", "a secret key", pki.server.key.read_text().split("\n")[1]):
        assert secret not in text


@pytest.mark.parametrize("name", VALUES)
def test_an_attribute_that_is_set_is_in_the_text(name, pki):
    role, value = VALUES[name]
    context, value = prepared(role, name, value, pki)
    default = context.describe()
    where, inner = place(context, name)
    setattr(where, inner, value)
    text = context.describe()
    assert text != default
    setattr(where, inner, value)
    assert context.describe() == text == context.copy().describe()


def hint(context, pki, number):
    context.set_psk_server_callback(print, f"hint {number}")


def prefix(context, pki, number):
    context.sessions.id_prefix = bytes([number])


def above(context, pki, number):
    """The same certificate, with other authorities in its chain."""
    leaf = pki.server.chain.read_text().partition("-----END CERTIFICATE-----\n")
    root = (pki.root, pki.stranger_root)[number].read_text()
    context.load_cert_chain("".join(leaf[:2]).encode() + root.encode(), pki.server.key)


def authorities(context, pki, number):
    context.client_ca_names = (pki.root, pki.stranger_root)[number]


def classes(context, pki, number):
    context.sslobject_class = (tlskit.SSLObject, type("Mine", (tlskit.SSLObject,), {}))[number]


@pytest.mark.parametrize("change", [hint, prefix, above, authorities, classes])
def test_what_differs_has_another_text(pki, change):
    texts = []
    for number in (0, 1, 0):
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        change(context, pki, number)
        texts.append(context.describe())
    assert texts[0] == texts[2] != texts[1]
    lines = difflib.ndiff(texts[0].splitlines(), texts[1].splitlines())
    assert len([line for line in lines if line[0] == "+"]) == 1


def test_another_process_says_the_same():
    script = (
        "import tlskit; print(tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER).describe(), end='')"
    )
    made = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert made.stdout == tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER).describe()


def test_what_openssl_makes_of_words_is_shown(new_or_used):
    client, _ = new_or_used
    client.set_ciphers("ECDHE+AESGCM:@SECLEVEL=1")
    text = client.describe()
    assert "security_level: 1\n" in text
    assert "ECDHE-RSA-AES128-GCM-SHA256" in text

"""Files of many authorities, of which those are parsed that a handshake searches for: the same is
trusted, shown and rejected as if all had been parsed.
"""

from __future__ import annotations

import base64
import re
import ssl as stdlib
import subprocess
import threading
from pathlib import Path

import pytest

import tlskit

from ..stdlib.compare import outcome
from ..support import inside, peers
from ..support.certificates import authority, issue
from ..support.pairs import memory_pair, serving

MANY = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bundle")


@pytest.fixture(scope="module")
def authorities(folder):
    return [authority(folder, f"authority {n}") for n in range(MANY)]


@pytest.fixture(scope="module")
def pems(authorities):
    return [one.pem.decode() for one in authorities]


@pytest.fixture(scope="module")
def leaves(folder, authorities):
    return [issue(folder, f"leaf {n}", issuer=authorities[n]) for n in (0, 7, MANY - 1)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bundle.pem"


def saved(path: Path, *parts: str, between: str = "", end: str = "\n") -> Path:
    path.write_text(between.join(parts), encoding="utf-8", newline=end)
    return path


def trusting(module=tlskit, **arguments):
    context = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(**arguments)
    return context


def accepts(context, made):
    try:
        memory_pair(context, serving(made))
    except tlskit.SSLCertVerificationError:
        return False
    return True


def seen(context):
    return context.cert_store_stats(), sorted(context.get_ca_certs(binary_form=True))


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_each_of_them_is_trusted_and_nobody_else(pems, leaves, path, folder, version):
    context = trusting(cafile=saved(path, *pems))
    context.minimum_version = context.maximum_version = getattr(tlskit.TLSVersion, version)
    stranger = issue(folder, "stranger", issuer=authority(folder, "authority of strangers"))
    for _ in range(2):
        assert all(accepts(context, leaf) for leaf in leaves)
        assert not accepts(context, stranger)


def test_a_name_alone_is_not_trusted(pems, path, tmp_path):
    """An authority that only has the same name as one in the bundle."""
    false = authority(tmp_path, "authority 7")
    assert not accepts(trusting(cafile=saved(path, *pems)), issue(tmp_path, "x", issuer=false))


@pytest.mark.parametrize("used", [False, True])
def test_they_are_all_shown(pems, leaves, path, used):
    context = trusting(cafile=saved(path, *pems))
    if used:
        assert accepts(context, leaves[1])
    assert seen(context) == seen(trusting(cadata="".join(pems)))
    assert seen(context) == seen(trusting(stdlib, cafile=path))
    assert accepts(context, leaves[0])
    assert seen(context)[0] == {"x509": MANY, "crl": 0, "x509_ca": MANY}


def test_the_whole_chain_is_that_of_a_parsed_file(pems, leaves, path):
    client, _ = memory_pair(trusting(cafile=saved(path, *pems)), serving(leaves[1]))
    other, _ = memory_pair(trusting(cadata="".join(pems)), serving(leaves[1]))
    assert client.info.verified_chain == other.info.verified_chain
    assert len(client.info.verified_chain) == 2


@pytest.mark.parametrize("first", [0, 1])
def test_two_of_the_same_name(pems, path, tmp_path, first):
    """An authority with an old and a new key."""
    pair = [authority(tmp_path, "renewed") for _ in range(2)]
    two = [pair[first].pem.decode(), pair[not first].pem.decode()]
    context = trusting(cafile=saved(path, two[0], *pems, two[1]))
    for made in pair:
        assert accepts(context, issue(tmp_path, "leaf", issuer=made))


@pytest.mark.parametrize("how", ["cafile", "cadata"])
@pytest.mark.parametrize("used", [False, True])
def test_more_beside_a_bundle(pems, leaves, path, tmp_path, how, used):
    """Even one that has the name of an authority in the bundle."""
    other = authority(tmp_path, "authority 7")
    context = trusting(cafile=saved(path, *pems))
    if used:
        assert accepts(context, leaves[0])
    context.load_verify_locations(**{how: other.chain if how == "cafile" else other.der})
    assert accepts(context, leaves[1])
    assert accepts(context, leaves[2])
    assert accepts(context, issue(tmp_path, "leaf", issuer=other))
    assert context.cert_store_stats()["x509"] == MANY + 1


@pytest.mark.parametrize("first", ["cafile", "capath"])
def test_a_directory_beside_a_bundle(pems, leaves, path, tmp_path, first):
    other, hashed = authority(tmp_path, "another"), tmp_path / "hashed"
    hashed.mkdir()
    command = [peers.command(), "x509", "-hash", "-noout", "-in", str(other.chain)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (hashed / f"{name}.0").write_bytes(other.pem)
    sources = {"cafile": saved(path, *pems), "capath": hashed}
    context = trusting(**{first: sources.pop(first)})
    context.load_verify_locations(**sources)
    together = trusting(cafile=path, capath=hashed)
    for one in (context, together):
        assert accepts(one, leaves[1])
        assert accepts(one, issue(tmp_path, "leaf", issuer=other))
        assert accepts(one, leaves[0])
        assert one.cert_store_stats()["x509"] == MANY + 1


def test_a_bundle_beside_others(pems, leaves, path, tmp_path):
    other = authority(tmp_path, "another")
    context = trusting(cadata=other.der)
    context.load_verify_locations(saved(path, *pems))
    assert accepts(context, leaves[1])
    assert accepts(context, issue(tmp_path, "leaf", issuer=other))


def test_one_context_may_trust_more_than_its_neighbour(pems, leaves, path, tmp_path):
    saved(path, *pems)
    other = authority(tmp_path, "another")
    one, neighbour = trusting(cafile=path), trusting(cafile=path)
    one.load_verify_locations(cadata=other.der)
    leaf = issue(tmp_path, "leaf", issuer=other)
    assert accepts(one, leaf)
    assert not accepts(neighbour, leaf)
    assert accepts(one, leaves[1])
    assert accepts(neighbour, leaves[1])
    assert neighbour.cert_store_stats()["x509"] == MANY


def test_its_identity_is_that_of_its_certificates(pems, path):
    """So that a session is resumed, wherever the same authorities came from."""

    def identity(context):
        return inside.settings_of(context).trust.identity

    whole = identity(trusting(cafile=saved(path, *pems)))
    assert identity(trusting(cadata="".join(pems))) == whole
    assert identity(trusting(cafile=saved(path, *reversed(pems), pems[3]))) == whole
    assert identity(trusting(cafile=saved(path, *pems[1:]))) != whole


def test_one_that_occurs_twice_counts_once(pems, path):
    context = trusting(cafile=saved(path, *pems, *pems))
    assert context.cert_store_stats()["x509"] == MANY
    assert len(context.get_ca_certs()) == MANY


@pytest.mark.parametrize("between", ["", "\n", "# Größe\n", "\r\n", "= words =\n\n"])
def test_comments(pems, leaves, path, between):
    context = trusting(cafile=saved(path, between, *pems, between=between))
    assert accepts(context, leaves[1])
    assert context.cert_store_stats()["x509"] == MANY


def changed(pem: str, change) -> str:
    """The PEM of a certificate whose DER is different."""
    der = change(tlskit.PEM_cert_to_DER_cert(pem))
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def replaced(old: bytes, new: bytes):
    assert len(old) == len(new)

    def change(der: bytes) -> bytes:
        assert old in der
        return der.replace(old, new, 1)

    return change


UTC_TIME, GENERALIZED, SEQUENCE = b"\x17\x0d", b"\x18\x0d", b"\x30"
COMMON_NAME, KEY_ID = b"\x06\x03\x55\x04\x03", b"\x06\x03\x55\x1d\x0e"
BROKEN = {
    "no base64": lambda pem: pem.replace("\nMII", "\n***", 1),
    "another character": lambda pem: pem.replace("M", "ä", 1),
    "no end": lambda pem: pem.replace("-----END", "----END"),
    "another end": lambda pem: pem.replace("END CERT", "END KERT"),
    "a beginning inside": lambda pem: "-----BEGIN CERTIFICATE-----\n" + pem,
    "half": lambda pem: changed(pem, lambda der: der[: len(der) // 2]),
    "nothing": lambda pem: changed(pem, lambda der: b""),
    "words": lambda pem: changed(pem, lambda der: b"not a certificate at all"),
    "another tag": lambda pem: changed(pem, lambda der: b"\x31" + der[1:]),
    "a length": lambda pem: changed(pem, lambda der: der[:2] + b"\xff\xff" + der[4:]),
    "no time": lambda pem: changed(pem, replaced(UTC_TIME, b"\x04\x0d")),
    "a broken name": lambda pem: changed(pem, replaced(COMMON_NAME, b"\x06\x83" + b"\x55\x04\x03")),
    "a broken extension": lambda pem: changed(pem, replaced(KEY_ID, b"\x05\x03\x55\x1d\x0e")),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("place", [0, 11, MANY])
def test_all_or_nothing(pems, leaves, path, what, place):
    bad = BROKEN[what](pems[5])
    saved(path, *pems[:place], bad, *pems[place:])
    ours = outcome(lambda: trusting(cafile=path))
    theirs = outcome(lambda: trusting(stdlib, cafile=path))
    assert (ours.raised is None) == (theirs.raised is None)
    if ours.raised is None:
        return
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    with pytest.raises(tlskit.SSLError) as caught:
        context.load_verify_locations(path)
    assert caught.value.library
    assert context.cert_store_stats()["x509"] == 0
    assert not accepts(context, leaves[1])


def test_a_broken_bundle_of_the_machine_counts_as_none(monkeypatch, pems, leaves, path):
    saved(path, *pems, BROKEN["half"](pems[5]))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    assert not accepts(tlskit.create_default_context(), leaves[1])


def test_other_things_in_the_file(pems, leaves, authorities, path, tmp_path):
    """A private key, and certificates under other names."""
    trusted = re.sub("(BEGIN|END) CERT", r"\1 X509 CERT", pems[-1])
    saved(path, authorities[3].key_pem.decode(), *pems[:-1], trusted)
    context = trusting(cafile=path)
    assert seen(context) == seen(trusting(stdlib, cafile=path))
    assert accepts(context, leaves[-1])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("text", ["{}\n", " {}", "{} \n", "{}\n\n"])
def test_lines_of_another_kind(pems, path, text, end):
    """Whatever libcrypto's reader takes or rejects."""
    odd = re.sub("(?m)^(M.*)$\n", lambda line: text.format(line[1]), pems[0], count=1)
    saved(path, odd, *pems[1:], end=end)
    ours = outcome(lambda: seen(trusting(cafile=path)))
    theirs = outcome(lambda: seen(trusting(stdlib, cafile=path)))
    assert (ours.raised is None) == (theirs.raised is None)
    assert ours.value == theirs.value


def test_bytes_after_a_first_line(pems, path):
    """libcrypto cuts off bytes above 127 where `char` has a sign."""
    saved(path, pems[0].replace("-----\n", "-----\u00e9\n", 1), *pems[1:])
    assert seen(trusting(cafile=path)) == seen(trusting(stdlib, cafile=path))


def test_threads_that_search_and_ask_at_once(pems, leaves, path):
    context, start, found = trusting(cafile=saved(path, *pems)), threading.Barrier(6), []

    def work(n: int) -> None:
        start.wait()
        found.append(accepts(context, leaves[n % 3]) if n < 4 else seen(context)[0]["x509"] == MANY)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 6

"""Whom a context trusts: files, directories, data and defaults; all or nothing; and one store for
many contexts.
"""

from __future__ import annotations

import base64
import os
import shutil
import ssl as stdlib
import subprocess
import sys
import threading
import types
from collections import OrderedDict

import pytest

import tlskit
from tlskit import _trust
from tlskit._core import files

from ..stdlib.compare import MODULES, agree, compared, outcome, same_openssl
from ..support import inside, peers
from ..support.pairs import memory_pair, server_context
from ..support.pypy import PYPY


def make(module=tlskit):
    return module.SSLContext(module.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def context():
    return make()


@pytest.fixture
def server(pki):
    return server_context(pki)


@pytest.fixture
def strange(pki):
    """A server that only the other root vouches for."""
    return server_context(pki, identity=pki.stranger)


@pytest.fixture(autouse=True)
def _nothing_shared(monkeypatch):
    """Every test begins with nothing in the caches."""
    for name in ("_stores", "_files", "_directories"):
        monkeypatch.setattr(_trust, name, OrderedDict())


@pytest.fixture
def opened(monkeypatch):
    """The files of authorities that are read meanwhile, of which none looks young."""
    names, real = [], files.read

    def counting(path):
        names.append(path)
        return real(path)

    monkeypatch.setattr(files, "read", counting)
    monkeypatch.setattr(files, "_SETTLED_AFTER", -(10**18))
    return names


#: For tests of what a machine without any authorities trusts.
FILES_ALONE = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has a store of authorities beside the files"
)


@pytest.fixture(scope="module")
def hashed(pki, tmp_path_factory):
    """A directory with the root under the hash of its subject."""
    folder = tmp_path_factory.mktemp("hashed")
    add_hashed(folder, pki.root)
    return folder


def add_hashed(folder, certificate, suffix=".0", option="-hash"):
    command = [
        peers.command(),
        "crl" if option == "-crl" else "x509",
        "-hash",
        "-noout",
        "-in",
        str(certificate),
    ]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    shutil.copy(certificate, folder / f"{name}{suffix}")


def trusts(context, server):
    """Whether this server gets through."""
    try:
        memory_pair(context, server)
    except tlskit.SSLCertVerificationError:
        return False
    return True


def der(path):
    return tlskit.PEM_cert_to_DER_cert(path.read_text())


def seen(context):
    """All that a context says of whom it trusts, in an order that does not depend on OpenSSL's
    version.
    """
    assert context.get_ca_certs(True) == context.get_ca_certs(binary_form=True)
    return (
        context.cert_store_stats(),
        sorted(context.get_ca_certs(), key=repr),
        sorted(context.get_ca_certs(True)),
    )


# -- where it comes from ---------------------------------------------------------------------------


def test_nobody_at_first(context, server):
    assert seen(context) == ({"x509": 0, "crl": 0, "x509_ca": 0}, [], [])
    assert not trusts(context, server)


SOURCES = {
    "a file": lambda pki, hashed: {"cafile": str(pki.root)},
    "a path": lambda pki, hashed: {"cafile": pki.root},
    "bytes": lambda pki, hashed: {"cafile": os.fsencode(pki.root)},
    "text": lambda pki, hashed: {"cadata": pki.root_pem},
    "der": lambda pki, hashed: {"cadata": der(pki.root)},
    "a bytearray": lambda pki, hashed: {"cadata": bytearray(der(pki.root))},
    "a view": lambda pki, hashed: {"cadata": memoryview(der(pki.root))},
    "a directory": lambda pki, hashed: {"capath": str(hashed)},
    "a directory as a path": lambda pki, hashed: {"capath": hashed},
    "a directory as bytes": lambda pki, hashed: {"capath": os.fsencode(hashed)},
    "all": lambda pki, hashed: {"cafile": pki.root, "capath": hashed, "cadata": pki.root_pem},
    "two directories": lambda pki, hashed: {"capath": f"/nonexistent{os.pathsep}{hashed}"},
    "a file twice over": lambda pki, hashed: {"cadata": pki.root_pem * 3},
    "two in der": lambda pki, hashed: {"cadata": der(pki.root) + der(pki.stranger_root)},
    "two in text": lambda pki, hashed: {
        "cadata": pki.stranger_root.read_text() + "\nsome words\n" + pki.root_pem
    },
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source(pki, hashed, server, source):
    arguments = SOURCES[source](pki, hashed)

    def work(module):
        context = make(module)
        context.load_verify_locations(**arguments)
        return seen(context)

    assert compared(work).raised is None
    context = make()
    context.load_verify_locations(**arguments)
    assert trusts(context, server)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_of_a_default_context(pki, hashed, server, source):
    arguments = SOURCES[source](pki, hashed)
    assert compared(lambda module: seen(module.create_default_context(**arguments))).raised is None
    context = tlskit.create_default_context(**arguments)
    context.verify_flags &= ~tlskit.VERIFY_X509_STRICT
    assert trusts(context, server)


def test_by_position(pki, hashed):
    for module in MODULES:
        context = make(module)
        context.load_verify_locations(str(pki.root), str(hashed), pki.stranger_root.read_text())
        assert context.cert_store_stats()["x509"] == 2


def test_one_after_another(pki, hashed, server, strange, context):
    context.load_verify_locations(pki.root)
    context.load_verify_locations(cadata=pki.stranger_root.read_text())
    context.load_verify_locations(capath=hashed)
    assert context.cert_store_stats() == {"x509": 2, "crl": 0, "x509_ca": 2}
    assert trusts(context, server)
    assert trusts(context, strange)


def test_what_is_no_authority(pki):
    """Leaves count, but are not among the authorities."""

    def work(module):
        context = make(module)
        context.load_verify_locations(pki.server.chain)
        return seen(context)

    result = compared(work)
    assert result.value[0] == {"x509": 2, "crl": 0, "x509_ca": 1}


def test_revocation_lists(tmp_path):
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    _, certificate = authority.issue("localhost")
    crl = authority.revoke(certificate)
    both = tmp_path / "both.pem"
    both.write_bytes(crl.read_bytes() + authority.root.read_bytes())

    def work(module):
        context = make(module)
        context.load_verify_locations(both)
        first = seen(context)
        context = make(module)
        context.load_verify_locations(crl)
        return first, seen(context)

    assert compared(work).value[0][0] == {"x509": 1, "crl": 1, "x509_ca": 1}


def test_revocation_lists_take_effect(tmp_path):
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    good, _ = authority.issue("localhost")
    bad, certificate = authority.issue("localhost")
    context = make()
    context.load_verify_locations(authority.root)
    context.load_verify_locations(authority.revoke(certificate))
    context.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    for identity, passes in ((good, True), (bad, False)):
        server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(identity.chain, identity.key)
        assert trusts(context, server) is passes


def test_a_revocation_list_in_a_directory(tmp_path):
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    bad, certificate = authority.issue("localhost")
    folder = tmp_path / "hashed"
    folder.mkdir()
    add_hashed(folder, authority.root)
    add_hashed(folder, authority.revoke(certificate), suffix=".r0", option="-crl")
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(bad.chain, bad.key)
    context = make()
    context.load_verify_locations(capath=folder)
    assert trusts(context, server)
    context.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    assert not trusts(context, server)


def test_a_directory_shows_what_was_used(hashed, server):
    """As the documentation of `get_ca_certs` says, and as it is in the stdlib."""
    counts = []
    for module in MODULES:
        context = make(module)
        context.load_verify_locations(capath=hashed)
        before = context.cert_store_stats()["x509"]
        memory_pair(context, server, module=module)
        counts.append((before, context.cert_store_stats()["x509"], len(context.get_ca_certs())))
    assert counts == [(0, 1, 1)] * 2


# -- what is no source -----------------------------------------------------------------------------


def broken(folder, pki):
    """Arguments that name no authority."""
    (folder / "empty.pem").write_bytes(b"")
    (folder / "words.pem").write_text("words and words\n")
    (folder / "zeros.pem").write_bytes(bytes(3000))
    pem = pki.root_pem
    (folder / "cut.pem").write_text(pem[:200])
    (folder / "damaged.pem").write_text(pem[:100] + "*" + pem[101:])
    (folder / "second.pem").write_text(pki.stranger_root.read_text() + pem[:100] + "*" + pem[101:])
    (folder / "binary.der").write_bytes(der(pki.root))
    whole = der(pki.root)
    return {
        "nothing": {},
        "all None": {"cafile": None, "capath": None, "cadata": None},
        "no such file": {"cafile": folder / "nosuch.pem"},
        "a directory as file": {"cafile": folder},
        "empty": {"cafile": folder / "empty.pem"},
        "words": {"cafile": folder / "words.pem"},
        "zeros": {"cafile": folder / "zeros.pem"},
        "cut": {"cafile": folder / "cut.pem"},
        "damaged": {"cafile": folder / "damaged.pem"},
        "damaged after a good one": {"cafile": folder / "second.pem"},
        "DER in a file": {"cafile": folder / "binary.der"},
        "a key": {"cafile": pki.server.key},
        "cafile: number": {"cafile": 5},
        "cafile: list": {"cafile": []},
        "capath: number": {"capath": 5},
        "cafile: empty name": {"cafile": ""},
        "cafile: null": {"cafile": "a\0b"},
        "text: empty": {"cadata": ""},
        "text: words": {"cadata": "broken"},
        "text: cut": {"cadata": pem[:200]},
        "text: damaged": {"cadata": pem[:100] + "*" + pem[101:]},
        "text: begins only": {"cadata": "-----BEGIN CERTIFICATE-----\n"},
        "bytes: empty": {"cadata": b""},
        "bytes: words": {"cadata": b"broken"},
        "bytes: cut": {"cadata": whole[:100]},
        "bytes: more": {"cadata": whole + b"A"},
        "bytes: more zeros": {"cadata": whole + b"\0"},
        "bytes: damaged": {"cadata": b"\x31" + whole[1:]},
        "data: number": {"cadata": 5},
        "data: list": {"cadata": ["x"]},
        "data: object": {"cadata": object()},
    }


@pytest.mark.parametrize("number", range(31))
def test_broken_sources(pki, tmp_path, number):
    cases = broken(tmp_path, pki)
    assert len(cases) == 31
    name, arguments = list(cases.items())[number]
    theirs, ours = (
        outcome(lambda module=module: make(module).load_verify_locations(**arguments))
        for module in MODULES
    )
    assert ours.raised is not None, name
    if theirs.raised is not None or not name.startswith(
        "bytes: more"
    ):  # Python 3.12 and later look at the rest of the bytes
        assert ours.raised is theirs.raised or (PYPY and agree(theirs, ours)), name


@pytest.mark.parametrize("capath", ["/nonexistent", "", "/dev/null"])
def test_a_directory_that_is_not_there(capath):
    """Nobody looks before there is a certificate to look for."""
    compared(lambda module: make(module).load_verify_locations(capath=capath))


def test_a_failed_load_changes_nothing(pki, tmp_path, context, server, strange):
    context.load_verify_locations(pki.root)
    before = seen(context)
    for name, arguments in broken(tmp_path, pki).items():
        with pytest.raises((OSError, TypeError, ValueError, tlskit.SSLError)):
            context.load_verify_locations(**arguments)
        assert seen(context) == before, name
        assert trusts(context, server), name
        assert not trusts(context, strange), name


def test_all_or_nothing(pki, tmp_path, context, strange):
    """The stdlib keeps what came before the error."""
    sources = broken(tmp_path, pki)
    for arguments in (
        sources["damaged after a good one"],
        {"cafile": pki.stranger_root, "cadata": "broken"},
        {"cafile": pki.stranger_root, "cadata": b"broken"},
        {"cadata": der(pki.stranger_root) + b"A"},
        {"cafile": pki.stranger_root, "capath": "a\0b"},
    ):
        with pytest.raises((tlskit.SSLError, ValueError)):
            context.load_verify_locations(**arguments)
        assert context.cert_store_stats()["x509"] == 0
        assert not trusts(context, strange)


def test_a_failed_load_into_a_shared_store(pki, tmp_path, server):
    """Neither the context nor the others that share its store have anything of it."""
    first, second = make(), make()
    first.load_verify_locations(pki.root)
    second.load_verify_locations(pki.root)
    with pytest.raises(tlskit.SSLError):
        first.load_verify_locations(**broken(tmp_path, pki)["damaged after a good one"])
    assert seen(first) == seen(second)
    assert trusts(first, server)
    assert trusts(second, server)


# -- one store for many contexts -------------------------------------------------------------------


def test_the_second_context_reads_nothing(pki, server, opened):
    first, second = make(), make()
    first.load_verify_locations(pki.root)
    assert [name for name in opened if name == str(pki.root)] == [str(pki.root)]
    opened.clear()
    second.load_verify_locations(pki.root)
    assert opened == []
    assert seen(first) == seen(second)
    assert trusts(second, server)


@FILES_ALONE
def test_the_second_default_context_reads_nothing(pki, monkeypatch, server, opened):
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.root))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    for count in (1, 0, 0):
        opened.clear()
        context = tlskit.create_default_context()
        assert len(opened) == count
        assert context.cert_store_stats()["x509"] == 1


def test_the_same_store_by_reference(pki):
    """One X509_STORE in memory, not many copies."""
    contexts = [make() for _ in range(3)]
    for context in contexts:
        context.load_verify_locations(pki.root)
    assert len({id(inside.settings_of(context).trust) for context in contexts}) == 1


def test_two_authorities_of_one_name(context):
    """Such as a root that has been renewed: loaded again, each of them is there once."""
    trustme = pytest.importorskip("trustme")
    names = {"organization_name": "Renewed", "organization_unit_name": "Root"}
    roots = [trustme.CA(**names).cert_pem.bytes().decode() for _ in range(3)]
    others = [trustme.CA().cert_pem.bytes().decode() for _ in range(3)]
    apart = [pem for both in zip(roots, others, strict=True) for pem in both]
    context.load_verify_locations(cadata="".join(apart))
    for comment, pem in enumerate([*roots, *others, *roots]):  # each one a source of its own
        context.load_verify_locations(cadata=f"{comment}\n{pem}")
    assert context.cert_store_stats() == {"x509": 6, "x509_ca": 6, "crl": 0}
    assert len(context.get_ca_certs()) == 6


def test_the_same_content_under_other_names(pki, tmp_path, monkeypatch):
    shutil.copy(pki.root, tmp_path / "copy.pem")
    monkeypatch.chdir(pki.root.parent)
    contexts = [make() for _ in range(3)]
    names = (pki.root, pki.root.name, tmp_path / "copy.pem")
    for context, name in zip(contexts, names, strict=True):
        context.load_verify_locations(name)
    assert len({id(inside.settings_of(context).trust) for context in contexts}) == 1


def test_the_same_relative_name_elsewhere(pki, tmp_path, monkeypatch, server):
    """What a relative name means depends on where one is."""
    for name, source in (("one", pki.root), ("two", pki.stranger_root)):
        (tmp_path / name).mkdir()
        shutil.copy(source, tmp_path / name / "ca.pem")
    results = []
    for name in ("one", "two"):
        monkeypatch.chdir(tmp_path / name)
        context = make()
        context.load_verify_locations("ca.pem")
        results.append(trusts(context, server))
    assert results == [True, False]


@pytest.mark.parametrize("more", ["cafile", "cadata", "der", "capath"])
def test_adding_does_not_leak(pki, server, strange, tmp_path, more):
    first, second = make(), make()
    first.load_verify_locations(pki.root)
    second.load_verify_locations(pki.root)
    add_hashed(tmp_path, pki.stranger_root)
    arguments = {
        "cafile": {"cafile": pki.stranger_root},
        "cadata": {"cadata": pki.stranger_root.read_text()},
        "der": {"cadata": der(pki.stranger_root)},
        "capath": {"capath": tmp_path},
    }
    first.load_verify_locations(**arguments[more])
    assert trusts(first, strange)
    assert trusts(first, server)
    third = make()
    third.load_verify_locations(pki.root)
    for other in (second, third):
        assert other.cert_store_stats()["x509"] == 1
        assert not trusts(other, strange)
        assert trusts(other, server)


@FILES_ALONE
def test_adding_to_a_default_context_does_not_leak(pki, monkeypatch, strange):
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.root))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    first, second = tlskit.create_default_context(), tlskit.create_default_context()
    first.load_verify_locations(pki.stranger_root)
    assert first.cert_store_stats()["x509"] == 2
    for context in (second, tlskit.create_default_context()):
        assert context.cert_store_stats()["x509"] == 1
        assert not trusts(context, strange)


def test_verification_settings_do_not_leak(pki, server):
    """They belong to the context, not to the store."""
    first, second = make(), make()
    for context in (first, second):
        context.load_verify_locations(pki.root)
    first.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    first.verify_depth = 0
    assert not trusts(first, server)
    assert trusts(second, server)


def test_a_directory_used_by_one_does_not_show_in_another(hashed, server):
    """What one context has looked up is not another one's to have: it may have gone from the
    directory.
    """
    first, second = make(), make()
    for context in (first, second):
        context.load_verify_locations(capath=hashed)
    assert trusts(first, server)
    assert second.cert_store_stats()["x509"] == 0


def test_a_directory_from_which_an_authority_has_gone(pki, tmp_path, server):
    add_hashed(tmp_path, pki.root)
    first = make()
    first.load_verify_locations(capath=tmp_path)
    assert trusts(first, server)
    for path in tmp_path.glob("*.0"):
        path.unlink()
    second = make()
    second.load_verify_locations(capath=tmp_path)
    assert not trusts(second, server)


def test_a_default_directory_from_which_an_authority_has_gone(pki, tmp_path, monkeypatch, server):
    """A long-lived process: what the administrator has taken out must not live on in contexts made
    later.
    """
    add_hashed(tmp_path, pki.root)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    first = make()
    first.load_default_certs()
    assert trusts(first, server)
    for path in tmp_path.glob("*.0"):
        path.unlink()
    second = make()
    second.load_default_certs()
    assert not trusts(second, server)


def test_a_relative_directory_elsewhere(pki, tmp_path, monkeypatch, server):
    for name in ("one", "two"):
        (tmp_path / name / "certificates").mkdir(parents=True)
    add_hashed(tmp_path / "one" / "certificates", pki.root)
    results = []
    for name in ("one", "two"):
        monkeypatch.chdir(tmp_path / name)
        context = make()
        context.load_verify_locations(capath="certificates")
        results.append(trusts(context, server))
    assert results == [True, False]


# -- a file that changes ---------------------------------------------------------------------------


def test_a_file_that_was_written_anew(pki, tmp_path, server, strange):
    path = tmp_path / "ca.pem"
    shutil.copy(pki.root, path)
    first = make()
    first.load_verify_locations(path)
    path.write_bytes(pki.stranger_root.read_bytes() + b"\n")
    second = make()
    second.load_verify_locations(path)
    assert (trusts(first, server), trusts(first, strange)) == (True, False)
    assert (trusts(second, server), trusts(second, strange)) == (False, True)


def test_a_file_that_was_replaced(pki, tmp_path, strange):
    """Renamed over, as packages do, with the size and the time of the old one."""
    path, other = tmp_path / "ca.pem", tmp_path / "new.pem"
    one, two = pki.root.read_bytes(), pki.stranger_root.read_bytes()
    size = max(len(one), len(two))
    path.write_bytes(one.ljust(size, b"\n"))
    os.utime(path, ns=(10**18, 10**18))
    make().load_verify_locations(path)
    other.write_bytes(two.ljust(size, b"\n"))
    os.utime(other, ns=(10**18, 10**18))
    other.replace(path)
    context = make()
    context.load_verify_locations(path)
    assert trusts(context, strange)


def test_a_file_that_was_touched(pki, tmp_path, opened):
    path = tmp_path / "ca.pem"
    shutil.copy(pki.root, path)
    make().load_verify_locations(path)
    os.utime(path, ns=(10**18, 10**18))
    opened.clear()
    make().load_verify_locations(path)
    assert opened == [str(path)]


def test_a_file_that_has_gone(pki, tmp_path):
    path = tmp_path / "ca.pem"
    shutil.copy(pki.root, path)
    make().load_verify_locations(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        make().load_verify_locations(path)


def test_the_cache_is_bounded(pki, tmp_path):
    for number in range(40):
        path = tmp_path / f"{number}.pem"
        shutil.copy(pki.root, path)
        make().load_verify_locations(path)
    assert len(_trust._stores) <= _trust._KEPT


def test_a_broken_file_is_not_kept(pki, tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("words")
    for _ in range(2):
        with pytest.raises(tlskit.SSLError):
            make().load_verify_locations(path)
    assert len(_trust._stores) == 0


def test_many_threads_at_once(pki, server):
    contexts, errors = [make() for _ in range(16)], []
    barrier = threading.Barrier(16)

    def load(context):
        try:
            barrier.wait(20)
            context.load_verify_locations(pki.root)
            context.load_verify_locations(pki.stranger_root)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=load, args=(context,)) for context in contexts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert [context.cert_store_stats()["x509"] for context in contexts] == [2] * 16
    assert trusts(contexts[7], server)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_can_load(pki):
    """The lock is not left in the hands of a thread that the child lacks."""
    import warnings

    make().load_verify_locations(pki.root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            context = make()
            context.load_verify_locations(pki.root)
            context.load_verify_locations(pki.stranger_root)
            status = 0 if context.cert_store_stats()["x509"] == 2 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- the defaults ----------------------------------------------------------------------------------


@pytest.fixture
def places(monkeypatch, tmp_path, pki, hashed):
    """What the environment may name."""
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "words.pem").write_text("words\n")
    (tmp_path / "nothing").mkdir()
    return {
        None: None,
        "": "",
        "root": str(pki.root),
        "missing": str(tmp_path / "missing"),
        "empty": str(tmp_path / "empty.pem"),
        "words": str(tmp_path / "words.pem"),
        "null": os.devnull,
        "folder": str(tmp_path),
        "hashed": str(hashed),
        "nothing": str(tmp_path / "nothing"),
        "several": os.pathsep.join([str(tmp_path / "missing"), str(hashed)]),
    }


@same_openssl
@pytest.mark.parametrize("directory", [None, "", "hashed", "nothing", "missing", "several"])
@pytest.mark.parametrize("file", [None, "", "root", "missing", "empty", "words", "null", "folder"])
def test_the_environment(monkeypatch, places, server, file, directory):
    """SSL_CERT_FILE and SSL_CERT_DIR say whom to trust; also that it is nobody. Both count, and
    neither means any other place.
    """
    for name, value in (("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, places[value])
    if (file, directory) == (None, None) and knows_no_place():
        pytest.skip("this Python's OpenSSL knows no place that exists; tlskit looks for others")
    found = {}
    for module in MODULES:
        context = make(module)
        result = outcome(context.load_default_certs)
        found[module.__name__] = (
            result.raised,
            context.cert_store_stats(),
            trusts_with(module, context, server),
        )
    assert found["tlskit"] == found["ssl"]


def knows_no_place():
    """Whether this Python's OpenSSL was built for files that the machine does not have."""
    usual = stdlib.get_default_verify_paths()
    found = os.path.isfile(usual.openssl_cafile) or os.path.isdir(usual.openssl_capath)
    return sys.platform != "win32" and not found


def trusts_with(module, context, server):
    try:
        memory_pair(context, server, module=module)
    except stdlib.SSLCertVerificationError:
        return False
    return True


@FILES_ALONE
def test_nobody_means_nobody(monkeypatch, tmp_path):
    """Who points both at nothing wants no authority at all: the distribution's must not creep
    in.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    context = tlskit.create_default_context()
    assert context.cert_store_stats()["x509"] == 0
    assert _trust.default_locations() == (None, None)


def places_are(monkeypatch, file, directory):
    """Say that the interpreter's OpenSSL was built for these."""
    variables = _trust._usual_places()[::2]
    found = (variables[0], str(file), variables[1], str(directory))
    monkeypatch.setattr(_trust, "_usual_places", lambda: found)


@FILES_ALONE
def test_missing_defaults(monkeypatch, tmp_path, server):
    """A machine without any authorities: no error, and nobody is trusted."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    places_are(monkeypatch, tmp_path / "no.pem", tmp_path / "no")
    monkeypatch.setattr(_trust, "_WELL_KNOWN_FILES", ())
    monkeypatch.setattr(_trust, "_WELL_KNOWN_DIRECTORIES", ())
    context = make()
    context.load_default_certs()
    context.set_default_verify_paths()
    assert context.cert_store_stats()["x509"] == 0
    assert not trusts(context, server)
    assert tlskit.create_default_context().cert_store_stats()["x509"] == 0


@FILES_ALONE
def test_the_well_known_places(monkeypatch, tmp_path, pki, server):
    """Where the interpreter's OpenSSL knows no place that exists, the distributions' are tried in
    turn.
    """
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    places_are(monkeypatch, tmp_path / "no.pem", tmp_path / "no")
    monkeypatch.setattr(
        _trust,
        "_WELL_KNOWN_FILES",
        (str(tmp_path / "missing"), str(pki.root), str(pki.stranger_root)),
    )
    context = make()
    context.load_default_certs()
    assert context.get_ca_certs(True) == [der(pki.root)]
    assert trusts(context, server)


def test_defaults_beside_others(monkeypatch, pki, context, server, strange):
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.root))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    context.load_verify_locations(pki.stranger_root)
    context.load_default_certs()
    assert trusts(context, server)
    assert trusts(context, strange)


@pytest.mark.parametrize("purpose", [stdlib.Purpose.SERVER_AUTH, stdlib.Purpose.CLIENT_AUTH])
def test_purposes(purpose):
    def work(module):
        context = module.create_default_context(purpose)
        return (
            context.verify_mode,
            context.check_hostname,
            context.verify_flags,
            context.cert_store_stats(),
            context.protocol,
        )

    assert compared(work).raised is None
    assert compared(lambda module: make(module).load_default_certs(purpose)).raised is None


def test_a_bad_certificate_in_the_store_of_windows(monkeypatch, pki, context, server):
    """It is left out with a warning, as the stdlib does, and the others are trusted."""
    purpose = stdlib.Purpose.SERVER_AUTH.oid
    store = [
        (b"0\x03no", "x509_asn", True),
        (der(pki.stranger_root), "x509_asn", {"1.3.6.1.5.5.7.3.4"}),  # for mail alone
        (der(pki.stranger_root), "pkcs_7_asn", True),
        (der(pki.root), "x509_asn", {purpose}),
    ]
    monkeypatch.setattr(_trust, "sys", types.SimpleNamespace(platform="win32"))
    monkeypatch.setattr(_trust.ssl, "enum_certificates", lambda name: store, raising=False)
    settings = inside.settings_of(context)
    with settings.held(), pytest.warns(UserWarning, match="bad certificate in the Windows .* ROOT"):
        _trust.load_windows(settings, ("ROOT",), purpose)
    assert context.get_ca_certs(True) == [der(pki.root)]
    assert trusts(context, server)


@pytest.mark.parametrize("bad", [None, 5, "SERVER_AUTH", stdlib.Purpose, object()], ids=repr)
def test_purposes_that_are_none(bad):
    compared(lambda module: module.create_default_context(bad))
    assert compared(lambda module: make(module).load_default_certs(bad)).raised is TypeError


def test_a_default_context_verifies(pki, monkeypatch, server):
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.stranger_root))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    assert not trusts(tlskit.create_default_context(), server)


def test_an_unverified_context_does_not(server):
    context = tlskit._create_unverified_context()
    near, _ = memory_pair(context, server)
    assert near.getpeercert() == {}


UNVERIFIED = [
    {},
    {"cert_reqs": stdlib.CERT_REQUIRED},
    {"cert_reqs": None},
    {"check_hostname": True, "cert_reqs": stdlib.CERT_REQUIRED},
    {"check_hostname": True},
    {"purpose": stdlib.Purpose.CLIENT_AUTH},
    {"purpose": 5},
    {"keyfile": "key.pem"},
    {"protocol": stdlib.PROTOCOL_TLS_SERVER},
    {"certfile": "/nonexistent"},
    {"cafile": "/nonexistent"},
]


@pytest.mark.parametrize("arguments", UNVERIFIED, ids=str)
def test_stdlib_contexts(arguments):
    """What http.client, ftplib and the others make their contexts with."""

    def work(module):
        context = module._create_stdlib_context(**arguments)
        return (
            context.protocol,
            context.verify_mode,
            context.check_hostname,
            context.verify_flags,
            context.options,
        )

    compared(work)


# -- what a session is bound to --------------------------------------------------------------------


def trusting(*roots):
    context = make()
    for root in roots:
        context.load_verify_locations(root)
    return inside.settings_of(context).trust.identity


def test_whoever_trusts_more_has_another_identity(pki):
    """Or a session that was earned from one authority would be offered where only another is
    trusted.
    """
    one, other = pki.root, pki.stranger_root
    both = trusting(one, other)
    assert len({trusting(), trusting(one), trusting(other), both}) == 4
    assert trusting(other, one) == both  # whatever came first
    assert trusting(one, other, one) == both


# -- many loads ------------------------------------------------------------------------------------


def test_loads_take_no_copies(pki, context):
    """A thousand loads into a context that no connection has used fill one store."""
    context.load_verify_locations(cadata=pki.root_pem)
    store = inside.settings_of(context).trust
    context.load_verify_locations(pki.stranger_root)
    assert inside.settings_of(context).trust is store


def test_a_context_that_a_connection_has_used_gets_a_copy(pki, context, server, strange):
    context.load_verify_locations(cadata=pki.root_pem)
    assert trusts(context, server)
    store, identity = inside.settings_of(context).trust, inside.settings_of(context).trust.identity
    context.load_verify_locations(pki.stranger_root)
    assert inside.settings_of(context).trust is not store
    assert inside.settings_of(context).trust.identity != identity
    assert trusts(context, strange)
    assert store.count()["x509"] == 1


@pytest.mark.parametrize("used", [True, False], ids=["between connections", "at once"])
def test_newer_revocation_lists_replace_older_ones(tmp_path, used):
    """Whoever loads the newest list every hour holds one of them, or a few."""
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    identity, _ = authority.issue("localhost")
    others = [authority.issue("localhost")[1] for _ in range(20)]
    lists = [authority.revoke(*others[:n]).read_text() for n in range(20)]
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(identity.chain, identity.key)
    context = make()
    context.load_verify_locations(authority.root)
    context.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    counts = []
    for one in lists * 2:
        context.load_verify_locations(cadata=one)
        counts.append(context.cert_store_stats()["crl"])
        if used:
            assert trusts(context, server)
    assert max(counts) <= (2 if used else 18)
    assert trusts(context, server)


def test_lists_of_others_stay(tmp_path):
    """Another issuer's, or another key's of the same name, says nothing of these certificates."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    from ..sessions.authority import Authority

    authorities = [Authority(tmp_path / folder, "A name") for folder in ("a", "b")]
    authorities.append(Authority(tmp_path, "Another name"))
    context = make()
    context.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
    servers = []
    for number, authority in enumerate(authorities):
        identity, _ = authority.issue("localhost")
        others = [authority.issue("localhost")[1] for _ in range(number)]
        context.load_verify_locations(authority.root)
        context.load_verify_locations(authority.revoke(*others))
        servers.append(tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER))
        servers[-1].load_cert_chain(identity.chain, identity.key)
    for _ in range(2):
        assert context.cert_store_stats()["crl"] == 3
        assert trusts(context, servers[2])
        context.load_verify_locations(cadata=authorities[2].root.read_text() + "\n")


@pytest.mark.parametrize("form", ["text", "bytes", "file"])
def test_comments_in_any_language(pki, tmp_path, server, form):
    text = "# Főtanúsítvány, 根证书\n" + pki.root_pem
    path = tmp_path / "ca.pem"
    path.write_text(text, encoding="utf-8")
    context = make()
    context.load_verify_locations(
        **{"text": {"cadata": text}, "bytes": {"cadata": text.encode()}, "file": {"cafile": path}}[
            form
        ]
    )
    assert trusts(context, server)


@pytest.mark.parametrize("form", ["text", "bytes", "DER"])
def test_revocation_lists_in_data(tmp_path, form):
    from ..sessions.authority import Authority

    authority = Authority(tmp_path)
    identity, certificate = authority.issue("localhost")
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(identity.chain, identity.key)
    for revoked in ([], [certificate]):
        pems = [authority.root.read_text(), authority.revoke(*revoked).read_text()]
        data = {
            "text": "".join(pems),
            "bytes": "".join(pems).encode(),
            "DER": b"".join(base64.b64decode("".join(p.split("\n")[1:-2])) for p in pems),
        }[form]
        context = make()
        context.load_verify_locations(cadata=data)
        context.verify_flags |= tlskit.VERIFY_CRL_CHECK_LEAF
        assert context.cert_store_stats()["crl"] == 1
        assert trusts(context, server) is not bool(revoked)


@pytest.mark.parametrize("file", [None, "stranger"])
def test_the_directory_of_the_environment_is_a_bundle(monkeypatch, pki, server, strange, file):
    monkeypatch.setenv("SSL_CERT_DIR", str(pki.root))
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.stranger_root) if file else "/nonexistent")
    context = make()
    context.load_default_certs()
    assert trusts(context, server)
    assert trusts(context, strange) is bool(file)


def test_a_file_that_is_written_in_place(pki, tmp_path, server, strange):
    """With the same size, and as often as the clock ticks: each context has what is there."""
    path = tmp_path / "ca.pem"
    texts = [pki.root.read_bytes(), pki.stranger_root.read_bytes()]
    size = max(map(len, texts))
    texts = [text.ljust(size, b"\n") for text in texts]
    path.write_bytes(texts[0])
    with open(path, "r+b", buffering=0) as file:
        for number in range(40):
            file.seek(0)
            file.write(texts[number % 2])
            os.utime(path, ns=(10**18, 10**18))
            context = make()
            context.load_verify_locations(path)
            assert context.get_ca_certs(True) == [der((pki.root, pki.stranger_root)[number % 2])]

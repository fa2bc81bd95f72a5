"""A private key that was given in place of its file's path stands in no message, no attribute and
no local variable of tlskit's that a traceback shows.
"""

from __future__ import annotations

import base64
import inspect
import os
import socket
import sys
import traceback
import warnings
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import tlskit
from tlskit import SQLiteStore, TicketKeyring, metrics

KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "RSA": rsa.generate_private_key(65537, 2048),
}


def forms(key):
    def out(encoding):
        return key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())

    pem, der = out(Encoding.PEM), out(Encoding.DER)
    one_line = base64.b64encode(der).decode()
    return {
        "PEM as text": pem.decode(),
        "PEM as bytes": pem,
        "PEM without line breaks": pem.decode().replace("\n", " "),
        "DER": der,
        "DER in base64": one_line,
        "DER in hexadecimal digits": der.hex(),
        "forty times": pem.decode() * 40,
        "DER in base64, forty times": one_line * 40,
        "a path object": Path(pem.decode()),
    }


CASES = {
    f"{kind}: {form}": value for kind, key in KEYS.items() for form, value in forms(key).items()
}


def context():
    return tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)


PLACES = {
    "certfile": lambda pki, value: context().load_cert_chain(value),
    "keyfile": lambda pki, value: context().load_cert_chain(pki.server.chain, value),
    "keyfile, by name": lambda pki, value: context().load_cert_chain(
        certfile=pki.server.chain, keyfile=value, password="a password"
    ),
    "cafile": lambda pki, value: context().load_verify_locations(cafile=value),
    "capath": lambda pki, value: context().load_verify_locations(capath=value),
    "path": lambda pki, value: context().load_dh_params(value),
    "keylog_filename": lambda pki, value: setattr(context(), "keylog_filename", value),
    "default": lambda pki, value: tlskit.create_default_context(cafile=value),
    "a store's path": lambda pki, value: SQLiteStore(value),
    "a ticket key file": lambda pki, value: TicketKeyring.from_files(value),
}
TAKEN = ("certfile", "keyfile", "keyfile, by name")  # what a file would hold, too
NAMES = {"keyfile, by name": "keyfile", "default": "cafile"}


def secrets(value):
    """What must not be shown: pieces of the key, as text and in a repr."""
    raw = os.fsencode(value)
    text = repr(raw)[2:-1].replace("\\n", "\n")
    return [line for line in text.split("\n") if len(line) > 20 and "---" not in line[:5]] or [text]


def shown(error):
    """All that a report of an error could show of tlskit's own part in it."""
    parts = [str(error), repr(error), repr(error.args), repr(vars(error))]
    parts.append(repr(getattr(error, "filename", None)))
    package = str(Path(tlskit.__file__).parent)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith(package):
            parts += map(repr, frame.f_locals.values())
    return "\n".join(parts).replace("\\n", "\n")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", CASES)
def test_a_key_where_a_path_belongs(pki, place, case):
    value = CASES[case]
    with pytest.raises(OSError, match=r"must be the path of|\[\w+") as caught:
        PLACES[place](pki, value)
    text = shown(caught.value)
    assert not [piece for piece in secrets(value) if piece[:40] in text]
    if place in TAKEN and isinstance(caught.value, tlskit.SSLError):
        return  # it was read, and does not fit
    assert caught.value.filename is None
    name = NAMES.get(place, place)
    if " " not in name:
        assert name in str(caught.value)
    assert type(value).__name__ in str(caught.value)


def told(call):
    """All that a call says: in its exception and those before it, without their frames."""
    parts = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            call()
        except Exception as error:
            while error is not None:
                parts += [str(error), repr(error), repr(vars(error))]
                error = error.__context__
    return "\n".join([*parts, *(str(one.message) for one in warned)]).replace("\\n", "\n")


def leaks(value, said):
    """The pieces of the key that were told."""
    return [piece for piece in secrets(value) if piece[:40] in said]


#: Pieces of them are found by `secrets`.
ANYWHERE = [CASES[f"P-256: {form}"] for form in ("PEM as text", "PEM as bytes", "DER in base64")]
FACETS = ("", "sessions", "tickets")
SETTINGS = [
    f"{facet}.{name}" if facet else name
    for facet in FACETS
    for kind in [getattr(context(), facet) if facet else context()]
    for name in dir(type(kind))
    if getattr(inspect.getattr_static(type(kind), name), "fset", None) is not None
    or hasattr(inspect.getattr_static(type(kind), name), "__set__")
]


def test_there_is_something_to_try():
    assert {"keylog_filename", "verify_purpose", "sessions.store", "tickets.keyring"} <= {*SETTINGS}
    assert "MIGHAgEAMBMG" in told(lambda: float(CASES["P-256: PEM as text"]))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_key_as_a_setting(pki, name):
    for role in (tlskit.PROTOCOL_TLS_CLIENT, tlskit.PROTOCOL_TLS_SERVER):
        for value in ANYWHERE:
            for given in (value, [value], {value: value}):
                made = tlskit.SSLContext(role)
                facet, _, inner = name.rpartition(".")
                where = getattr(made, facet) if facet else made
                assert not leaks(value, told(lambda: setattr(where, inner, given)))  # noqa: B023
                assert not leaks(value, told(lambda: made.configure(**{name: given})))  # noqa: B023


def parameters_of(name):
    """Those of a context's method, without self."""
    return list(inspect.signature(getattr(tlskit.SSLContext, name)).parameters.values())[1:]


CALLS = {
    f"{name}({parameter.name})": (name, parameter)
    for name in dir(tlskit.SSLContext)
    if not name.startswith("_") and callable(getattr(tlskit.SSLContext, name))
    for parameter in parameters_of(name)
    if parameter.kind is not parameter.VAR_KEYWORD
}


@pytest.mark.parametrize("call", CALLS)
def test_a_key_as_an_argument(pki, call):
    """The others are what they should be, or the key too."""
    name, parameter = CALLS[call]
    fitting = {
        "certfile": pki.server.chain, "keyfile": pki.server.key, "certificate": pki.server.chain,
        "key": pki.server.key, "incoming": tlskit.MemoryBIO(), "outgoing": tlskit.MemoryBIO(),
        "sock": socket.socket(),
    }  # fmt: skip
    for value in ANYWHERE:
        given, named = [], {}
        for one in parameters_of(name):
            if one is not parameter and one.default is not one.empty:
                continue
            chosen = value if one.name == parameter.name else fitting.get(one.name, value)
            if one.kind is one.KEYWORD_ONLY or one.default is not one.empty:
                named[one.name] = chosen
            elif one.kind is not one.VAR_KEYWORD:
                given.append(chosen)
        said = told(lambda: getattr(context(), name)(*given, **named))  # noqa: B023
        assert not leaks(value, said)
    fitting["sock"].close()


OTHERS = {
    "a trust store": tlskit.TrustStore,
    "a policy": lambda value: context().set_policy(value),
    "an unknown setting": lambda value: context().configure(**{os.fsdecode(value): 1}),
    "an unknown setting of the sessions": lambda value: context().configure(sessions={value: 1}),
    "a command of OpenSSL": lambda value: context().configure_openssl({os.fsdecode(value): "x"}),
    "a value of such a command": lambda value: context().configure_openssl({"VerifyMode": value}),
    "a purpose": lambda value: tlskit.create_default_context(value),
    "a directory of counters": lambda value: metrics.publish(value),
    "a directory to gather from": lambda value: metrics.gather(value),
    "a module of nginx": lambda value: tlskit.nginx_id_context(value, module=value),
    "the secret of a sealed store": lambda value: tlskit.SealedStore(tlskit.MemoryStore(), value),
    "the secret of a fleet": lambda value: TicketKeyring.fleet(value),
    "the keys of a keyring": lambda value: TicketKeyring.from_keys([value]),
    "a session in PEM": lambda value: tlskit.SSLSession.from_pem(value),
    "a session in DER": lambda value: tlskit.SSLSession.from_der(value),
    "a session in bytes": lambda value: tlskit.SSLSession.from_bytes(value),
    "the address of Redis": lambda value: tlskit.RedisStore.from_url(value),
    "a certified key": lambda value: tlskit.CertifiedKey(value, value),
}


@pytest.mark.parametrize("place", OTHERS)
def test_a_key_in_other_places(place):
    for value in ANYWHERE:
        assert not leaks(value, told(lambda: OTHERS[place](value)))  # noqa: B023


def test_a_pin_in_a_uri(pki):
    """OpenSSL repeats a URI that it cannot open."""
    uri = "pkcs11:token=none;object=none;type=private?pin-value=hunter22"
    said = told(lambda: context().load_cert_chain(pki.server.chain, uri))
    assert said
    assert "hunter22" not in said


@pytest.mark.parametrize("place", [place for place in PLACES if place not in TAKEN])
@pytest.mark.parametrize("case", [case for case in CASES if case.endswith("DER")])
def test_a_key_where_paths_must_be_utf8(pki, monkeypatch, place, case):
    """As on Windows, where bytes are decoded strictly. The exception for that holds them all."""
    monkeypatch.setattr(os, "fsdecode", lambda path: os.fspath(path).decode())
    value = CASES[case]
    with pytest.raises(OSError, match="must be the path of") as caught:
        PLACES[place](pki, value)
    error = caught.value
    while error is not None:
        assert not isinstance(error, UnicodeError)
        assert not [piece for piece in secrets(value) if piece[:40] in shown(error)]
        error = error.__context__


@pytest.mark.parametrize("place", ["certfile", "keyfile", "cafile", "path", "a ticket key file"])
def test_an_ordinary_path_is_named(pki, tmp_path, place):
    path = tmp_path / "no such file, but a good name.pem"
    with pytest.raises(FileNotFoundError) as caught:
        PLACES[place](pki, path)
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("name", ["a" * 64, "MIIB" * 16, "with spaces", "0" * 200, "Schlüssel"])
def test_odd_names_of_files_that_are_there(pki, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(pki.root.read_bytes())
    made = tlskit.SSLContext(tlskit.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(name)
    assert made.cert_store_stats()["x509"] == 1


def test_values_are_gone_from_the_frames_of_every_failure(pki):
    """Also when the key was read, and does not fit."""
    key = pki.client.key.read_text().split("\n")[1]
    with pytest.raises(tlskit.SSLError) as caught:
        context().load_cert_chain(pki.server.chain, pki.client.key, password="open sesame")
    assert key not in shown(caught.value)
    assert "open sesame" not in shown(caught.value)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("load_cert_chain", "certfile"),
        ("load_verify_locations", "cafile"),
        ("load_dh_params", "path"),
    ],
)
def test_signatures_are_still_there(name, first):
    assert list(inspect.signature(getattr(tlskit.SSLContext, name)).parameters)[1] == first


# -- SSLKEYLOGFILE ---------------------------------------------------------------------------------

NEEDS_ENVIRONMENT = pytest.mark.skipif(
    sys.flags.ignore_environment, reason="this Python ignores the environment"
)


@NEEDS_ENVIRONMENT
@pytest.mark.parametrize("name", ["missing/keys", "", "."])
def test_a_key_log_that_cannot_be_written_stops_nobody(monkeypatch, tmp_path, name):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / name))
    with pytest.warns(RuntimeWarning, match="SSLKEYLOGFILE cannot be written to") as caught:
        made = tlskit.create_default_context()
    assert made.keylog_filename is None
    assert caught[0].filename == __file__
    with pytest.raises(OSError, match=r"."):  # somebody who asks for it by name is told
        made.keylog_filename = str(tmp_path / name)


@NEEDS_ENVIRONMENT
def test_a_key_log_has_one_beginning(monkeypatch, tmp_path):
    path = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(path))
    for _ in range(3):
        tlskit.create_default_context()
    assert path.read_text().count("# TLS secrets log file") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["connect", "localhost:1", "--cafile"], ["connect", "localhost:1", "--store"],
        ["connect", "localhost:1", "--groups"], ["connect", "localhost:1", "--ciphers"],
        ["connect", "localhost:1", "--alpn"], ["connect", "localhost:1", "--starttls"],
        ["connect", "localhost:1", "--key"], ["connect"], ["doctor"], ["demo"], ["info"], [],
        ["sessions", "list"], ["sessions", "list", "there.db", "--secret-file"],
        ["sessions", "show", "there.db"],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("form", ["PEM as text", "PEM without line breaks", "DER in base64"])
@pytest.mark.parametrize("joined", [False, True])
def test_the_command_line_repeats_no_key(capsys, words, form, joined):
    from tlskit.cli import main

    key = CASES[f"P-256: {form}"]
    given = [*words[:-1], f"{words[-1]}={key}"] if joined and words else [*words, key]
    assert main(given) == 2
    said = "".join(capsys.readouterr())
    assert "may be a private key" in said
    assert not leaks(key, said)

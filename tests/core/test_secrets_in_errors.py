"""A private key that was given in place of its file's path stands in no message, no attribute and
no local variable of tlskit's that a traceback shows.
"""

from __future__ import annotations

import base64
import contextlib
import inspect
import io
import os
import sys
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import tlskit
from tlskit import SQLiteStore, TicketKeyring

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


def test_the_command_line_repeats_no_key(capsys):
    from tlskit.cli import main

    pem = CASES["P-256: PEM as text"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()) as errors:
        main(["connect", "localhost:1", "--cafile", pem])
    text = errors.getvalue() + "".join(capsys.readouterr())
    assert not [piece for piece in secrets(pem) if piece[:40] in text]

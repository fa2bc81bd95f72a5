"""What is copied of a secret on its way into C is overwritten: another process looks through its
own memory for what it has read. It gets what to look for with every bit turned, or it would find
that.
"""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ..support.pki import PKI, Identity

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc/self/mem"),
    pytest.mark.skipif("san.so" in os.environ.get("LD_PRELOAD", ""), reason="terabytes of shadow"),
]

PROGRAM = """
import sys
import tlskit

work, wanted, *paths = sys.argv[1:]
turned = bytes.fromhex(wanted)


def found():
    # one byte of the pattern is never beside the others: nothing here holds it whole
    first, rest = turned[0] ^ 255, turned[1:]
    hits = 0
    room = bytearray(1 << 16)
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            where, mode, *_ = line.split()
            name = line.split()[-1]
            if not mode.startswith("rw") or name in ("[vvar]", "[vsyscall]"):
                continue
            begin, end = (int(part, 16) for part in where.split("-"))
            for at in range(begin, end, len(room) - len(turned)):
                memory.seek(at)
                try:
                    size = memory.readinto(memoryview(room)[: min(len(room), end - at)])
                except OSError:
                    break
                place = room.find(first, 0, size)
                while 0 <= place <= size - len(turned):
                    if all(room[place + 1 + i] ^ 255 == b for i, b in enumerate(rest)):
                        hits += 1
                    place = room.find(first, place + 1, size)
            for i in range(len(room)):
                room[i] = 0
    return hits


def run():
    if work == "held":  # that the search finds anything at all
        return open(paths[0], "rb").read()
    if work == "chain":
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*paths)
        return context
    if work == "chain, then gone":
        context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*paths)
        return None
    if work == "trust":
        return tlskit.create_default_context(cafile=paths[0])
    if work == "ticket keys":
        return tlskit.TicketKeyring.from_files(*paths)


kept = run()
print(found())
"""


def hits(work: str, needle: bytes, *paths: Path) -> int:
    turned = bytes(b ^ 255 for b in needle).hex()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, work, turned, *map(str, paths)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def line_of(path: Path) -> bytes:
    """A line out of the middle of a key in PEM."""
    lines = path.read_bytes().split(b"-----BEGIN")[-1].splitlines()
    return lines[len(lines) // 2][:24]


def pieces(pem: bytes) -> list[bytes]:
    """What would tell a key in PEM: of its text, the beginning, the middle, and the last characters
    of the last line.
    """
    text = b"".join(pem.splitlines()[1:-1])
    return [text[at : at + 20] for at in (20, len(text) // 2, len(text) - 22)]


@pytest.fixture(scope="module", params=["RSA", "RSA as PKCS #1", "EC", "EC as SEC 1", "Ed25519"])
def identity(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """A certificate and its key, in one file and in two."""
    kind, _, old = request.param.partition(" as ")
    key: Any = {
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
        "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    form = PrivateFormat.TraditionalOpenSSL if old else PrivateFormat.PKCS8
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, None if kind == "Ed25519" else hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    folder = tmp_path_factory.mktemp("identity")
    made = Identity(folder / "chain.pem", folder / "key.pem", folder / "both.pem")
    made.chain.write_bytes(certificate)
    made.key.write_bytes(pem)
    made.both.write_bytes(pem + certificate)
    return made


def test_no_part_of_a_key_s_text_stays(identity: Identity) -> None:
    """Neither in the memory that a reader of PEM frees, nor in what it decodes with."""
    for needle in pieces(identity.key.read_bytes()):
        assert hits("chain, then gone", needle, identity.chain, identity.key) == 0


def test_a_key_beside_its_certificate_leaves_no_copy(identity: Identity) -> None:
    """One file has both: it is read twice, and the key is skipped once."""
    for needle in pieces(identity.key.read_bytes()):
        assert hits("chain, then gone", needle, identity.both) == 0


def test_a_key_among_authorities_leaves_no_copy(identity: Identity) -> None:
    """People do trust the file that their server has: its key is of no use there."""
    for needle in pieces(identity.key.read_bytes()):
        assert hits("trust", needle, identity.both) == 0


def test_the_search_finds_what_is_there(pki: PKI) -> None:
    key = pki.server.key
    assert hits("held", line_of(key), key) > 0


def test_a_private_key_file_leaves_no_copy(pki: PKI) -> None:
    key = pki.server.key
    assert hits("chain", line_of(key), pki.server.chain, key) == 0


def test_a_ticket_key_file_leaves_no_copy_of_itself(tmp_path: Path) -> None:
    """The keys themselves stay in the keyring, but not beside each other as in the file."""
    path = tmp_path / "ticket.key"
    content = os.urandom(48)
    path.write_bytes(content)
    assert hits("held", content[24:40], path) > 0
    assert hits("ticket keys", content[24:40], path) == 0

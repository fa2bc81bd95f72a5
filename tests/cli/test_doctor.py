"""`tlskit doctor`: healthy servers, and one for each thing that it looks at."""

from __future__ import annotations

import json
import socket
import ssl as stdlib
from typing import Any

import pytest
from cryptography import x509

import tlskit
from tlskit.cli import main

from ..support.certificates import DAY, authority, issue
from ..support.pairs import server_context
from .servers import Answering, as_json, as_process, complaint, serving


@pytest.fixture
def root(tmp_path):
    return authority(tmp_path, "Example Root")


def served(shown: Any, **settings: Any) -> Any:
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.chain, shown.key)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def examine(capsys: Any, context: Any, root: Any, *more: str, status: int = 0) -> dict[str, Any]:
    with serving(Answering(context)) as port:
        arguments = ("doctor", f"localhost:{port}", "--cafile", str(root.chain), "--json", *more)
        assert main(arguments) == status
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["healthy"] is (status == 0)
    return told


def findings(told: dict[str, Any], topic: str) -> list[tuple[str, str]]:
    return [(f["level"], f["text"]) for f in told["findings"] if f["topic"] == topic]


def test_healthy(capsys, tmp_path, root):
    middle = authority(tmp_path, "Middle CA", issuer=root)
    shown = issue(tmp_path, "leaf", issuer=middle, ends=300 * DAY)
    told = examine(capsys, served(shown), root)
    assert {f["level"] for f in told["findings"]} <= {"ok", "note"}
    assert findings(told, "certificate") == [("ok", "Trusted, and valid for localhost.")]
    assert findings(told, "strictness")[0][0] == "ok"
    assert findings(told, "resumption") == [
        ("ok", "A second connection resumed the session of the first.")
    ]
    assert told["versions"] == ["TLS 1.2", "TLS 1.3"]
    assert {"X25519", "P-256"} <= set(told["groups"])
    assert [c["subject"] for c in told["chain_sent"]] == ["CN=leaf", "CN=Middle CA"]
    assert told["chain_proper"] == told["chain_sent"]
    leaf = told["chain_sent"][0]
    assert (leaf["key"], leaf["key_bits"]) == ("EC prime256v1", 256)
    assert leaf["signature_algorithm"] == "ecdsa-with-SHA256"
    assert leaf["names"] == ["localhost", "127.0.0.1"]
    assert tlskit.PEM_cert_to_DER_cert(leaf["pem"]) == shown.der
    assert not leaf["authority"]
    assert told["chain_sent"][1]["authority"]


def test_in_words(tmp_path, root):
    shown = issue(tmp_path, "leaf", issuer=root, ends=300 * DAY)
    with serving(Answering(served(shown))) as port:
        done = as_process("doctor", f"https://localhost:{port}", "--cafile", str(root.chain))
    assert (done.returncode, done.stderr) == (0, "")
    assert "No problems found." in done.stdout
    assert "certificate  Trusted, and valid for localhost." in done.stdout


def test_missing_intermediate(capsys, tmp_path, root):
    middle = authority(tmp_path, "Middle CA", issuer=root)
    shown = issue(tmp_path, "leaf", issuer=middle, send=False)
    told = examine(capsys, served(shown), root, status=1)
    level, text = findings(told, "certificate")[0]
    assert level == "problem"
    assert "the server's operator has to configure the whole chain" in text
    assert findings(told, "handshake")[0][0] == "ok"  # somebody who does not verify gets through


def test_an_intermediate_that_only_this_machine_knows(capsys, tmp_path, root):
    middle = authority(tmp_path, "Middle CA", issuer=root)
    shown = issue(tmp_path, "leaf", issuer=middle, send=False)
    with root.chain.open("ab") as file:
        file.write(middle.pem)
    told = examine(capsys, served(shown), root)
    level, text = findings(told, "chain")[0]
    assert level == "warning"
    assert text.startswith("The server does not send CN=Middle CA, which this machine knows")
    assert [c["subject"] for c in told["chain_proper"]] == ["CN=leaf", "CN=Middle CA"]


def test_wrong_order_and_a_root(capsys, tmp_path, root):
    upper = authority(tmp_path, "Upper CA", issuer=root)
    middle = authority(tmp_path, "Middle CA", issuer=upper)
    shown = issue(tmp_path, "leaf", issuer=middle)
    shown.chain.write_bytes(shown.pem + upper.pem + middle.pem + root.pem)
    told = examine(capsys, served(shown), root)
    levels = dict(findings(told, "chain"))
    assert levels["warning"].startswith("The certificates are in the wrong order")
    assert levels["note"].startswith("The root CN=Example Root is sent too.")
    names = [c["subject"] for c in told["chain_proper"]]
    assert names == ["CN=leaf", "CN=Middle CA", "CN=Upper CA"]


def test_expired(capsys, tmp_path, root):
    shown = issue(tmp_path, "leaf", issuer=root, begins=-9 * DAY, ends=-2 * DAY)
    told = examine(capsys, served(shown), root, status=1)
    assert findings(told, "dates")[0][1].startswith("CN=leaf expired on ")
    assert "expired on" in findings(told, "certificate")[0][1]


def test_expires_soon(capsys, tmp_path, root):
    shown = issue(tmp_path, "leaf", issuer=root, ends=5 * DAY)
    level, text = findings(examine(capsys, served(shown), root), "dates")[0]
    assert level == "warning"
    assert text.startswith("CN=leaf expires in 4 days, on ")


def test_another_name(capsys, tmp_path, root):
    shown = issue(tmp_path, "leaf", issuer=root, names=["other.example"])
    told = examine(capsys, served(shown), root, status=1)
    assert findings(told, "certificate")[0][1].startswith(
        "The server's certificate is for 'other.example'."
    )
    assert examine(capsys, served(shown), root, "--server-name", "other.example")["healthy"]


def test_what_a_stricter_python_refuses(capsys, tmp_path, root):
    shown = issue(tmp_path, "leaf", issuer=root, without=[x509.AuthorityKeyIdentifier])
    told = examine(capsys, served(shown), root)
    level, text = findings(told, "strictness")[0]
    assert level == "warning"
    assert text.startswith("Clients with the defaults of Python 3.13 and later fail. The server's")
    assert "has no authority key identifier (RFC 5280, 4.2.1.1)" in text


@pytest.mark.parametrize(
    ("of", "how", "words"),
    [
        ("middle", {"critical": {x509.BasicConstraints: False}}, "basic constraints as critical"),
        (
            "leaf",
            {"subject": "", "critical": {x509.SubjectAlternativeName: False}},
            "has an empty subject, and does not mark its subjectAltName as critical",
        ),
    ],
    ids=["basic constraints", "subject"],
)
def test_what_a_python_with_an_older_openssl_refuses(capsys, tmp_path, root, of, how, words):
    """OpenSSL 4.0 has dropped these rules, and most Pythons have an older one."""
    middle = authority(tmp_path, "middle", issuer=root, **(how if of == "middle" else {}))
    shown = issue(tmp_path, "leaf", issuer=middle, **(how if of == "leaf" else {}))
    told = examine(capsys, served(shown), root)
    level, text = findings(told, "strictness")[0]
    assert level == "warning"
    assert text.startswith("Clients with the defaults of Python 3.13 and later fail")
    assert words in text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions(capsys, tmp_path, root):
    shown = issue(tmp_path, "leaf", issuer=root)
    context = served(shown, security_level=0, minimum_version=tlskit.TLSVersion.TLSv1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    told = examine(capsys, context, root)
    assert told["versions"] == ["TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"]
    assert findings(told, "versions")[0][0] == "warning"


def test_no_resumption(capsys, tmp_path, root):
    shown = issue(tmp_path, "leaf", issuer=root)
    context = served(shown, num_tickets=0, minimum_version=tlskit.TLSVersion.TLSv1_3)
    told = examine(capsys, context, root)
    assert findings(told, "resumption") == [
        ("note", "Every handshake is a full one: no ticket came within 1 s of the first handshake.")
    ]


def test_a_client_certificate_is_wanted(capsys, tmp_path, root, pki):
    shown = issue(tmp_path, "leaf", issuer=root)
    context = served(
        shown, verify_mode=stdlib.CERT_REQUIRED, maximum_version=tlskit.TLSVersion.TLSv1_2
    )
    context.load_verify_locations(pki.root)
    told = examine(capsys, context, root, status=1)
    assert findings(told, "handshake")[0][1].startswith("The server requires a client certificate")


def test_plain_http(capsys, root):
    def answer(plain: socket.socket) -> None:
        plain.recv(4096)
        plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(answer) as port:
        assert main(["doctor", f"localhost:{port}", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert findings(told, "handshake")[0][1].startswith("The server answered in plain HTTP")
    assert told["versions"] == []


def test_nobody_there(capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = complaint(capsys, "doctor", f"127.0.0.1:{port}")
    assert said == f"Cannot connect to 127.0.0.1:{port}: connection refused."


def test_connect_says_the_chain_and_why_it_failed(capsys, tmp_path, root, pki):
    shown = issue(tmp_path, "leaf", issuer=root)
    with serving(Answering(served(shown))) as port:
        assert main(["connect", f"localhost:{port}", "--cafile", str(root.chain), "--json"]) == 0
        well = json.loads(capsys.readouterr().out)
        assert main(["connect", f"localhost:{port}", "--cafile", str(pki.root), "--json"]) == 1
        ill = json.loads(capsys.readouterr().out)
    assert (
        [c["subject"] for c in well["chain"]] == [c["subject"] for c in ill["chain"]] == ["CN=leaf"]
    )
    assert (ill["reason"], ill["verify_code"], ill["verify_depth"]) == (
        "CERTIFICATE_VERIFY_FAILED", 20, 0,
    )  # fmt: skip
    assert ill["alert_sent"] == "UNKNOWN_CA"
    assert ill["hint"].startswith("The server sent its own certificate alone")


def test_connect_offers_what_it_is_told(capsys, pki):
    with serving(Answering(server_context(pki))) as port:
        where = ("connect", f"localhost:{port}", "--cafile", str(pki.root))
        told = as_json(capsys, *where, "--groups", "P-384,P-521")
        assert told["connections"][0]["group"] == "secp384r1"
        told = as_json(capsys, *where, "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")
        assert told["connections"][0]["cipher"] == "ECDHE-ECDSA-AES128-GCM-SHA256"
        told = as_json(capsys, *where, "--ciphers", "TLS_AES_128_GCM_SHA256")
        assert told["connections"][0]["cipher"] == "TLS_AES_128_GCM_SHA256"
        said = complaint(capsys, *where, "--groups", "no-such-group", status=2)
    assert said == "This OpenSSL does not accept 'no-such-group'."

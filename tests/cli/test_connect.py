"""`tlskit connect`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time

import pytest
import trustme

import tlskit
from tlskit.cli import connect, main

from ..support.pairs import only, server_context
from ..support.system import WINDOWS
from .servers import Answering, as_json, as_process, complaint, serving


@pytest.fixture
def impatient(monkeypatch):
    """Do not wait long for tickets that will not come."""
    monkeypatch.setattr(connect, "_TICKETS_WITHIN", 0.05)


@pytest.fixture
def server(pki, version):
    """A server's context for `version` alone."""
    context = server_context(pki)
    only(version, context)
    return context


def test_resumes(pki, version, server, capsys):
    with serving(Answering(server)) as port:
        told = as_json(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root))
    first, again = told["connections"]
    assert (first["resumed"], again["resumed"], told["resumed"]) == (False, True, True)
    assert first["version"] == again["version"] == version.name.replace("_", ".")
    assert (
        again["handshake_received"] < first["handshake_received"] - 600
    )  # the certificates (a post-quantum key share stays)
    assert told["reason"] is told["error"] is None
    assert (told["statistics"]["connect_good"], told["statistics"]["hits"]) == (2, 1)
    assert len(told["statistics"]) == 12
    assert told["verified"]
    assert ["DNS", "localhost"] in told["certificate"]["subjectAltName"]


def test_as_a_process_in_plain_text(pki, version, server):
    with serving(Answering(server)) as port:
        done = as_process("connect", f"localhost:{port}", "--cafile", str(pki.root))
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert f"server        localhost:{port} at 127.0.0.1:{port}" in lines
    assert f"protocol      {version.name.replace('_', '.')}" in lines
    assert "  verified    yes" in lines
    assert lines[-1] == "The second connection resumed the session of the first."


def test_the_tickets_are_not_waited_for_longer_than_they_take(pki, server, capsys, monkeypatch):
    monkeypatch.setattr(connect, "_TICKETS_WITHIN", 60.0)
    with serving(Answering(server)) as port:
        begun = time.monotonic()
        as_json(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root))
    assert time.monotonic() - begun < 30


def test_ipv6(pki, server, capsys):
    if not socket.has_ipv6:
        pytest.skip("Python was built without IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    with serving(Answering(server), host="::1") as port:
        told = as_json(capsys, "connect", f"[::1]:{port}", "--cafile", str(pki.root))
    assert told["resumed"]
    assert told["connections"][0]["address"] == "::1"


def test_another_server_name(pki, server, capsys):
    with serving(Answering(server)) as port:
        told = as_json(
            capsys,
            "connect",
            f"127.0.0.1:{port}",
            "--cafile",
            str(pki.root),
            "--server-name",
            "other.example",
        )
    assert told["server_name"] == "other.example"
    assert told["resumed"]


def test_insecure_shows_what_it_has_not_verified(pki, version, capsys):
    context = server_context(pki, identity=pki.stranger)
    only(version, context)
    with serving(Answering(context)) as port:
        told = as_json(capsys, "connect", f"localhost:{port}", "--insecure")
        assert main(["connect", f"localhost:{port}", "--insecure"]) == 0
    assert told["resumed"]
    assert not told["verified"]
    assert ["DNS", "localhost"] in told["certificate"]["subjectAltName"]
    assert "  verified    no (--insecure)\n" in capsys.readouterr().out


@pytest.mark.parametrize("asked", ["1.2", "1.3", "TLSv1.2"])
def test_protocol_bounds(pki, capsys, asked):
    with serving(Answering(server_context(pki))) as port:
        told = as_json(
            capsys,
            "connect",
            f"localhost:{port}",
            "--cafile",
            str(pki.root),
            "--min",
            asked,
            "--max",
            asked,
        )
    assert told["connections"][1]["version"][-3:] == asked[-3:]
    assert told["resumed"]


@pytest.mark.parametrize("asked", ["1.0", "1.1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocols_when_asked_for(pki, capsys, asked):
    context = server_context(pki)
    only(connect.VERSIONS[asked], context)
    with serving(Answering(context)) as port:
        told = as_json(capsys, "connect", f"localhost:{port}", "--insecure", "--max", asked)
    assert told["connections"][0]["version"] == ("TLSv1" if asked == "1.0" else "TLSv1.1")


# -- what is said to the server --------------------------------------------------------------------


def test_alpn_and_a_request_where_it_is_http(pki, capsys):
    context = server_context(pki)
    context.set_alpn_protocols(["http/1.1"])
    answering = Answering(context)
    with serving(answering) as port:
        told = as_json(
            capsys,
            "connect",
            f"localhost:{port}",
            "--cafile",
            str(pki.root),
            "--alpn",
            "h2, http/1.1",
        )
    assert [c["alpn"] for c in told["connections"]] == ["http/1.1"] * 2
    request = answering.heard[0].decode().split("\r\n")
    assert request[0] == "HEAD / HTTP/1.1"
    assert f"Host: localhost:{port}" in request


def test_no_request_where_it_may_be_anything(pki, server, capsys):
    answering = Answering(server)
    with serving(answering) as port:
        as_json(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root))
    assert answering.heard == []


def test_the_names_of_hosts_in_a_request():
    assert b"\r\nHost: example.org\r\n" in connect._head_request("example.org", 443)
    assert b"\r\nHost: [::1]:8443\r\n" in connect._head_request("::1", 8443)


# -- why it did not resume -------------------------------------------------------------------------


def test_no_ticket_came(pki, capsys, impatient):
    context = server_context(pki)
    only(tlskit.TLSVersion.TLSv1_3, context)
    context.num_tickets = 0
    with serving(Answering(context)) as port:
        told = as_json(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root))
    assert not told["resumed"]
    assert told["reason"] == "no ticket came within 0.05 s of the first handshake"


def test_neither_id_nor_ticket(pki, capsys):
    context = server_context(pki)
    only(tlskit.TLSVersion.TLSv1_2, context)
    context.options |= tlskit.OP_NO_TICKET
    context.sessions.mode = tlskit.SessionCacheMode.OFF
    with serving(Answering(context)) as port:
        told = as_json(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root))
    assert (
        told["reason"] == "the server gave the first connection neither a session id nor a ticket"
    )


def test_the_server_has_forgotten(pki, version, server, capsys):
    server.options |= tlskit.OP_NO_TICKET
    with serving(Answering(server, before_end=server.sessions.clear)) as port:
        told = as_json(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root))
    assert told["connections"][0]["tickets"] > 0
    assert told["reason"] == "the server did not accept the session, and did not say why"


def test_why_is_said_in_text_and_is_no_failure(pki, capsys, impatient):
    context = server_context(pki)
    context.num_tickets = 0
    with serving(Answering(context)) as port:
        assert main(["connect", f"localhost:{port}", "--cafile", str(pki.root)]) == 0
    out, err = capsys.readouterr()
    assert out.endswith(
        "\nThe second connection did not resume: no ticket came within 0.05 s of the first "
        "handshake.\n"
    )
    assert err == ""


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (
            {"tickets": 1, "ticket_lifetime": 0},
            {},
            "the server said that its ticket is good for 0 seconds",
        ),
        ({}, {"version": "TLSv1.2"}, "the server chose TLSv1.2 this time"),
        ({}, {"reason": "the session has expired"}, "the session has expired"),
    ],
)
def test_other_reasons(first, second, reason):
    common = {
        "process": "first", "address": "127.0.0.1", "port": 443, "version": "TLSv1.3",
        "cipher": None, "cipher_bits": 0, "group": None,
        "alpn": None, "resumed": False, "age": None, "reason": None, "milliseconds": 1.0,
        "handshake_sent": 1, "handshake_received": 1,
        "sent": 1, "received": 1, "tickets": 2, "ticket_lifetime": 7200,
    }  # fmt: skip
    visits = [connect.Visit(**{**common, **changed}) for changed in (first, second)]
    outcome = connect.Outcome(
        connect.Order("localhost", 443), visits, {}, tlskit.SessionStats(*[0] * 12)
    )
    assert outcome.reason == reason


# -- failures --------------------------------------------------------------------------------------


def test_nobody_listens(capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert (
        complaint(capsys, "connect", f"127.0.0.1:{port}")
        == f"Cannot connect to 127.0.0.1:{port}: connection refused."
    )


def test_nobody_listens_as_a_process():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = as_process("connect", f"127.0.0.1:{port}", "--json")
    assert done.returncode == 1
    assert done.stderr == f"tlskit: Cannot connect to 127.0.0.1:{port}: connection refused.\n"
    assert (
        json.loads(done.stdout)["error"]
        == f"Cannot connect to 127.0.0.1:{port}: connection refused."
    )


def test_unknown_host(capsys, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert (
        complaint(capsys, "connect", "nobody.invalid")
        == "Cannot find nobody.invalid:443: name or service not known."
    )


def test_no_host_name(capsys):
    assert (
        complaint(capsys, "connect", f"{'a' * 70}.example")
        == f"{'a' * 70}.example:443 is not a host name."
    )


def test_no_server_name(pki, server, capsys):
    with serving(Answering(server)) as port:
        assert "'.example' cannot be a server's name: " in complaint(
            capsys, "connect", f"localhost:{port}", "--server-name", ".example"
        )


def test_a_server_name_that_is_too_long(pki, server, capsys):
    with serving(Answering(server)) as port:
        name = ".".join(["a" * 60] * 5)
        assert complaint(capsys, "connect", f"localhost:{port}", "--server-name", name)


def test_a_connection_that_is_not_answered(capsys, monkeypatch):
    def unanswered(*args, **kwargs):
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", unanswered)
    assert (
        complaint(capsys, "connect", "localhost", "--timeout", "2.5")
        == "Cannot connect to localhost:443: no answer within 2.5 s."
    )


def test_untrusted(pki, version, server, capsys):
    with serving(Answering(server)) as port:
        said = complaint(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.stranger_root))
    assert said.startswith(f"The certificate of localhost:{port} was not accepted: ")
    assert "--insecure" in said


def test_another_name_in_the_certificate(pki, version, server, capsys):
    with serving(Answering(server)) as port:
        said = complaint(
            capsys,
            "connect",
            f"localhost:{port}",
            "--cafile",
            str(pki.root),
            "--server-name",
            "elsewhere.example",
        )
    assert "hostname mismatch" in said
    assert "--server-name" in said


def test_expired(pki, capsys):
    with serving(Answering(server_context(pki, identity=pki.expired))) as port:
        assert "certificate has expired" in complaint(
            capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root)
        )


@pytest.mark.parametrize("content", [None, "no certificate here\n", ""])
def test_wrong_cafile(capsys, tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    said = complaint(capsys, "connect", "localhost:1", "--cafile", str(file))
    assert said.startswith(f"Cannot read the CA file {file}: ")
    assert ("no such file" in said) == (content is None)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 mail.example ESMTP\r\n",
    ],
)
def test_not_tls(capsys, answer):
    def speak(plain):
        plain.sendall(answer)
        while plain.recv(4096):
            pass

    with serving(speak) as port:
        said = complaint(capsys, "connect", f"127.0.0.1:{port}", "--timeout", "5")
    assert said.startswith(f"127.0.0.1:{port} does not seem to speak TLS: ")


def test_closed_in_the_handshake(capsys):
    def close(plain):
        plain.recv(4096)

    with serving(close) as port:
        said = complaint(capsys, "connect", f"127.0.0.1:{port}")
    assert said.startswith(
        f"The handshake with 127.0.0.1:{port} failed: the connection was closed. The server closed "
        "the connection without any answer to the ClientHello. It may not speak TLS on this port"
    )


def test_silent(capsys):
    def say_nothing(plain):
        while plain.recv(4096):
            pass

    with serving(say_nothing) as port:
        said = complaint(capsys, "connect", f"127.0.0.1:{port}", "--timeout", "0.2")
    assert said.startswith(
        f"The handshake with 127.0.0.1:{port} did not end within 0.2 s. The server accepted the "
        "connection, but did not answer the ClientHello in time."
    )


def test_no_version_in_common(pki, capsys):
    context = server_context(pki)
    only(tlskit.TLSVersion.TLSv1_2, context)
    with serving(Answering(context)) as port:
        said = complaint(
            capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root), "--min", "1.3"
        )
    assert said.startswith(
        f"localhost:{port} refused the handshake with the alert PROTOCOL_VERSION. The server "
        "supports none of the protocol versions that this client allows (TLS 1.3 only)."
    )


def test_a_client_without_the_certificate_that_is_wanted(pki, version, capsys):
    context = server_context(pki)
    only(version, context)
    context.load_verify_locations(pki.root)
    context.verify_mode = tlskit.CERT_REQUIRED
    with serving(Answering(context)) as port:
        said = complaint(capsys, "connect", f"localhost:{port}", "--cafile", str(pki.root))
    assert said.startswith(f"localhost:{port} refused the handshake with the alert ")


def test_the_second_connection_fails(pki, server, capsys):
    with serving(Answering(server), most=1) as port:
        assert main(["connect", f"localhost:{port}", "--cafile", str(pki.root), "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert len(told["connections"]) == 1
    assert told["reason"] is None
    assert err == f"tlskit: {told['error']}\n"
    assert told["error"].startswith(
        "The first connection was made, the second was not. Cannot connect to localhost:"
    )


def test_versions_that_contradict_each_other(capsys):
    assert "leave nothing to negotiate" in complaint(
        capsys, "connect", "localhost:1", "--min", "1.3", "--max", "1.2", status=2
    )


def test_alpn_that_is_too_long(capsys):
    assert "not application protocols" in complaint(
        capsys, "connect", "localhost:1", "--alpn", "x" * 256, status=2
    )


# -- from a store ----------------------------------------------------------------------------------


def test_it_resumes_what_an_earlier_run_has_kept(pki, version, server, capsys, tmp_path):
    store = str(tmp_path / "sessions.db")
    arguments = ["--cafile", str(pki.root), "--store", store]
    with serving(Answering(server)) as port:
        once = as_json(capsys, "connect", f"localhost:{port}", *arguments)
        assert main(["connect", f"localhost:{port}", *arguments]) == 0
        text = capsys.readouterr().out
        other = as_json(capsys, "connect", f"127.0.0.1:{port}", *arguments)
    assert [c["resumed"] for c in once["connections"]] == [False, True]
    assert (
        once["connections"][0]["reason"]
        == "nothing is stored for this server name and verification policy"
    )
    assert re.search(r"\nThe first connection resumed a session from the store, \d s old\.\n", text)
    assert text.endswith("\nThe second connection resumed the session of the first.\n")
    assert not other["connections"][0]["resumed"]
    if not WINDOWS:
        assert (os.stat(store).st_mode | os.stat(store + ".key").st_mode) & 0o077 == 0


def test_no_ticket_of_a_store_is_offered_twice(pki, capsys, tmp_path):
    """Both connections are made from the store, so that what it has given to one is not set on the
    other.
    """
    context = server_context(pki)
    only(tlskit.TLSVersion.TLSv1_3, context)
    context.tickets.keyring = tlskit.TicketKeyring()
    offered = []
    with serving(Answering(context)) as port:
        for _ in range(3):
            told = as_json(
                capsys,
                "connect",
                f"localhost:{port}",
                "--cafile",
                str(pki.root),
                "--store",
                str(tmp_path / "sessions.db"),
            )
            offered += [c["resumed"] for c in told["connections"]]
    assert offered == [False, True, True, True, True, True]
    with contextlib.closing(tlskit.SQLiteStore(tmp_path / "sessions.db")) as store:
        left = [tlskit.SSLSession.from_bytes(entry.value).ticket for entry in store.entries()]
    assert (
        len(set(left)) == len(left) == 2
    )  # two and five times one have come, and five have been taken


def test_a_store_that_does_not_answer_makes_a_full_handshake(
    pki, server, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("TLSKIT_SESSIONS_SECRET", "5a" * 32)
    pytest.importorskip("redis")
    with serving(Answering(server)) as port:
        told = as_json(
            capsys,
            "connect",
            f"localhost:{port}",
            "--cafile",
            str(pki.root),
            "--store",
            f"unix://{tmp_path}/nobody?password=hidden",
        )
    assert [c["reason"] for c in told["connections"]] == ["the store did not answer"] * 2


@pytest.mark.parametrize(
    "store", ["redis://localhost:1", "memcached://localhost:1", "ftp://localhost"]
)
def test_a_store_that_cannot_be(store, capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("TLSKIT_SESSIONS_SECRET", raising=False)
    said = complaint(capsys, "connect", "localhost:1", "--store", store, status=2)
    assert "TLSKIT_SESSIONS_SECRET" in said


# -- what the server says is only shown ------------------------------------------------------------


def test_a_certificate_cannot_steer_the_terminal(tmp_path, capsys):
    root = trustme.CA()
    leaf = root.issue_cert("localhost", organization_name="\x1b[31mred\x07")
    root.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    context = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with serving(Answering(context)) as port:
        assert main(["connect", f"localhost:{port}", "--cafile", str(tmp_path / "root.pem")]) == 0
    out = capsys.readouterr().out
    assert "\\x1b[31mred\\x07" in out
    assert "\x1b" not in out

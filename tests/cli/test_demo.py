"""`tlskit demo`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tlskit.cli import main, output
from tlskit.cli.demo import other_host, story

from ..support.pairs import client_context, memory_pair, only, server_context
from ..support.system import WINDOWS
from .servers import Answering, as_json, as_process, complaint, needs_demo, serving

COUNTERS = {
    "number", "connect", "connect_good", "connect_renegotiate", "accept", "accept_good",
    "accept_renegotiate",
    "hits", "misses", "timeouts", "cache_full", "cb_hits",
}  # fmt: skip


@pytest.fixture(scope="module")
def outcome():
    """The document of one demo, run as a user runs it."""
    pytest.importorskip("cryptography", reason="the demo needs trustme")
    done = as_process("demo", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_six_connections_two_of_them_full(outcome):
    seen = [(c["process"], c["version"], c["resumed"]) for c in outcome["connections"]]
    assert seen == [
        (process, version, resumed)
        for version in ("TLSv1.3", "TLSv1.2")
        for process, resumed in (("first", False), ("first", True), ("second", True))
    ]
    assert outcome["error"] is None


def test_every_connection_is_described(outcome):
    for c in outcome["connections"]:
        assert c["cipher"]
        assert c["cipher_bits"] >= 128
        assert c["group"]
        assert c["reason"] is None
        assert 0 < c["milliseconds"] < 20_000
        assert 0 < c["handshake_sent"] < c["sent"]
        assert 0 < c["handshake_received"] < c["received"]
        assert (c["address"], c["port"]) == ("127.0.0.1", outcome["server"]["port"])


def test_a_resumed_handshake_receives_less(outcome):
    for full, again, elsewhere in (outcome["connections"][:3], outcome["connections"][3:]):
        assert (
            again["handshake_received"] < full["handshake_received"] - 600
        )  # the certificates (a post-quantum key share stays)
        assert elsewhere["handshake_received"] < full["handshake_received"] - 600


def test_tls_1_3_brings_two_tickets_in_full_and_one_when_resumed(outcome):
    assert [c["tickets"] for c in outcome["connections"][:3]] == [2, 1, 1]


def test_all_twelve_counters_of_all_three(outcome):
    statistics = outcome["statistics"]
    assert set(statistics) == {"server", "first process", "second process"}
    assert all(set(counters) == COUNTERS for counters in statistics.values())
    assert (statistics["server"]["accept_good"], statistics["server"]["hits"]) == (6, 4)
    assert (statistics["first process"]["connect_good"], statistics["first process"]["hits"]) == (
        4,
        2,
    )
    assert (statistics["second process"]["connect_good"], statistics["second process"]["hits"]) == (
        2,
        2,
    )


def test_a_store_resumes_in_both_processes_and_after_a_restart(outcome):
    seen = [(c["process"], c["resumed"]) for c in outcome["automatic"]]
    assert seen == [("first", False), ("first", True), ("second", True), ("first", True)]


def test_the_session_of_another_host_is_refused(outcome):
    by_library = {a["library"]: a for a in outcome["other_host"]}
    assert not by_library["tlskit"]["accepted"]
    assert other_host.OTHER in by_library["tlskit"]["reason"]
    assert by_library["the stdlib's ssl"] == {
        "library": "the stdlib's ssl",
        "accepted": True,
        "reason": None,
    }


def test_a_resumed_handshake_takes_less_time(outcome):
    times = {(t["version"], t["resumed"]): t["milliseconds"] for t in outcome["timings"]}
    assert set(times) == {(v, r) for v in ("TLSv1.2", "TLSv1.3") for r in (False, True)}
    assert times["TLSv1.2", True] < times["TLSv1.2", False]


def test_a_tlskit_that_took_the_session_of_another_host_would_be_a_failure(capsys, monkeypatch):
    made_up = [other_host.Attempt("tlskit", True, None)]
    monkeypatch.setattr(story, "attempts", lambda port, root: made_up)
    assert complaint(capsys, "demo") == "tlskit accepted the session of another host."


def test_a_store_that_does_not_resume_is_a_failure(capsys, monkeypatch):
    original = story.store_context

    def elsewhere(root, file):
        return original(root, file.with_name(f"{len(made)}.db")) if made.append(1) is None else None

    made: list[int] = []
    monkeypatch.setattr(story, "store_context", elsewhere)
    said = complaint(capsys, "demo")
    assert said.startswith("A connection of the second process was to resume from the store")


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
def test_another_program_takes_the_server_s_port(capsys, monkeypatch, always):
    """It is bound again: whoever asks for a free port may get it in between."""
    original, taken = story.serving, []

    @contextlib.contextmanager
    def crowded(folder, *, keys=None, port=0):
        with contextlib.ExitStack() as stack:
            if port and (always or not taken):
                taken.append(stack.enter_context(socket.create_server(("127.0.0.1", port))))
            yield stack.enter_context(original(folder, keys=keys, port=port))

    monkeypatch.setattr(story, "serving", crowded)
    if always:
        assert "its port was taken each time" in complaint(capsys, "demo")
        assert len(taken) == story._TRIES
    else:
        outcome = as_json(capsys, "demo")
        assert [c["resumed"] for c in outcome["automatic"]] == [False, True, True, True]
        assert len(taken) == 1


def test_progress_is_shown_on_a_terminal_and_taken_away_again():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal, pipe = Terminal(), io.StringIO()
    for out in (terminal, pipe):
        with output.progress(out) as step:
            step("working")
    assert terminal.getvalue() == "\r\x1b[Kworking ...\r\x1b[K"
    assert pipe.getvalue() == ""


def test_the_server_is_another_process(outcome):
    assert outcome["server"]["pid"] != os.getpid()
    if not WINDOWS:  # where 0 is Ctrl-C
        with pytest.raises(ProcessLookupError):
            os.kill(outcome["server"]["pid"], 0)


@needs_demo
def test_without_a_terminal_it_is_plain_text():
    done = as_process("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()
    assert len(re.findall(r"^(?:first|second).* resumed +[0-9]", done.stdout, re.MULTILINE)) == 7
    assert len(re.findall(r"^(?:first|second).* full +[0-9]", done.stdout, re.MULTILINE)) == 3
    assert re.search(r"^the stdlib's ssl +accepted", done.stdout, re.MULTILINE)
    assert re.search(r"^tlskit +refused +[Hh]ostname mismatch", done.stdout, re.MULTILINE)
    assert (
        len(re.findall(r"^TLS 1\.[23], (?:full|resumed) +#+ [0-9.]+ ms$", done.stdout, re.M)) == 4
    )
    assert all(f"\n{counter} " in done.stdout for counter in COUNTERS)
    assert done.stdout.endswith("All 7 connections that had a session resumed it.\n")


def test_the_session_lies_in_a_file_for_its_owner_only_and_then_nowhere(capsys, monkeypatch):
    seen = []
    original = story.second_process

    def watched(port, root, kind, file):
        if kind == "session":
            modes = file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777
            seen.append((file, *modes, file.read_text()))
        return original(port, root, kind, file)

    monkeypatch.setattr(story, "second_process", watched)
    as_json(capsys, "demo")
    if not WINDOWS:  # whose files have no modes for others
        assert [(mode, above) for _, mode, above, _ in seen] == [(0o600, 0o700)] * 2
    assert all(text.startswith("-----BEGIN SSL SESSION PARAMETERS-----\n") for *_, text in seen)
    assert not any(file.parent.exists() for file, *_ in seen)


def test_without_trustme_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert main(["demo"]) == 2
    err = capsys.readouterr().err
    assert "pip install 'tlskit[cli]'" in err
    assert err.count("\n") == 1


def test_a_server_that_does_not_start_is_explained(capsys, monkeypatch):
    monkeypatch.setattr(
        story, "make_place", lambda folder: (folder / "server.pem").write_text("nothing")
    )
    assert "server did not start: ssl.SSLError" in complaint_of_any_end(capsys, "demo")


def complaint_of_any_end(capsys, *arguments):
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def test_a_failure_is_in_the_document_too(capsys, monkeypatch):
    monkeypatch.setattr(
        story, "make_place", lambda folder: (folder / "server.pem").write_text("nothing")
    )
    assert main(["demo", "--json"]) == 1
    assert "did not start" in json.loads(capsys.readouterr().out)["error"]


def test_a_session_that_is_not_resumed_is_a_failure(capsys, monkeypatch):
    original = story.call

    def forgetful(port, context, session, *, process):
        expired = None if session is None else stale(session)
        return original(port, context, expired, process=process)

    monkeypatch.setattr(story, "call", forgetful)
    said = complaint(capsys, "demo")
    assert said == (
        "A connection of the first process with TLSv1.3 was to resume and did not: the "
        "session has expired."
    )


def stale(session):
    """The same session, made a month ago."""
    return session.with_times(time=session.time - 30 * 86400)


# -- the second process ----------------------------------------------------------------------------


def second(port: int, root: Path, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tlskit.cli.demo._second", str(port), str(root)]
    command += ["session", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_second_process_resumes_from_the_file(pki, version, tmp_path):
    server = server_context(pki, identity=pki.direct)
    file = session_file(pki, version, server, tmp_path)
    with serving(Hearing(server)) as port:
        done = second(port, pki.root, file)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["connection"]["resumed"]
    assert told["statistics"]["hits"] == 1


def test_the_second_process_does_not_resume_what_its_root_does_not_vouch_for(
    pki, version, tmp_path
):
    server = server_context(pki, identity=pki.direct)
    file = session_file(pki, version, server, tmp_path)
    with serving(Hearing(server)) as port:
        done = second(port, pki.stranger_root, file)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("The certificate of the demo's server was not accepted: ")
    assert done.stderr.count("\n") == 1


def session_file(pki, version, server, folder: Path) -> Path:
    client = client_context(pki)
    only(version, client)
    near, _ = memory_pair(client, server)
    file = folder / "session.pem"
    file.write_text(near.session.to_pem())
    return file


class Hearing(Answering):
    """Answers once, and closes as the demo's server does."""

    def __call__(self, plain):
        with self.context.wrap_socket(plain, server_side=True) as connection:
            connection.sendall(connection.recv(4096))
            connection.unwrap()

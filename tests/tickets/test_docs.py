"""Every example of docs/tickets.md, in its order."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import tlskit

from ..support import pairs

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tickets.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_examples_do_what_they_say(tmp_path, monkeypatch, pki, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(pki.server.chain, "server.pem")
    shutil.copy(pki.server.key, "server.key")
    Path("fleet.secret").write_bytes(os.urandom(32))
    Path("keys").mkdir()
    for name in ("current", "previous"):
        Path("keys", f"{name}.key").write_bytes(os.urandom(80))
    names = {}
    client = pairs.client_context(pki)
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), "exec"), names)
        if "keyring" in names:
            names["context"].tickets.keyring = names["keyring"]
        near, _ = pairs.memory_pair(client, names["context"])
        again, _ = pairs.memory_pair(client, names["context"], session=near.session)
        assert again.session_reused
    assert len(EXAMPLES) == 7
    assert "TicketStats(new=" in capsys.readouterr().out


def test_every_counter_is_described():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(tlskit.TicketStats.__dataclass_fields__) <= set(rows)

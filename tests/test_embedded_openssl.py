"""The OpenSSL in the wheels: what is changed in its sources, and what a release says about that."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EDIT = ROOT / ".github" / "bin" / "edit_openssl.pl"
HEADER = "include/openssl/ssl.h.in"

perl = pytest.mark.skipif(shutil.which("perl") is None, reason="there is no perl")


def edited(folder: Path, text: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run the script on sources that consist of one header, and return what is there then."""
    path = folder / HEADER
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="ascii")
    command = ["perl", str(EDIT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, path.read_text(encoding="ascii")


@perl
@pytest.mark.parametrize(
    "define", ["#define SSL_MAX_PIPELINES {}", "# define SSL_MAX_PIPELINES  {}"]
)
def test_one_constant_is_changed_and_nothing_else(tmp_path: Path, define: str) -> None:
    header = "# define SSL_MAX_SID_CTX_LENGTH 32\n" + define + "\n#define SSL_DEFAULT 32\n"
    done, after = edited(tmp_path, header.format(32))
    assert done.returncode == 0, done.stderr
    assert after == header.format(8)


@perl
@pytest.mark.parametrize(
    "text", ["", "#define SSL_MAX_PIPELINES 64\n", "#define SSL_MAX_PIPELINES 320\n"]
)
def test_sources_that_are_different_stop_the_build(tmp_path: Path, text: str) -> None:
    done, after = edited(tmp_path, text)
    assert done.returncode != 0
    assert "SSL_MAX_PIPELINES" in done.stderr
    assert after == text


def test_the_bill_of_materials_names_the_version_and_the_change(tmp_path: Path) -> None:
    (tmp_path / "tlskit-0.1.0-cp310-abi3-any.whl").write_bytes(b"a wheel")
    command = [sys.executable, str(ROOT / "tools" / "wheels" / "sbom.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    parts = {part["name"]: part for part in json.loads(done.stdout)["components"]}
    pins = (ROOT / "tools" / "sources.txt").read_text(encoding="utf-8")
    assert f"\nopenssl-3.5    {parts['openssl']['version']} " in pins
    assert "tlskit-0.1.0-cp310-abi3-any.whl" in parts
    pedigree = parts["openssl"]["pedigree"]
    assert pedigree["patches"] == [{"type": "unofficial"}]
    assert pedigree["notes"].endswith(EDIT.relative_to(ROOT).as_posix())

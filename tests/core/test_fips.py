"""Configurations that ask for a FIPS provider: one that is not there, and one that is.

The real provider is Debian's `openssl-provider-fips`, or the file that TLSKIT_TEST_FIPS names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tlskit

from ..support import peers
from ..support.pki import PKI

CONFIGURATION = """\
openssl_conf = start
[start]
providers = providers
{demands}
[providers]
fips = fips_sect
{others}
[fips_sect]
activate = 1
{settings}
[usual]
activate = 1
[demands]
default_properties = fips=yes
"""
TALK = """
import os, sys
os.environ["OPENSSL_CONF"] = sys.argv[1]
import ssl
ssl.create_default_context()
os.environ["OPENSSL_CONF"] = sys.argv[2]
import json, tlskit
from tlskit.cli import info

def talk(client, server, hello=None):
    up, down = tlskit.MemoryBIO(), tlskit.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname="localhost")
    far = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for end in (near, far):
            try:
                end.do_handshake()
            except tlskit.SSLWantReadError:
                pass
    far.write(b"x")
    assert near.read(1) == b"x"
    return [near.version(), near.session_reused]

found, fingerprints = [], []
for version in (tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3):
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(sys.argv[4], sys.argv[5])
    server.tickets.keyring = tlskit.TicketKeyring()
    server.client_hello_callback = lambda connection, hello: fingerprints.append(hello.ja3)
    client = tlskit.create_default_context(cafile=sys.argv[3])
    client.maximum_version = server.maximum_version = version
    client.sessions.store = tlskit.stores.SQLiteStore(sys.argv[6], secret=b"s" * 32)
    found += talk(client, server) + talk(client, server)
library = info.gather()
json.dump(
    [found, len(fingerprints), library.openssl["fips"], [name for name, *_ in library.providers],
     library.missing_providers, library.context_error],
    sys.stdout,
)
"""


def written(
    folder: Path, *, demands: str = "", others: str = "base = usual", settings: str = ""
) -> Path:
    path = folder / "openssl.cnf"
    folder.mkdir(exist_ok=True)
    path.write_text(CONFIGURATION.format(demands=demands, others=others, settings=settings))
    return path


def output(configuration: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPENSSL_CONF": str(configuration)}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )


def told(configuration: Path) -> dict[str, object]:
    done = output(configuration, "-m", "tlskit", "info", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    return (tmp_path / "modules" / "fips.so").as_posix()  # a backslash is an escape there


@pytest.mark.parametrize("call", ["tlskit.create_default_context()", "tlskit.SSLContext(16)"])
def test_an_import_works_and_a_context_names_the_missing_provider(tmp_path, nowhere, call):
    configuration = written(
        tmp_path, demands="alg_section = demands", settings=f"module = {nowhere}"
    )
    program = f"""
import tlskit
try:
    {call}
except tlskit.SSLError as error:
    print(error.reason)
    print(error.hint)
    print(error)
"""
    done = output(configuration, "-c", program)
    assert done.returncode == 0, done.stderr
    reason, hint, message = done.stdout.splitlines()
    assert reason == "LIBRARY_HAS_NO_CIPHERS"
    assert hint == (
        f"OpenSSL's configuration, {configuration}, activates the provider fips, which is not "
        f"loaded: {nowhere} is not there. `tlskit info` shows which providers are loaded."
    )
    assert message.endswith(hint)


def test_info_names_the_missing_provider_when_there_can_be_no_context(tmp_path, nowhere):
    found = told(written(tmp_path, demands="alg_section = demands", settings=f"module = {nowhere}"))
    assert found["missing_providers"] == [{"name": "fips", "why": f"{nowhere} is not there"}]
    assert "LIBRARY_HAS_NO_CIPHERS" in str(found["context_error"])
    assert found["authorities"] == 0
    assert [row["name"] for row in found["providers"]] == ["base"]  # type: ignore[attr-defined]
    assert found["openssl"]["fips"] == "yes"  # type: ignore[index]


def test_info_names_the_missing_provider_beside_one_that_is_there(tmp_path, nowhere):
    found = told(written(tmp_path, others="default = usual", settings=f"module = {nowhere}"))
    assert found["missing_providers"] == [{"name": "fips", "why": f"{nowhere} is not there"}]
    assert found["context_error"] == ""


def test_info_says_when_the_file_is_there_and_does_not_load(tmp_path):
    file = tmp_path / "fips.so"
    file.write_bytes(b"not a library")
    module = file.as_posix()
    found = told(written(tmp_path, others="default = usual", settings=f"module = {module}"))
    ((name, why),) = [row.values() for row in found["missing_providers"]]  # type: ignore[attr-defined]
    assert name == "fips"
    assert why.startswith(f"{module} is there, but OpenSSL could not load it")
    assert "fipsinstall" in why


@pytest.mark.parametrize("activate", ["", "activate = 0"])
def test_a_provider_that_is_not_activated_is_not_missing(tmp_path, activate):
    path = tmp_path / "openssl.cnf"
    path.write_text(
        "openssl_conf = start\n[start]\nproviders = providers\n"
        f"[providers]\ndefault = usual\n2.other = idle\n[usual]\nactivate = 1\n[idle]\n{activate}\n"
        "identity = another\n"
    )
    missing = told(path)["missing_providers"]
    assert missing == [] or tlskit.OPENSSL_VERSION_INFO < (3, 2)  # which activate it all the same


@pytest.mark.parametrize("text", ["", "openssl_conf = nowhere\n", "[broken\n"])
def test_a_configuration_without_providers_is_no_fault(tmp_path, text):
    path = tmp_path / "openssl.cnf"
    path.write_text(text)
    found = told(path)
    assert (found["missing_providers"], found["context_error"]) == ([], "")


# -- with the provider -----------------------------------------------------------------------------


def installed(file: Path) -> str:
    """Run the provider's own tests, and return the settings that they lead to."""
    command = ["openssl", "fipsinstall", "-quiet", "-module", str(file), "-out", f"{file}.cnf"]
    environment = {**os.environ, "OPENSSL_CONF": os.devnull}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = Path(f"{file}.cnf").read_text().splitlines()
    kept = [line for line in lines if "=" in line and not line.startswith("activate")]
    return "\n".join([*kept, f"module = {file.as_posix()}"])


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    """Two configurations, each with its own copy of the provider."""
    provider = peers.provider("fips", "TLSKIT_TEST_FIPS")
    if provider is None:
        pytest.skip("there is no FIPS provider for OpenSSL (Debian: openssl-provider-fips)")
    found = []
    for name in ("stdlib", "tlskit"):
        folder = tmp_path / name
        folder.mkdir()
        copy = Path(shutil.copy(provider, folder / "fips.so"))
        found.append(written(folder, demands="alg_section = demands", settings=installed(copy)))
    return found


def talked(first: Path, second: Path, pki: PKI) -> subprocess.CompletedProcess[str]:
    sessions = first.with_name("sessions.db")
    files = (first, second, pki.root, pki.server.chain, pki.server.key, sessions)
    return output(first, "-c", TALK, *map(str, files))


def test_all_works_with_the_provider(copies, pki):
    done = talked(*copies, pki)
    assert done.returncode == 0, done.stderr
    found, fingerprints, fips, providers, missing, error = json.loads(done.stdout)
    assert found == ["TLSv1.2", False, "TLSv1.2", True, "TLSv1.3", False, "TLSv1.3", True]
    assert fingerprints == 4
    assert (fips, sorted(providers), missing, error) == ("yes", ["base", "fips"], [], "")


def test_one_file_of_the_provider_serves_one_openssl(copies, pki):
    done = talked(copies[0], copies[0], pki)
    if tlskit_is_inside():
        assert done.returncode != 0
        assert "serve only one" in done.stderr
    else:  # there is only one
        assert done.returncode == 0, done.stderr


def tlskit_is_inside() -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "tlskit", "info", "--json"], capture_output=True, check=True
    )
    return str(json.loads(done.stdout)["openssl"]["linked"]).startswith("static")

"""A private key in a PKCS#11 token, by its URI: SoftHSM, through the provider pkcs11-provider.

OpenSSL loads the provider by its configuration file, so each program here is a process of its own.
Debian has both from trixie on (`softhsm2`, `pkcs11-provider`); TLSKIT_TEST_PKCS11_PROVIDER names
the provider's pkcs11.so where it is not in OpenSSL's directory for modules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.certificates import Made, authority, issue
from ..support.peers import PATIENCE, provider

TOKENS = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
PIN = "1234"
PROGRAM = """
import sys
import tlskit

chain, key, root, version = sys.argv[1:]
server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
try:
    server.add_certificate(chain, key)
except tlskit.SSLError as error:
    print("refused", error.reason, "|", error)
    raise SystemExit
client = tlskit.create_default_context(cafile=root)
client.minimum_version = client.maximum_version = version
to_client, to_server = tlskit.MemoryBIO(), tlskit.MemoryBIO()
near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
far = server.wrap_bio(to_server, to_client, server_side=True)
for end in (near, far, near, far, near):
    try:
        end.do_handshake()
    except tlskit.SSLWantReadError:
        pass
near.write(b"hello")
print(far.read().decode(), near.info.peer_signature_algorithm)
"""


def _token() -> str | None:
    return next((path for path in TOKENS if Path(path).exists()), None)


def _provider() -> Path | None:
    return provider("pkcs11", "TLSKIT_TEST_PKCS11_PROVIDER")


pytestmark = [
    pytest.mark.skipif(
        _token() is None or shutil.which("softhsm2-util") is None, reason="there is no SoftHSM"
    ),
    pytest.mark.skipif(_provider() is None, reason="there is no pkcs11-provider for OpenSSL"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return authority(tmp_path_factory.mktemp("root"), "Token Root")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A new token, and a configuration file that loads the provider."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    (folder / "openssl.cnf").write_text(
        "openssl_conf = start\n"
        "[start]\nproviders = providers\n"
        "[providers]\ndefault = usual\npkcs11 = tokens\n"
        "[usual]\nactivate = 1\n"
        f"[tokens]\nmodule = {_provider()}\npkcs11-module-path = {_token()}\n"
        "pkcs11-module-quirks = no-deinit\nactivate = 1\n"
    )
    found = {
        **os.environ,
        "SOFTHSM2_CONF": str(folder / "softhsm.conf"),
        "OPENSSL_CONF": str(folder / "openssl.cnf"),
    }
    _softhsm(found, "--init-token", "--free", "--label", "tlskit", "--so-pin", PIN, "--pin", PIN)
    return found


def _softhsm(environment: dict[str, str], *arguments: str) -> None:
    """Call SoftHSM's own tool, which uses OpenSSL too, without the provider."""
    alone = {**environment, "OPENSSL_CONF": os.devnull}
    command = ["softhsm2-util", *arguments]
    done = subprocess.run(
        command, env=alone, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout


def kept(environment: dict[str, str], folder: Path, root: Made) -> Made:
    """A certificate whose key is in the token. It is an EC key: SoftHSM 2.6 cannot sign with RSA
    behind the provider, which `openssl dgst` shows as well.
    """
    made = issue(folder, "leaf", issuer=root)
    _softhsm(
        environment, "--import", str(made.key), "--token", "tlskit", "--label", "leaf",
        "--id", "01", "--pin", PIN,
    )  # fmt: skip
    return made


def said(environment: dict[str, str], made: Made, uri: str, root: Made, version: str) -> str:
    given = [str(made.chain), uri, str(root.chain), version]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *given],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_server_signs_with_the_token(environment, tmp_path, root):
    made = kept(environment, tmp_path, root)
    uri = f"pkcs11:token=tlskit;object=leaf;type=private?pin-value={PIN}"
    for version in ("TLSv1.2", "TLSv1.3"):
        answer = said(environment, made, uri, root, version)
        assert answer == "hello ecdsa_secp256r1_sha256"
    for what in ("token=tlskit;object=none", "token=none;object=leaf"):
        wrong = f"pkcs11:{what};type=private?pin-value={PIN}"
        assert said(environment, made, wrong, root, "TLSv1.3").startswith("refused")
    other = issue(tmp_path, "other", issuer=root)
    assert "KEY_VALUES_MISMATCH" in said(environment, other, uri, root, "TLSv1.3")


def test_a_wrong_pin_is_refused(environment, tmp_path, root):
    made = issue(tmp_path, "other", issuer=root)
    uri = "pkcs11:token=tlskit;object=leaf;type=private?pin-value=4321"
    assert said(environment, made, uri, root, "TLSv1.3").startswith("refused")


def test_without_the_provider_it_says_so(environment, tmp_path, root):
    made = issue(tmp_path, "other", issuer=root)
    without = {**environment, "OPENSSL_CONF": os.devnull}
    answer = said(without, made, "pkcs11:token=tlskit;object=leaf", root, "TLSv1.3")
    assert "no provider that opens URIs of this kind" in answer

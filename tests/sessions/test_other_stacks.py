"""Resumption with TLS stacks that are not OpenSSL's, and with servers as they are installed: Node,
GnuTLS, Java, ProFTPD, and OpenSSL's own programs. Each is skipped where it is not to be had.
"""

from __future__ import annotations

import contextlib
import ftplib
import io
import os
import re
import select
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tlskit

from ..support.pairs import Background, client_context, only, server_context
from ..support.pki import PKI
from ..support.processes import Process
from ..support.system import stop_listening

TLS12, TLS13 = tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3


def program(name: str, package: str) -> str:
    """The path of a program, or a skip that says which package (Debian's name) brings it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"there is no {name} here: Debian's {package}")
    return found


@contextlib.contextmanager
def running(*command: str | Path) -> Iterator[Process]:
    """A server for as long as the block lasts."""
    process = Process(command)
    try:
        yield process
    finally:
        process.stop()


def wait_for(port: int) -> None:
    """Wait until something listens there."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        select.select([], [], [], 0.05)
    raise AssertionError(f"nothing listens on port {port}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# -- tlskit's server, and the clients of others ----------------------------------------------------


class Visited:
    """A server with a store that notes what became of resumption on each of its connections."""

    def __init__(self, context: Any) -> None:
        self.outcomes: list[Any] = []
        self.versions: list[str | None] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._serving = Background(self._serve)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            plain.settimeout(10)
            with (
                contextlib.suppress(OSError),
                self._context.wrap_socket(plain, server_side=True) as end,
            ):
                self.outcomes.append(end.resumption)
                self.versions.append(end.version())
                end.sendall(b"hello\n")
                while end.recv(4096):
                    pass

    def close(self) -> None:
        stop_listening(self._listener)
        self._serving.result()


@pytest.fixture
def keeping(pki: PKI) -> Any:
    """A server's context that keeps its sessions and speaks TLS 1.2 at most."""
    context = server_context(pki)
    context.maximum_version = TLS12
    context.sessions.store = tlskit.MemoryStore()
    return context


@pytest.fixture
def visited(keeping: Any) -> Iterator[Visited]:
    server = Visited(keeping)
    yield server
    server.close()


def resumed_by_id(visited: Visited) -> None:
    """Of two connections at least, the last one resumed a session out of the store."""
    assert len(visited.outcomes) >= 2
    assert set(visited.versions) == {"TLSv1.2"}
    assert not visited.outcomes[0]
    assert visited.outcomes[-1]
    assert visited.outcomes[-1].automatic


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    # a sanitizer that is loaded into this process first is not for theirs
    inherited = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        [os.fspath(word) for word in command], input="", capture_output=True, text=True, timeout=60,
        check=False, env={**inherited, **(environment or {})},
    )  # fmt: skip
    return done.stdout + done.stderr


def test_openssl_s_client(visited: Visited, pki: PKI, tmp_path: Path) -> None:
    """It offers TLS 1.3 in the same hello as the id of its TLS 1.2 session."""
    openssl = program("openssl", "openssl")
    kept = tmp_path / "session.pem"
    common = (
        "-connect",
        f"127.0.0.1:{visited.port}",
        "-CAfile",
        pki.root,
        "-servername",
        "localhost",
    )
    run(openssl, "s_client", *common, "-sess_out", kept)
    assert "Reused" in run(openssl, "s_client", *common, "-sess_in", kept)
    resumed_by_id(visited)


def test_gnutls_cli(visited: Visited, pki: PKI) -> None:
    gnutls = program("gnutls-cli", "gnutls-bin")
    said = run(
        gnutls, "--resume", "--x509cafile", pki.root, "--port", str(visited.port),
        "--verify-hostname", "localhost", "--sni-hostname", "localhost",
        "--priority", "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1", "127.0.0.1",
    )  # fmt: skip
    assert "*** This is a resumed session" in said, said
    resumed_by_id(visited)


NODE_CLIENT = """
const tls = require('tls'), fs = require('fs');
const [port, ca] = process.argv.slice(2);
let kept = null;
function visit(left) {
  const end = tls.connect({port: +port, host: '127.0.0.1', servername: 'localhost',
                           ca: fs.readFileSync(ca), session: kept});
  end.on('session', s => { kept = s; });
  end.on('data', () => {
    console.log('reused', end.isSessionReused());
    end.end();
  });
  end.on('close', () => { if (left > 1) visit(left - 1); });
}
visit(3);
"""


def test_node_as_a_client(visited: Visited, pki: PKI, tmp_path: Path) -> None:
    node = program("node", "nodejs")
    script = tmp_path / "client.js"
    script.write_text(NODE_CLIENT)
    said = run(node, script, str(visited.port), pki.root)
    assert re.findall(r"reused (\w+)", said) == ["false", "true", "true"], said
    resumed_by_id(visited)


JAVA_CLIENT = """
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.io.FileInputStream;
import javax.net.ssl.*;

public class Client {
    public static void main(String[] a) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        trusted.setCertificateEntry("root", CertificateFactory.getInstance("X.509")
            .generateCertificate(new FileInputStream(a[1])));
        TrustManagerFactory f = TrustManagerFactory.getInstance("PKIX");
        f.init(trusted);
        SSLContext c = SSLContext.getInstance("TLS");
        c.init(null, f.getTrustManagers(), null);
        for (int i = 0; i < 3; i++) {
            SSLSocket s = (SSLSocket) c.getSocketFactory()
                .createSocket("localhost", Integer.parseInt(a[0]));
            s.startHandshake();
            s.getInputStream().read();
            s.close();
        }
    }
}
"""


def test_java_as_a_client(visited: Visited, pki: PKI, tmp_path: Path) -> None:
    java = program("java", "default-jre-headless")
    program("javac", "default-jdk-headless")
    script = tmp_path / "Client.java"
    script.write_text(JAVA_CLIENT)
    root = tmp_path / "root.pem"
    root.write_bytes(pki.root.read_bytes())
    said = run(java, "-Djava.net.preferIPv4Stack=true", script, str(visited.port), root)
    assert len(visited.outcomes) == 3, said
    resumed_by_id(visited)


# -- tlskit's client, and the servers of others ----------------------------------------------------


def visits(context: Any, port: int, times: int) -> list[bool]:
    """Which of so many connections resumed; each asks for a page and reads it to its end."""
    reused = []
    for _ in range(times):
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        with context.wrap_socket(plain, server_hostname="localhost") as end:
            end.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(OSError):
                while end.recv(65536):
                    pass
            reused.append(end.session_reused)
    return reused


NODE_SERVER = """
const tls = require('tls'), fs = require('fs');
const [cert, key, version] = process.argv.slice(2);
const server = tls.createServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key),
                                 maxVersion: version}, end => {
  end.on('error', () => {});
  end.once('data', () => end.end('HTTP/1.0 200 OK\\r\\n\\r\\nhello'));
});
server.listen(0, '127.0.0.1', () => console.log('listening on ' + server.address().port + '.'));
"""


@pytest.fixture
def client(pki: PKI, version: Any) -> Any:
    context = client_context(pki)
    only(version, context)
    context.sessions.resume = True
    return context


def test_node_as_a_server(client: Any, pki: PKI, version: Any, tmp_path: Path) -> None:
    """It sends no new ticket on a resumed connection."""
    node = program("node", "nodejs")
    script = tmp_path / "server.js"
    script.write_text(NODE_SERVER)
    name = "TLSv1.2" if version is TLS12 else "TLSv1.3"
    with running(node, script, pki.server.chain, pki.server.key, name) as process:
        port = int(process.expect(r"listening on (\d+)\.").group(1))
        assert visits(client, port, 6) == [False] + [True] * 5


def test_gnutls_as_a_server(client: Any, pki: PKI, version: Any) -> None:
    gnutls, port = program("gnutls-serv", "gnutls-bin"), free_port()
    with running(
        gnutls, "--http", "--port", str(port), "--x509certfile", pki.server.chain,
        "--x509keyfile", pki.server.key, "--disable-client-cert",
    ) as process:  # fmt: skip
        process.expect(r"listening on IPv4")
        wait_for(port)
        assert visits(client, port, 4) == [False] + [True] * 3


# -- ProFTPD ---------------------------------------------------------------------------------------


@pytest.fixture
def ftp_port(pki: PKI, tmp_path: Path) -> Iterator[int]:
    """A ProFTPD that demands that data connections resume their control connection's session."""
    found, port = program("proftpd", "proftpd-core and proftpd-mod-crypto"), free_port()
    modules = Path("/usr/lib/proftpd")
    if not (modules / "mod_tls.so").exists():
        pytest.skip("there is no mod_tls here: Debian's proftpd-mod-crypto")
    if os.getuid() != 0:
        pytest.skip("ProFTPD changes its user, which takes root")
    home = tmp_path / "files"
    home.mkdir()
    home.chmod(0o777)
    for parent in [tmp_path, *tmp_path.parents][:-2]:
        parent.chmod(parent.stat().st_mode | 0o755)
    key = tmp_path / "key.pem"
    key.write_bytes(pki.direct.key.read_bytes())
    key.chmod(0o600)
    settings = tmp_path / "proftpd.conf"
    settings.write_text(
        f"ModulePath {modules}\nLoadModule mod_tls.c\nServerName test\nServerType standalone\n"
        f"Port {port}\nDefaultAddress 127.0.0.1\nUseIPv6 off\nWtmpLog off\n"
        f"User nobody\nGroup nogroup\nPidFile {tmp_path}/pid\nDelayTable none\n"
        f"ScoreboardFile {tmp_path}/scoreboard\nAllowOverwrite on\nRequireValidShell off\n"
        f"AuthOrder mod_auth_unix.c\nUseFtpUsers off\n"
        f"<Anonymous {home}>\nUser nobody\nGroup nogroup\nUserAlias anonymous nobody\n"
        f"RequireValidShell off\n"
        f"<Limit ALL>\nAllowAll\n</Limit>\n</Anonymous>\n"
        f"TLSEngine on\nTLSRequired on\nTLSProtocol TLSv1.2 TLSv1.3\n"
        f"TLSECCertificateFile {pki.direct.chain}\nTLSECCertificateKeyFile {key}\n"
        f"TLSVerifyClient off\nTLSLog {tmp_path}/tls.log\n"
    )
    process = Process([found, "-n", "-c", settings])
    try:
        process.expect(r"STARTUP|started")
        wait_for(port)
        yield port
    finally:
        process.stop()


def test_proftpd(ftp_port: int, client: Any, tmp_path: Path) -> None:
    """It sends no ticket on an upload's data connection, and refuses those that do not resume."""
    with ftplib.FTP_TLS(context=client, timeout=20) as ftp:
        ftp.connect("127.0.0.1", ftp_port)
        ftp.host = "localhost"
        ftp.login("anonymous", "somebody@example.org")
        ftp.prot_p()
        for number in range(6):
            ftp.storbinary(f"STOR {number}", io.BytesIO(b"upload"))
        assert sorted(ftp.nlst()) == [str(number) for number in range(6)]
        got = io.BytesIO()
        ftp.retrbinary("RETR 5", got.write)
    assert got.getvalue() == b"upload"
    assert client.sessions.counters["resumed"] >= 7

"""Real servers for tests: redis, memcached, nginx and PostgreSQL, plain or with TLS, each a process
of its own on loopback.

    with servers.redis_server() as running:                     # plain: running.host, running.port,
    running.path with servers.redis_server(pki.server) as running:           # TLS on running.port;
    running.path stays plain

Each listens on a free port and on a unix socket in a folder of its own, keeps nothing, and is gone,
with its folder, at the end of the block, or with the process of the tests when that dies. Where
tests run as root it runs as somebody else. Without the program the test is skipped, and the reason
says which package (Debian's name) brings it.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .pki import Identity
from .processes import PATIENCE, Process
from .raw import until

_ATTEMPTS = (
    5  # to find a port that nobody takes in the moment between finding it and listening on it
)


@dataclass(frozen=True)
class Running:
    """A server that is ready.

    Attributes:
        host, port: its TCP address; with TLS where an identity was given.
        path: its unix socket, always without TLS (PostgreSQL: the folder that it lies in, which is
            what clients ask for).
        process: the program, for its output.
    """

    host: str
    port: int
    path: Path
    process: Process

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port


@contextlib.contextmanager
def redis_server(
    identity: Identity | None = None, *options: str | Path, kind: str = "redis"
) -> Iterator[Running]:
    """A `redis-server` (or `valkey-server`) that keeps nothing on disk; it knows no password."""
    program = _program(f"{kind}-server", f"{kind}-server")
    with _folder() as home:
        shown = _shown(identity, home)

        def command(port: int) -> Sequence[str | Path]:
            listening: tuple[str | Path, ...] = ("--port", str(port))
            if shown is not None:
                files = (
                    "--tls-cert-file",
                    shown.chain,
                    "--tls-key-file",
                    shown.key,
                    "--tls-ca-cert-file",
                    shown.chain,
                )
                listening = (
                    "--port",
                    "0",
                    "--tls-port",
                    str(port),
                    "--tls-auth-clients",
                    "no",
                    *files,
                )
            quiet = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", home)
            return [
                program,
                "--bind",
                "127.0.0.1",
                "--unixsocket",
                home / "socket",
                *listening,
                *quiet,
                *options,
            ]

        with _started(f"{kind}-server", command, r"eady to accept connections") as (port, process):
            yield Running("127.0.0.1", port, home / "socket", process)


@contextlib.contextmanager
def memcached_server(*options: str | Path) -> Iterator[Running]:
    """A `memcached`; it cannot listen on TCP and a unix socket at once, so `path` does not
    exist.
    """
    program = _program("memcached", "memcached")
    with _folder() as home:

        def command(port: int) -> Sequence[str | Path]:
            return [
                program,
                "-l",
                "127.0.0.1",
                "-p",
                str(port),
                "-U",
                "0",
                "-m",
                "16",
                "-v",
                "-v",
                *options,
            ]

        with _started("memcached", command, r"^<\d+ server listening") as (port, process):
            yield Running("127.0.0.1", port, home / "socket", process)


@contextlib.contextmanager
def nginx_server(
    identity: Identity, *directives: str, files: Sequence[Path] = ()
) -> Iterator[Running]:
    """An nginx that speaks TLS, and answers every request with what it knows of the session: `r`
    when it was resumed.

    `directives` are lines of its `server` block; `{home}` in them is a folder in which it finds
    copies of `files`. `path` does not exist.
    """
    program = _program("nginx", "nginx-light")
    with _folder() as home:
        shown = _shown(identity, home)
        assert shown is not None
        for file in files:
            _give(file, home)
        lines = (f"{line.replace('{home}', str(home))};" for line in directives)
        settings = home / "nginx.conf"

        def command(port: int) -> Sequence[str | Path]:
            places = (
                f"{kind}_temp_path {home}/temp;"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            answer = 'default_type text/plain; return 200 "$ssl_session_reused\\n";'
            listening = (
                f"listen 127.0.0.1:{port} ssl; ssl_certificate {shown.chain}; "
                f"ssl_certificate_key {shown.key};"
            )
            settings.write_text(
                f"daemon off; worker_processes 1; pid {home}/pid; error_log stderr notice; "
                f"events {{ }}\n"
                f"http {{ access_log off; {' '.join(places)}\nserver {{ {listening}\n{' '.join(lines)}\nlocation / {{ {answer} }} }} }}\n"
            )
            return [program, "-p", home, "-e", "stderr", "-c", settings]

        with _started("nginx", command, r"start worker process \d+") as (port, process):
            yield Running("127.0.0.1", port, home / "socket", process)


@contextlib.contextmanager
def postgres_server(
    identity: Identity | None = None, *settings: str, passwords: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A PostgreSQL whose user and database `tlskit` needs no password. `settings` are lines of its
    configuration; `passwords` makes further users, who come over TLS and prove theirs by SCRAM.
    """
    known = passwords or {}
    program, initdb = (
        _program("postgres", "postgresql").resolve(),
        _program("initdb", "postgresql").resolve(),
    )
    with _folder() as home:
        data, shown = home / "data", _shown(identity, home)
        settled = (
            "-U",
            "tlskit",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        )
        _run(home, initdb, "-D", data, *settled)
        lines = [
            f"unix_socket_directories = '{home}'",
            "listen_addresses = '127.0.0.1'",
            "fsync = off",
            "log_line_prefix = ''",
        ]
        if shown is not None:
            lines += [
                "ssl = on",
                f"ssl_cert_file = '{shown.chain}'",
                f"ssl_key_file = '{shown.key}'",
            ]
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{line}\n" for line in [*lines, *settings])
        access = data / "pg_hba.conf"
        proven = [f"hostssl all {user} 127.0.0.1/32 scram-sha-256\n" for user in known]
        access.write_text("".join(proven) + access.read_text())

        def command(port: int) -> Sequence[str | Path]:
            return [program, "-D", data, "-p", str(port)]

        with _started("postgres", command, r"database system is ready to accept connections") as (
            port,
            process,
        ):
            _run(
                home,
                initdb.with_name("createdb"),
                "-h",
                home,
                "-p",
                str(port),
                "-U",
                "tlskit",
                "tlskit",
            )
            asked = (initdb.with_name("psql"), "-h", home, "-p", str(port), "-U", "tlskit")
            for user, password in known.items():
                _run(home, *asked, "-c", f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
            yield Running("127.0.0.1", port, home, process)


@contextlib.contextmanager
def redis_sentinel(master: Running, name: str, kind: str = "redis") -> Iterator[Running]:
    """A Sentinel that watches this master, alone, and replaces it when it has been silent for half
    a second. `path` does not exist.
    """
    program = _program(f"{kind}-server", f"{kind}-server")
    with _folder() as home:
        settings = home / "sentinel.conf"  # which it rewrites

        def command(port: int) -> Sequence[str | Path]:
            lines = (
                f"bind 127.0.0.1\nport {port}\ndir {home}",
                f"sentinel monitor {name} 127.0.0.1 {master.port} 1",
                f"sentinel down-after-milliseconds {name} 500",
                f"sentinel failover-timeout {name} 5000\n",
            )
            settings.write_text("\n".join(lines))
            if user := _nobody():
                os.chown(settings, user.pw_uid, user.pw_gid)
            return [program, settings, "--sentinel"]

        with _started(f"{kind}-sentinel", command, r"\+monitor master") as (port, process):
            yield Running("127.0.0.1", port, home / "socket", process)


@contextlib.contextmanager
def redis_cluster(kind: str = "redis") -> Iterator[list[Running]]:
    """Three masters and a replica of each, as `redis-cli --cluster create` makes a cluster of
    them; a master that is silent for a second is replaced.
    """
    tool = _program(f"{kind}-cli", f"{kind}-tools")
    with contextlib.ExitStack() as stack:
        nodes = []
        for _ in range(6):
            with socket.create_server(("127.0.0.1", 0)) as reserved:
                bus = reserved.getsockname()[1]
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus),
                       "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0",
                       "--repl-diskless-sync-delay", "0")  # fmt: skip
            nodes.append(stack.enter_context(redis_server(None, *options, kind=kind)))
        addresses = [f"127.0.0.1:{node.port}" for node in nodes]
        settled = ("--cluster-replicas", "1", "--cluster-yes")
        _run(Path("/"), tool, "--cluster", "create", *addresses, *settled)

        def ready(node: Running) -> bool:
            asked = [tool, "-p", str(node.port), "cluster", "info"]
            return (
                b"cluster_state:ok" in subprocess.run(asked, check=True, capture_output=True).stdout
            )

        until(lambda: all(map(ready, nodes)), 3 * PATIENCE)
        yield nodes


def _program(name: str, package: str) -> Path:
    """Where a program is, or skip the test."""
    places = [
        shutil.which(name),
        *sorted(glob.glob(f"/usr/lib/{package}/*/bin/{name}"), reverse=True),
        shutil.which(f"/usr/sbin/{name}"),
    ]
    for place in places:
        if place is not None:
            return Path(place)
    pytest.skip(f"{name} is not on this machine (Debian's package: {package})")


def _nobody() -> Any:
    """Whom the servers run as, as pwd has it; None for the user of the tests. PostgreSQL refuses to
    run as root.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd  # Windows has no such module

    return pwd.getpwnam("nobody")


def _as_nobody() -> list[str]:
    """What a command begins with so that it runs as `_nobody`, and ends when the tests end in
    whatever way (Linux).
    """
    setpriv, user = shutil.which("setpriv"), _nobody()
    if setpriv is None:
        if user is not None:
            pytest.skip(
                "servers are not run as root, and there is no setpriv (Debian's package: "
                "util-linux)"
            )
        return []
    change = (
        []
        if user is None
        else [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    )
    return [setpriv, *change, "--pdeathsig=INT"]


def _run(home: Path, *command: str | Path) -> None:
    """Run a program to its end, as `_nobody`."""
    subprocess.run(
        [*_as_nobody(), *command],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        cwd=home,
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder of the server's own, with a path short enough for unix sockets."""
    home = Path(tempfile.mkdtemp(prefix="tlskit-"))
    try:
        if user := _nobody():
            os.chown(home, user.pw_uid, user.pw_gid)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _shown(identity: Identity | None, home: Path) -> Identity | None:
    """The identity as files that the server may read."""
    if identity is None:
        return None
    return Identity(*(_give(file, home) for file in (identity.chain, identity.key, identity.both)))


def _give(file: Path, home: Path) -> Path:
    """A copy of a file that the server may read."""
    copy, user = home / file.name, _nobody()
    shutil.copyfile(file, copy)
    copy.chmod(0o600)
    if user is not None:
        os.chown(copy, user.pw_uid, user.pw_gid)
    return copy


@contextlib.contextmanager
def _started(
    name: str, command: Callable[[int], Sequence[str | Path]], ready: str
) -> Iterator[tuple[int, Process]]:
    """Start a server on a free port, and wait until it says that it is ready."""
    for attempt in range(_ATTEMPTS):
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        process = Process([*_as_nobody(), *command(port)], name=name)
        try:
            process.expect(ready, 3 * PATIENCE)
        except AssertionError:
            process.stop(signal.SIGINT)
            if attempt + 1 == _ATTEMPTS or not any(
                word in process.output for word in ("in use", "Failed listening")
            ):
                raise
            continue
        except BaseException:
            process.stop(signal.SIGINT)
            raise
        try:
            yield port, process
        finally:
            process.stop(signal.SIGINT)  # for PostgreSQL: at once, without waiting for its clients
        return

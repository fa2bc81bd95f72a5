"""The command line: `tlskit demo`, `tlskit connect HOST[:PORT]`, `tlskit doctor HOST[:PORT]`,
`tlskit sessions list|show|purge STORE` and `tlskit info`.

Exit status: 0 on success; 1 if something failed, with a sentence on standard error; 2 if the
command line itself was wrong, or something is not installed. A server that does not resume counts
as success.
"""

from __future__ import annotations

import argparse
import errno
import os
import string
import sys
from collections.abc import Sequence

from .. import OPENSSL_VERSION, __version__
from .._shown import may_be_key
from ..enums import TLSVersion
from . import (
    checkup,
    connect,
    demo,
    doctor,
    info,
    output,
    places,
    report,
    sessions,
    starttls,
)
from .blocks import printable
from .failure import FAILED, MISUSED, Failure
from .target import Target, target

__all__ = ["main"]

_DIGITS = frozenset(string.hexdigits)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the arguments after the program's name; `sys.argv` by default.

    Returns:
        The exit status.

    Raises:
        SystemExit: argparse ended the program: a usage error, `--help`, `--version`.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if (number := _key_among(given)) is not None:
        return _complain(Failure(
            f"Argument {number} may be a private key: give the path of its file instead.",
            status=MISUSED,
        ))  # fmt: skip
    asked = _parser().parse_args(arguments)
    try:
        try:
            status = _COMMANDS[asked.command](asked)
        except Failure as failure:
            if asked.json:
                output.write_json(report.failure_json(failure), sys.stdout)
            status = _complain(failure)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130  # what a shell reports for a process that SIGINT ended
    except OSError as error:
        if not _is_broken_pipe(error):
            raise
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # so that the interpreter does not complain at its end
        return FAILED


def _is_broken_pipe(error: OSError) -> bool:
    """Return whether nobody reads the output any more. Windows calls that an invalid argument."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def _demo(asked: argparse.Namespace) -> int:
    with output.progress(sys.stderr) as step:
        outcome = demo.run(step)
    if asked.json:
        output.write_json(report.demo_json(outcome), sys.stdout)
    else:
        output.write(report.demo_layout(outcome), sys.stdout)
    return _complain(Failure(outcome.complaint)) if outcome.complaint is not None else 0


def _connect(asked: argparse.Namespace) -> int:
    order = connect.Order(
        host=asked.server.host,
        port=asked.server.port,
        starttls=asked.starttls or asked.server.starttls,
        groups=asked.groups,
        ciphers=asked.ciphers,
        server_name=asked.server_name,
        cafile=asked.cafile,
        insecure=asked.insecure,
        alpn=asked.alpn,
        lowest=asked.min,
        highest=asked.max,
        timeout=asked.timeout,
        store=asked.store,
        secret_file=asked.secret_file,
    )
    outcome = connect.run(order)
    if asked.json:
        output.write_json(report.connect_json(outcome), sys.stdout)
    else:
        output.write(report.connect_layout(outcome), sys.stdout)
    return _complain(outcome.failed) if outcome.failed is not None else 0


def _doctor(asked: argparse.Namespace) -> int:
    order = connect.Order(
        host=asked.server.host,
        port=asked.server.port,
        starttls=asked.starttls or asked.server.starttls,
        server_name=asked.server_name,
        cafile=asked.cafile,
        timeout=asked.timeout,
    )
    found = doctor.run(order)
    if asked.json:
        output.write_json(checkup.as_json(found), sys.stdout)
    else:
        output.write(checkup.layout(found), sys.stdout)
    return 0 if found.healthy else FAILED


def _sessions(asked: argparse.Namespace) -> int:
    order = sessions.Order(asked.store, asked.secret_file, asked.prefix)
    if asked.action == "purge":
        removal = sessions.purged(order, everything=asked.all, sure=asked.yes)
        if asked.json:
            output.write_json(report.removal_json(removal), sys.stdout)
        else:
            output.write(report.removal_layout(removal), sys.stdout)
        return 0
    whole = asked.action == "show"
    listing = sessions.found(order, asked.key) if whole else sessions.listing(order, asked.limit)
    if asked.json:
        output.write_json(report.listing_json(listing, whole=whole), sys.stdout)
    else:
        output.write((report.found_layout if whole else report.listing_layout)(listing), sys.stdout)
    return _complain(listing.failed) if listing.failed is not None else 0


def _info(asked: argparse.Namespace) -> int:
    found = info.gather()
    if asked.json:
        output.write_json(info.as_json(found), sys.stdout)
    else:
        output.write(info.layout(found), sys.stdout)
    return 0


_COMMANDS = {
    "demo": _demo,
    "connect": _connect,
    "doctor": _doctor,
    "sessions": _sessions,
    "info": _info,
}


def _complain(failure: Failure) -> int:
    sys.stdout.flush()
    print(f"tlskit: {printable(failure.sentence)}", file=sys.stderr)
    return failure.status


# -- arguments -------------------------------------------------------------------------------------


def _key_among(arguments: Sequence[str]) -> int | None:
    """Return the number of an argument that must not be repeated in a message, counting from 1."""
    for number, argument in enumerate(arguments, 1):
        is_stored = "show" in arguments and not set(argument) - _DIGITS  # an entry, and no secret
        if not is_stored and any(map(may_be_key, (argument, argument.partition("=")[2]))):
            return number
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tlskit", description="Examine TLS servers, sessions and this installation."
    )
    parser.add_argument(
        "--version", action="version", version=f"tlskit {__version__} ({OPENSSL_VERSION})"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    showing = commands.add_parser(
        "demo",
        help="show sessions being resumed on this machine, by two processes",
        description="Start a TLS server on the loopback interface, with certificates made for "
        "this run. Make a full handshake, resume its session, write the session to a file, and "
        "resume it in a second process; with TLS 1.3 and with TLS 1.2.",
    )
    showing.add_argument("--json", action="store_true", help="write one JSON document")

    asking = commands.add_parser(
        "connect",
        help="describe a connection to a TLS server, and whether it can be resumed",
        description="Connect to a TLS server and show what was negotiated. Then connect again with "
        "the session of the first connection, and show whether it was resumed or why not.",
    )
    _place(asking)
    trust = asking.add_mutually_exclusive_group()
    trust.add_argument(
        "--cafile", metavar="FILE", help="trust these authorities (PEM) instead of the machine's"
    )
    trust.add_argument(
        "--insecure", action="store_true", help="verify neither the certificate nor the name"
    )
    asking.add_argument(
        "--groups", metavar="LIST", help="offer only these groups, for example X25519,P-256"
    )
    asking.add_argument("--ciphers", metavar="LIST", help="offer only these cipher suites")
    asking.add_argument(
        "--alpn",
        type=_words,
        default=(),
        metavar="LIST",
        help="offer these application protocols, for example h2,http/1.1",
    )
    versions = ", ".join(connect.VERSIONS)
    asking.add_argument(
        "--min", type=_version, metavar="VERSION", help=f"lowest protocol version: {versions}"
    )
    asking.add_argument("--max", type=_version, metavar="VERSION", help="highest protocol version")
    asking.add_argument(
        "--store",
        metavar="STORE",
        help=(
            "resume sessions from this store and keep new ones in it: a file, redis://HOST, "
            "memcached://HOST"
        ),
    )
    _secret_file(asking)

    examining = commands.add_parser(
        "doctor",
        help="report what is wrong with a TLS server, and what to do about it",
        description="Examine a TLS server with one or two dozen connections: its chain as it is "
        "sent and as it should be, dates, names, protocol versions, groups, resumption, and what a "
        "stricter Python would refuse. The exit status is 1 if there is a problem.",
    )
    _place(examining)
    examining.add_argument(
        "--cafile", metavar="FILE", help="trust these authorities (PEM) instead of the machine's"
    )

    keeping = commands.add_parser(
        "sessions",
        help="list, show or remove the sessions in a store",
        description="List, show or remove the sessions in a store. STORE is an SQLite file, or "
        "redis://HOST:PORT/DB, rediss:// (the same with TLS), "
        f"unix:///PATH. The secret that it is sealed with is read from --secret-file, from the "
        f"variable {places.ENVIRONMENT}, or from "
        "the file beside the SQLite file. It is in hexadecimal digits; several are tried in "
        "turn. Redis's password is read from "
        f"{places.PASSWORD} where the URL has none.",
    )
    actions = keeping.add_subparsers(dest="action", required=True, metavar="ACTION")
    lists = actions.add_parser(
        "list",
        help="list the entries, one on each line",
        description="List the entries of a store. No secrets are shown.",
    )
    shows = actions.add_parser(
        "show",
        help="show everything about one entry",
        description="Show everything that was negotiated. No secrets are shown.",
    )
    drops = actions.add_parser(
        "purge",
        help="remove what has expired",
        description="Remove what has expired, or everything.",
    )
    for action in (lists, shows, drops):
        action.add_argument("store", metavar="STORE", help="a file, or a URL")
        if action is shows:
            action.add_argument(
                "key",
                type=_digits,
                metavar="KEY",
                help="the first digits of its key, as `list` shows it",
            )
        if action is lists:
            action.add_argument(
                "--limit",
                type=_positive,
                default=1000,
                metavar="N",
                help="list at most N entries (default: 1000)",
            )
        if action is drops:
            action.add_argument(
                "--all",
                action="store_true",
                help="also remove sessions that have not expired; asks first",
            )
            action.add_argument("--yes", action="store_true", help="do not ask")
        _secret_file(action)
        action.add_argument(
            "--prefix",
            default=places.PREFIX,
            help=f"the prefix of the keys in Redis (default: {places.PREFIX})",
        )
        action.add_argument("--json", action="store_true", help="write one JSON document")

    telling = commands.add_parser(
        "info",
        help="show which OpenSSL is in use, its features, and what it finds on this machine",
        description="Show which OpenSSL is in use, where it comes from, its features, the loaded "
        "providers, where trusted authorities were looked for and found, and which stores and "
        "extras can be used. Include this in a bug report.",
    )
    telling.add_argument("--json", action="store_true", help="write one JSON document")
    return parser


def _place(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `connect` and `doctor` share."""
    parser.add_argument(
        "server",
        type=_server,
        metavar="HOST[:PORT]",
        help="a name, an address (IPv6 as [::1]:443), or a URL; port 443 by default",
    )
    parser.add_argument(
        "--server-name", metavar="NAME", help="send and verify this name instead of HOST"
    )
    parser.add_argument(
        "--starttls",
        choices=starttls.PROTOCOLS,
        metavar="PROTOCOL",
        help=f"start TLS within this protocol: {', '.join(starttls.PROTOCOLS)}",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="seconds for each connection and each handshake (default: 10)",
    )
    parser.add_argument("--json", action="store_true", help="write one JSON document")


def _secret_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--secret-file",
        metavar="FILE",
        help=f"the store's secret; by default in the variable {places.ENVIRONMENT}",
    )


def _digits(text: str) -> str:
    if not text or not set(text) <= _DIGITS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the beginning of a key, in hexadecimal digits"
        )
    return text.lower()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _server(text: str) -> Target:
    try:
        return target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _version(text: str) -> TLSVersion:
    try:
        return connect.VERSIONS[text.lower().removeprefix("tlsv").removeprefix("tls")]
    except KeyError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one of {', '.join(connect.VERSIONS)}"
        ) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds

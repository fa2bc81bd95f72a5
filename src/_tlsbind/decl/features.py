"""The table of features that not every OpenSSL has.

A row contains a feature's name, the condition under which C has it, a description of the versions
that have it, and its OpenSSL functions. Two things are generated from it:

- `csrc/tk_features.h` (by tools/features.py): the flags TK_HAS_..., and, for an OpenSSL that lacks
  a function, a replacement that fails, so that the helpers can call it unconditionally;
- the table behind `_tlsbind.FEATURES`, which Python uses to report what is missing instead of
  calling a replacement.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Feature(NamedTuple):
    """A row.

    Attributes:
        name: under TK_HAS_ in C, and in `_tlsbind.FEATURES`.
        condition: for the C preprocessor, where OpenSSL's headers have been read.
        since: what has it, as the end of "this requires ...".
        functions: "name(parameters)" of what comes with it; the stand-in's value is 0, unless " ->
            value" says otherwise.
    """

    name: str
    condition: str
    since: str
    functions: tuple[str, ...] = ()


def version(major: int, minor: int) -> str:
    """Return the condition that OpenSSL is at least this version."""
    return f"OPENSSL_VERSION_NUMBER >= {major << 28 | minor << 20:#x}L"


FEATURES = [
    Feature("TLS1", "!defined(OPENSSL_NO_TLS1)", "an OpenSSL that was built with TLS 1.0"),
    Feature("TLS1_1", "!defined(OPENSSL_NO_TLS1_1)", "an OpenSSL that was built with TLS 1.1"),
    Feature("TLS1_2", "!defined(OPENSSL_NO_TLS1_2)", "an OpenSSL that was built with TLS 1.2"),
    Feature("TLS1_3", "!defined(OPENSSL_NO_TLS1_3)", "an OpenSSL that was built with TLS 1.3"),
    Feature(
        "SSL3",
        f"!defined(OPENSSL_NO_SSL3) && !({version(4, 0)})",
        "an OpenSSL before 4.0 that was built with SSL 3.0",
    ),
    Feature(
        "PSK",
        "!defined(OPENSSL_NO_PSK)",
        "an OpenSSL that was built with pre-shared keys",
        (
            "SSL_CTX_set_psk_client_callback(ctx, callback) -> (void)0",
            "SSL_CTX_set_psk_server_callback(ctx, callback) -> (void)0",
            "SSL_CTX_set_psk_use_session_callback(ctx, callback) -> (void)0",
            "SSL_CTX_set_psk_find_session_callback(ctx, callback) -> (void)0",
            "SSL_CTX_use_psk_identity_hint(ctx, hint)",
            "SSL_get_psk_identity(ssl) -> NULL",
        ),
    ),
    Feature(
        "SIGALG_LIST",
        version(3, 4),
        "OpenSSL 3.4 or later",
        ("SSL_get1_builtin_sigalgs(library) -> NULL",),
    ),
    Feature(
        "GROUP_LIST",
        version(3, 5),
        "OpenSSL 3.5 or later",
        ("SSL_CTX_get0_implemented_groups(ctx, aliases, out)",),
    ),
    Feature(
        "HANDSHAKE_RTT", version(3, 2), "OpenSSL 3.2 or later", ("SSL_get_handshake_rtt(ssl, rtt)",)
    ),
    Feature(
        "ECH",
        f"!defined(OPENSSL_NO_ECH) && {version(4, 0)}",
        "OpenSSL 4.0 or later that was built with Encrypted ClientHello",
    ),
    Feature(
        "SIGALG_NAMES",
        version(3, 5),
        "OpenSSL 3.5 or later",
        ("SSL_get0_signature_name(ssl, out)", "SSL_get0_peer_signature_name(ssl, out)"),
    ),
]


def header() -> str:
    """Return the text of csrc/tk_features.h."""
    return HEAD + "\n".join(map(_flag, FEATURES)) + "\n#endif\n"


def table() -> str:
    """Return C source of the table that tk_features() reads."""
    rows = "".join(f'    {{ "{f.name}", TK_HAS_{f.name}, "{f.since}" }},\n' for f in FEATURES)
    return "const tk_feature tk_feature_table[] = {\n" + rows + "    { NULL, 0, NULL }\n};\n"


HEAD = """/* Made by tools/features.py from decl/features.py: do not edit. */
#ifndef TK_FEATURES_H
#define TK_FEATURES_H

"""


def _flag(feature: Feature) -> str:
    name = f"TK_HAS_{feature.name}"
    missing = "".join(map(_stand_in, feature.functions))
    return f"#if {feature.condition}\n#define {name} 1\n#else\n#define {name} 0\n{missing}#endif\n"


def _stand_in(function: str) -> str:
    """Return a macro that evaluates its arguments, so that the compiler sees them used."""
    call, _, value = function.partition(" -> ")
    found = re.fullmatch(r"\w+\((.*)\)", call)
    assert found, function
    looked_at = "".join(f"(void)({name}), " for name in found.group(1).split(", "))
    line = f"#define {call} ({looked_at}{value or 0})"
    return (line if len(line) <= 100 else line.replace(") (", ") \\\n    (", 1)) + "\n"

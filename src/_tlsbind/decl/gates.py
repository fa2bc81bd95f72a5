"""Generate C source that counts each call of the border in and out, so that forks can wait for them
(csrc/tk_fork.c).

A call that is not counted may hold a lock of libcrypto's at the moment of a fork, and the child
would wait for that lock for ever. So every function is counted here, around its whole call, with
two exceptions: operations that may wait for a peer or for Python, which count themselves in and out
internally, and those that may wait for something else.
"""

from __future__ import annotations

import re

#: Prefixes of functions that count themselves: they take the lock of a connection or a queue.
THEMSELVES = ("tk_conn_", "tk_stream_", "tk_mem_")
#: These may wait for a file system or a reader of a pipe, and hold no lock meanwhile; they end
#: before a fork is possible; or they read or set a flag.
NEVER = (
    "tk_file_", "tk_keylog_new", "tk_init", "tk_wipe",
    "tk_conn_report_sessions", "tk_conn_set_over", "tk_conn_is_over",
)  # fmt: skip

_DECLARATION = re.compile(r"(?P<type>[\w ]+?[ *]+)(?P<name>tk_\w+)\((?P<given>[^()]*)\)\Z")
_PARAMETER = re.compile(r"(?P<type>.+[ *])(?P<name>\w+)\Z")


def declared(border: str) -> list[tuple[str, str, str]]:
    """Return the functions of the border: the return type, name and parameters of each."""
    text = re.sub(r"/\*.*?\*/", "", border, flags=re.DOTALL)
    text = re.sub(r'extern "Python\+C" \{.*?\n\}', "", text, flags=re.DOTALL)
    text = re.sub(r"\{[^{}]*\}", "", text)
    found = []
    for statement in (" ".join(part.split()) for part in text.split(";")):
        if "(" not in statement:
            continue
        match = _DECLARATION.match(statement)
        if match is None:
            raise ValueError(f"this is not how the border declares a function: {statement}")
        found.append((match["type"].strip(), match["name"], match["given"]))
    return found


def is_gated(name: str) -> bool:
    """Return whether calls of this function are counted here."""
    return not name.startswith((*THEMSELVES, *NEVER))


def table(border: str) -> str:
    """Return the source: after it, each name means the function with its gate."""
    functions = [row for row in declared(border) if is_gated(row[1])]
    gates = [_gate(*row) for row in functions]
    names = [f"#define {name} tk_gated_{name[3:]}\n" for _, name, _ in functions]
    return '#include "tk_fork.h"\n' + "".join(gates) + "".join(names)


def _gate(returned: str, name: str, given: str) -> str:
    taken = [] if given == "void" else [p.strip() for p in given.split(",")]
    names, first = [], "NULL"
    for parameter in taken:
        match = _PARAMETER.match(parameter)
        if match is None:
            raise ValueError(f"{name}: a parameter without a name: {parameter}")
        names.append(match["name"])
        if first == "NULL" and match["type"].rstrip().endswith("*"):
            first = match["name"]
    call = f"{name}({', '.join(names)});"
    if returned == "void":
        body = [f"tk_fork_enter({first});", call, f"tk_fork_leave({first});"]
    else:
        body = [f"{returned} result;", f"tk_fork_enter({first});", f"result = {call}"]
        body += [f"tk_fork_leave({first});", "return result;"]
    lines = "".join(f"    {line}\n" for line in body)
    return f"static inline {returned} tk_gated_{name[3:]}({given})\n{{\n{lines}}}\n"

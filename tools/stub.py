"""Write src/_tlsbind/_native.pyi, the type stub of the compiled module, from the border headers
csrc/tk_api*.h.

    python tools/stub.py           write it
    python tools/stub.py --check   only check whether it is up to date

Numbers are `int`, what C reads is `bytes` or cffi's data, and each struct of the header is a class
with its fields, so that handles of different kinds cannot be mixed up. Only what OpenSSL and cffi
leave untyped is `Any`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pycparser import c_ast, c_parser  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "src" / "_tlsbind" / "csrc"
HEADERS = [CSRC / "tk_api.h", *sorted(CSRC.glob("tk_api_*.h"))]
STUB = ROOT / "src" / "_tlsbind" / "_native.pyi"

NUMBERS = {
    "int",
    "long",
    "unsigned",
    "short",
    *(f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "size_t",
}

HEAD = '''"""The compiled module: made by tools/stub.py from csrc/tk_api*.h. Do not edit."""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, overload, type_check_only

_T = TypeVar("_T")
_P = TypeVar("_P", bound=CData)
_F = TypeVar("_F", bound=Callable[..., object])

@type_check_only
class CData:
    """A pointer, a struct or an array of C. The classes below exist only here: at run time all are cffi's CData."""

    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def __setitem__(self, index: Any, value: Any, /) -> None: ...

@type_check_only
class Array(CData, Generic[_T]):
    def __getitem__(self, index: int, /) -> _T: ...

@type_check_only
class Buffer:
    def __len__(self) -> int: ...
    def __getitem__(self, index: int | slice, /) -> bytes: ...
    def __setitem__(self, index: int | slice, value: bytes, /) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

'''

FFI = '''@type_check_only
class FFI:
    """As much of cffi's FFI as is used."""

    NULL: Any
    error: type[Exception]
{overloads}
    @overload
    def new(self, cdecl: str, init: Any = ..., /) -> CData: ...
    def typeof(self, cdecl: str) -> CData: ...
    def sizeof(self, cdecl: CData, /) -> int: ...
    def new_allocator(self, *, should_clear_after_alloc: bool = ...) -> Callable[..., CData]: ...
    def release(self, cdata: CData, /) -> None: ...
    def gc(self, cdata: _P, destructor: Callable[[_P], object], /) -> _P: ...
    def buffer(self, cdata: CData, size: int = ..., /) -> Buffer: ...
    @overload
    def from_buffer(self, data: object, /) -> CData: ...
    @overload
    def from_buffer(self, cdecl: str, data: object, /, require_writable: bool = ...) -> CData: ...
    def string(self, cdata: CData, maxlen: int = ..., /) -> bytes: ...
    def cast(self, cdecl: str | CData, value: CData | int, /) -> CData: ...
    def new_handle(self, value: object, /) -> CData: ...
    def from_handle(self, handle: CData, /) -> Any: ...
    def def_extern(self, *, name: str = ..., error: int = ...) -> Callable[[_F], _F]: ...

'''

NEW = """    @overload
    def new(self, cdecl: Literal["{name} *"], init: Any = ..., /) -> {name}: ..."""

TAIL = """ffi: FFI
lib: Lib
"""


class Stub:
    """The header's declarations, sorted by how the stub shows them."""

    def __init__(self, header: str) -> None:
        self.structs: dict[str, list[tuple[str, str]]] = {}  # no fields: opaque
        self.constants: list[str] = []
        self.functions: list[str] = []
        for node in parsed(header).ext:
            if isinstance(node, c_ast.Typedef):
                self.structs[node.name] = [
                    (f.name, self.field(f.type)) for f in node.type.type.decls or []
                ]
            elif isinstance(node.type, c_ast.Enum):
                self.constants += [entry.name for entry in node.type.values.enumerators]
            else:
                self.functions.append(self.function(node))

    def field(self, node: c_ast.Node) -> str:
        if isinstance(node, c_ast.ArrayDecl):
            inner = " ".join(node.type.type.names)
            return f"Array[{inner}]" if inner in self.structs else "CData"
        return self.result(node)

    def function(self, node: c_ast.Decl) -> str:
        given = [p for p in node.type.args.params if not is_void(p.type)] if node.type.args else []
        parameters = "".join(f", {p.name}: {self.parameter(p.type)}" for p in given)
        return (
            f"def {node.name}(self{parameters}{', /' if given else ''}) -> "
            f"{self.result(node.type.type)}: ..."
        )

    def parameter(self, node: c_ast.Node) -> str:
        kind = self.result(node)
        readable = isinstance(node, c_ast.PtrDecl) and "const" in node.type.quals
        return "bytes | CData" if kind == "CData" and readable else kind

    def result(self, node: c_ast.Node) -> str:
        if is_void(node):
            return "None"
        if isinstance(node, c_ast.PtrDecl):
            inner = node.type
            name = " ".join(inner.type.names) if isinstance(inner, c_ast.TypeDecl) else ""
            return name if name in self.structs else "CData"
        name = " ".join(node.type.names)
        if not set(name.split()) <= NUMBERS:
            raise SystemExit(
                f"tools/stub.py: {name} in tk_api.h is not a kind of number that this program knows"
            )
        return "int"

    def text(self) -> str:
        filled = [name for name, fields in self.structs.items() if fields]
        overloads = "\n".join(NEW.format(name=name) for name in filled)
        return "".join(
            [
                HEAD,
                *(struct(name, fields) for name, fields in self.structs.items()),
                FFI.format(overloads=overloads),
                '@type_check_only\nclass Lib:\n    """The functions and constants of tk_api*.h."""\n\n',
                *(f"    {name}: int\n" for name in self.constants),
                *(f"    {line}\n" for line in self.functions),
                "\n",
                TAIL,
            ]
        )


def struct(name: str, fields: list[tuple[str, str]]) -> str:
    if not fields:
        return f"@type_check_only\nclass {name}(CData): ...\n\n"
    return (
        f"@type_check_only\nclass {name}(CData):\n"
        + "".join(f"    {field}: {kind}\n" for field, kind in fields)
        + "\n"
    )


def is_void(node: c_ast.Node) -> bool:
    return (
        isinstance(node, c_ast.TypeDecl)
        and isinstance(node.type, c_ast.IdentifierType)
        and node.type.names == ["void"]
    )


def parsed(header: str) -> c_ast.FileAST:
    """Return the header's tree, without comments and the system's own types."""
    known = "".join(f"typedef int {name};" for name in sorted(NUMBERS) if name.endswith("_t"))
    tree = c_parser.CParser().parse(known + re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL))
    tree.ext = [node for node in tree.ext if getattr(node, "name", None) not in NUMBERS]
    return tree


def main() -> int:
    wanted = Stub("\n".join(header.read_text(encoding="utf-8") for header in HEADERS)).text()
    if "--check" not in sys.argv[1:]:
        STUB.write_text(wanted, encoding="utf-8")
    elif not STUB.exists() or STUB.read_text(encoding="utf-8") != wanted:
        print(
            "src/_tlsbind/_native.pyi is not what csrc/tk_api*.h say: run `python tools/stub.py`",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

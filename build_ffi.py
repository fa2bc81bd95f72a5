"""Builds `_tlsbind._native`: finds OpenSSL, gives cffi the border header, and compiles the C
helpers into one extension.

Where OpenSSL is looked for, in this order: the environment variable OPENSSL_DIR (a prefix with
include/ and lib/), pkg-config, the compiler's default paths. OPENSSL_STATIC=1 links libssl.a and
libcrypto.a into the extension. One sentence names everything that the build needs and lacks.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple, NoReturn

from cffi import FFI

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "src" / "_tlsbind"))
from decl import constants, features, gates, names  # noqa: E402  (build-only text beside the package, found by the line above)

OLDEST = (3, 0)
CSRC = Path("src", "_tlsbind", "csrc")
DIRECT = Path("src", "_tlsbind", "direct")  # in the language of CPython's API, for CPython alone
BREW = tuple(
    Path(prefix, "opt", "openssl@3", "include") for prefix in ("/opt/homebrew", "/usr/local")
)


class Need(NamedTuple):
    """Something that the build cannot do without, and the packages that have it."""

    what: str
    debian: str
    fedora: str
    homebrew: str


COMPILER = Need("a C compiler", "gcc libc6-dev", "gcc", "gcc")
PYTHON_HEADERS = Need("Python's headers", "python3-dev", "python3-devel", "python@3")
OPENSSL_HEADERS = Need("OpenSSL's headers", "libssl-dev", "openssl-devel", "openssl@3")


class OpenSSL(NamedTuple):
    """Where the OpenSSL to build against is, and what links it."""

    include: Path
    library_dirs: list[str]
    libraries: list[str]
    link_args: list[str]


def fail(sentence: str) -> NoReturn:
    raise SystemExit(f"tlskit: {sentence}")


def fail_for(needs: list[Need]) -> NoReturn:
    """Name all that is missing, and the packages that have it."""
    *most, last = [need.what for need in needs]
    things = f"{', '.join(most)} and {last}" if most else last
    debian, fedora, homebrew = (" ".join(names) for names in list(zip(*needs, strict=True))[1:])
    otherwise = (
        ", or set OPENSSL_DIR to the prefix of OpenSSL 3.0 or later"
        if OPENSSL_HEADERS in needs
        else ""
    )
    them = "it" if needs == [COMPILER] else "them"
    fail(
        f"building needs {things}, not found here: install {them} "
        f"(Debian, Ubuntu: apt install {debian}; Fedora: dnf install {fedora}; "
        f"Homebrew: brew install {homebrew}){otherwise}."
    )


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def preprocesses(program: str) -> bool:
    """Whether there is a compiler that gets as far as the C library's headers."""
    command = [*compiler(), "-E", "-xc", "-"]
    try:
        return (
            subprocess.run(
                command, input=program, capture_output=True, text=True, check=False
            ).returncode
            == 0
        )
    except OSError:
        return False


def missing() -> list[Need]:
    """What the build lacks, OpenSSL aside. On Windows, setuptools looks for the compiler."""
    if sys.platform == "win32":
        return []
    needs = [] if preprocesses("#include <stdio.h>\n") else [COMPILER]
    headers = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    if not any(Path(folder, "Python.h").exists() for folder in headers if folder):
        needs.append(PYTHON_HEADERS)
    return needs


def pkg_config(*args: str) -> list[str] | None:
    program = os.environ.get("PKG_CONFIG") or shutil.which("pkg-config") or shutil.which("pkgconf")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *args, "openssl"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return shlex.split(done.stdout) if done.returncode == 0 else None


def from_prefix(prefix: Path) -> OpenSSL:
    """The OpenSSL in OPENSSL_DIR. A shared one is found again at run time, wherever it is."""
    include, multiarch = prefix / "include", sysconfig.get_config_var("MULTIARCH") or ""
    if not (include / "openssl" / "opensslv.h").exists():
        fail(
            f"OPENSSL_DIR is {prefix}, but there is no include/openssl/opensslv.h in it: it must "
            f"be the prefix of an installed OpenSSL."
        )
    check_version(include)
    places = [
        prefix / "lib64",
        prefix / "lib",
        prefix / "lib" / multiarch,
        prefix / "lib" / "VC" / "x64" / "MD",
    ]
    dirs = list(dict.fromkeys(str(d) for d in places if any(d.glob("libssl.*"))))
    if not dirs:
        fail(
            f"OPENSSL_DIR is {prefix}, and its headers are there, but there is no libssl in lib "
            f"or lib64."
        )
    found = with_libraries(include, dirs)
    if sys.platform == "win32" or "ssl" not in found.libraries:
        return found
    return found._replace(link_args=[f"-Wl,-rpath,{d}" for d in dirs])


def with_libraries(include: Path, library_dirs: list[str]) -> OpenSSL:
    if sys.platform == "win32":
        system = ["ws2_32", "crypt32", "advapi32", "user32", "gdi32"]
        return OpenSSL(include, library_dirs, ["libssl", "libcrypto", *system], [])
    if not static_wanted(library_dirs):
        return OpenSSL(include, library_dirs, ["ssl", "crypto"], [])
    libssl, libcrypto = archive("libssl.a", library_dirs), archive("libcrypto.a", library_dirs)
    return OpenSSL(include, library_dirs, [], [str(libssl), str(libcrypto), *needed_by(libcrypto)])


def static_wanted(library_dirs: list[str]) -> bool:
    """Asked for; or all there is in an OPENSSL_DIR."""
    if "OPENSSL_STATIC" in os.environ:
        return os.environ["OPENSSL_STATIC"] not in ("", "0")
    shared = ("libssl.so", "libssl.dylib")
    return bool(library_dirs) and not any(
        Path(d, name).exists() for d in library_dirs for name in shared
    )


def archive(name: str, library_dirs: list[str]) -> Path:
    for directory in library_dirs:
        if Path(directory, name).exists():
            return Path(directory, name)
    fail(
        f"a static build was asked for, but there is no {name} in "
        f"{' or '.join(library_dirs) or 'any known directory'}."
    )


def needed_by(libcrypto: Path) -> list[str]:
    """What a static libcrypto is linked with, as its own pkg-config file says; behind the archive,
    or the linker drops it.
    """
    described = libcrypto.parent / "pkgconfig" / "libcrypto.pc"
    said = (
        re.search(r"^Libs\.private:(.*)$", described.read_text(encoding="utf-8"), re.MULTILINE)
        if described.exists()
        else None
    )
    if said:
        return shlex.split(said.group(1))
    return [] if sys.platform == "darwin" else ["-ldl", "-pthread"]


def default_includes() -> list[Path]:
    """The directories that the compiler searches, from what it says of itself."""
    places = [Path("/usr/local/include"), Path("/usr/include"), *BREW]
    try:
        said = subprocess.run(
            [*compiler(), "-E", "-v", "-xc", os.devnull],
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    except OSError:
        return places
    listed = re.search(r"#include <\.\.\.> .*?:\n(.*?)End of search list", said, re.DOTALL)
    return (
        [Path(line.split(" (framework")[0].strip()) for line in listed.group(1).splitlines()]
        if listed
        else places
    )


def find_openssl() -> OpenSSL:
    """The OpenSSL to build against, of a version that will do; or one sentence, and the end."""
    lacking = missing()
    if os.environ.get("OPENSSL_DIR"):
        found: OpenSSL | None = from_prefix(Path(os.environ["OPENSSL_DIR"]))
    else:
        found = from_system()
    if found is None:
        fail_for([*lacking, OPENSSL_HEADERS])
    if lacking:
        fail_for(lacking)
    return found


def from_system() -> OpenSSL | None:
    """The OpenSSL that pkg-config names, or else one where the compiler looks."""
    flags = pkg_config("--cflags", "--libs")
    if flags is not None:
        includes = [Path(f[2:]) for f in flags if f.startswith("-I")]
        includes += [Path(p) for p in pkg_config("--variable=includedir") or []]
        dirs = [f[2:] for f in flags if f.startswith("-L")] + (
            pkg_config("--variable=libdir") or []
        )
        for include in [*includes, *default_includes()]:
            if (include / "openssl" / "opensslv.h").exists():
                check_version(include)
                return with_libraries(include, dirs)
    for include in default_includes():
        if (include / "openssl" / "opensslv.h").exists():
            check_version(include)
            near = include.parent / "lib"
            return with_libraries(include, [str(near)] if list(near.glob("libssl.*")) else [])
    return None


def check_version(include: Path) -> None:
    """Read from the header, before a compiler could complain of something else."""
    text = (include / "openssl" / "opensslv.h").read_text(encoding="utf-8", errors="replace")
    if "LIBRESSL_VERSION_NUMBER" in text or "OPENSSL_IS_BORINGSSL" in text:
        fail(
            f"{include} holds LibreSSL or BoringSSL, and tlskit needs OpenSSL 3.0 or later: set "
            f"OPENSSL_DIR to the prefix of one."
        )
    parts = [
        re.search(rf"define\s+OPENSSL_VERSION_{part}\s+(\d+)", text) for part in ("MAJOR", "MINOR")
    ]
    version = tuple(int(m.group(1)) for m in parts if m)
    if len(version) != 2 or version < OLDEST:
        old = re.search(r'OPENSSL_VERSION_TEXT\s+"(?:OpenSSL )?(\S+)', text)
        found = ".".join(map(str, version)) or (old.group(1) if old else "of an unknown version")
        fail(
            f"the OpenSSL in {include} is {found}, and tlskit needs 3.0 or later: set "
            f"OPENSSL_DIR to the prefix of a newer one."
        )


def border() -> str:
    """The declarations that Python sees: tk_api.h, tk_api_*.h after it, and tk_doors.h are C and
    cdef at once.
    """
    headers = [HERE / CSRC / "tk_api.h", *sorted((HERE / CSRC).glob("tk_api_*.h"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in headers)
    doors = (HERE / CSRC / "tk_doors.h").read_text(encoding="utf-8")
    return text + '\nextern "Python+C" {\n' + doors + "}\n"


def limited_api() -> bool:
    """One extension for every later Python: on ordinary CPython only."""
    return platform.python_implementation() == "CPython" and not sysconfig.get_config_var(
        "Py_GIL_DISABLED"
    )


def direct_sources() -> list[Path]:
    """The second module of the extension."""
    cpython = platform.python_implementation() == "CPython"
    return sorted((HERE / DIRECT).glob("*.c")) if cpython else []


def compile_args() -> list[str]:
    # cffi defines it on the command line, and again in the source with another value: a warning.
    twice = [] if limited_api() else ["-U_CFFI_NO_LIMITED_API"]
    if sys.platform == "win32":
        return ["/W3", "/std:c11", *(f"/{flag[1:]}" for flag in twice)]
    warnings = ["-Wall", "-Wextra", "-Werror=implicit-function-declaration"]
    warnings += shlex.split(os.environ.get("TLSKIT_CFLAGS", ""))
    return ["-std=gnu11", "-pthread", "-fvisibility=hidden", *twice, *warnings]


def link_args() -> list[str]:
    """On Linux, show the init function alone.

    The interpreter's own OpenSSL may be in the same process as a static one of ours.
    """
    if not sys.platform.startswith("linux"):
        return []
    shown = CSRC / "exports.map"
    hardened = ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
    return ["-pthread", "-ldl", f"-Wl,--version-script={shown}", "-Wl,-Bsymbolic", *hardened]


def tables(include: Path) -> str:
    """C source of the tables that csrc/tk_tables.h names: constants, features, and OpenSSL's names
    of libraries and reasons.
    """
    headers = (
        "#include <openssl/pem.h>\n#include <openssl/pkcs12.h>\n#include <openssl/proverr.h>\n"
        "#include <openssl/store.h>\n"
        "#include <openssl/x509v3.h>\n#include "
        '"tk_base.h"\n#include "tk_doors.h"\n#include "tk_tables.h"\n'
    )
    return headers + constants.table() + features.table() + names.table(include)


def make_ffi() -> FFI:
    """What setup.py builds."""
    openssl = find_openssl()
    builder = FFI()
    builder.cdef(border())
    builder.set_source(
        "_tlsbind._native",
        tables(openssl.include) + gates.table(border()),
        sources=[
            *(str(p.relative_to(HERE)) for p in sorted((HERE / CSRC).glob("tk_*.c"))),
            *(str(p.relative_to(HERE)) for p in direct_sources()),
        ],
        depends=[
            "build_ffi.py",
            str(CSRC / "exports.map"),
            *(str(p.relative_to(HERE)) for p in sorted((HERE / CSRC).glob("*.h"))),
            *(str(p.relative_to(HERE)) for p in sorted((HERE / DIRECT).glob("*.h"))),
        ],
        include_dirs=[str(CSRC), str(openssl.include)],
        library_dirs=openssl.library_dirs,
        libraries=openssl.libraries,
        extra_compile_args=compile_args(),
        extra_link_args=[*openssl.link_args, *link_args()],
        py_limited_api=limited_api(),
    )
    return builder

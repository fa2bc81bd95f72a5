"""How the build finds OpenSSL, and the one sentence that it says when there is none that will
do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .c.program import ROOT, build_ffi

NEW = (
    "# define OPENSSL_VERSION_MAJOR  3\n# define OPENSSL_VERSION_MINOR  5\n# define "
    "OPENSSL_VERSION_PATCH  1\n"
)
OLD = (
    '# define OPENSSL_VERSION_NUMBER  0x1010117fL\n# define OPENSSL_VERSION_TEXT    "OpenSSL '
    '1.1.1w  11 Sep 2023"\n'
)
LIBRE = (
    '#define LIBRESSL_VERSION_NUMBER 0x3090200fL\n#define OPENSSL_VERSION_TEXT "LibreSSL 3.9.2"\n'
)
BORING = "#define OPENSSL_IS_BORINGSSL\n"


def prefix(
    folder: Path,
    header: str | None = NEW,
    *,
    files: tuple[str, ...] = ("lib/libssl.a", "lib/libcrypto.a"),
) -> Path:
    """A folder that looks like an installed OpenSSL."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    if header is not None:
        (folder / "include" / "openssl").mkdir(parents=True)
        (folder / "include" / "openssl" / "opensslv.h").write_text(header)
    return folder


links_as_unix_does = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows links in another way"
)


@pytest.fixture
def build(monkeypatch):
    """The build script, with nothing in the environment that leads it anywhere."""
    for name in ("OPENSSL_DIR", "OPENSSL_STATIC", "PKG_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return build_ffi()


def refusal(build, monkeypatch, folder: Path) -> str:
    monkeypatch.setenv("OPENSSL_DIR", str(folder))
    with pytest.raises(SystemExit) as caught:
        build.find_openssl()
    sentence = str(caught.value)
    assert sentence.startswith("tlskit: ")
    assert "\n" not in sentence
    return sentence


# -- OPENSSL_DIR -----------------------------------------------------------------------------------


@links_as_unix_does
def test_takes_the_archives_of_a_prefix_that_has_no_more(build, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENSSL_DIR", str(prefix(tmp_path)))
    found = build.find_openssl()
    assert found.include == tmp_path / "include"
    assert found.libraries == []
    assert found.link_args[:2] == [
        str(tmp_path / "lib" / "libssl.a"),
        str(tmp_path / "lib" / "libcrypto.a"),
    ]


@links_as_unix_does
def test_links_an_archive_with_what_it_needs(build, monkeypatch, tmp_path):
    prefix(tmp_path, files=("lib64/libssl.a", "lib64/libcrypto.a", "lib64/pkgconfig/libcrypto.pc"))
    (tmp_path / "lib64" / "pkgconfig" / "libcrypto.pc").write_text(
        "Version: 3.5.1\nLibs: -lcrypto\nLibs.private: -lz -ldl -pthread\n"
    )
    monkeypatch.setenv("OPENSSL_DIR", str(tmp_path))
    assert build.find_openssl().link_args[2:] == ["-lz", "-ldl", "-pthread"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no run path")
def test_finds_a_shared_library_of_a_prefix_again(build, monkeypatch, tmp_path):
    monkeypatch.setenv(
        "OPENSSL_DIR",
        str(prefix(tmp_path, files=("lib/libssl.so", "lib/libssl.a", "lib/libcrypto.a"))),
    )
    found = build.find_openssl()
    assert (found.libraries, found.library_dirs) == (["ssl", "crypto"], [str(tmp_path / "lib")])
    assert found.link_args == [f"-Wl,-rpath,{tmp_path / 'lib'}"]
    monkeypatch.setenv("OPENSSL_STATIC", "1")
    assert build.find_openssl().libraries == []


def test_refuses_a_prefix_with_nothing_in_it(build, monkeypatch, tmp_path):
    assert "there is no include/openssl/opensslv.h in it" in refusal(
        build, monkeypatch, tmp_path / "nowhere"
    )


def test_refuses_a_prefix_without_libraries(build, monkeypatch, tmp_path):
    assert "there is no libssl in lib or lib64" in refusal(
        build, monkeypatch, prefix(tmp_path, files=())
    )


@links_as_unix_does
def test_refuses_a_static_build_without_archives(build, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENSSL_STATIC", "1")
    assert "there is no libssl.a in" in refusal(
        build, monkeypatch, prefix(tmp_path, files=("lib/libssl.so",))
    )


def test_refuses_an_old_version_by_its_name(build, monkeypatch, tmp_path):
    sentence = refusal(build, monkeypatch, prefix(tmp_path, OLD))
    assert "is 1.1.1w, and tlskit needs 3.0 or later" in sentence
    assert str(tmp_path) in sentence


def test_refuses_a_header_without_a_version(build, monkeypatch, tmp_path):
    assert "of an unknown version" in refusal(build, monkeypatch, prefix(tmp_path, "/* empty */\n"))


@pytest.mark.parametrize("header", [LIBRE, BORING], ids=["LibreSSL", "BoringSSL"])
def test_refuses_what_is_not_openssl(build, monkeypatch, tmp_path, header):
    assert "holds LibreSSL or BoringSSL" in refusal(build, monkeypatch, prefix(tmp_path, header))


# -- without OPENSSL_DIR ---------------------------------------------------------------------------


def fake_pkg_config(folder: Path, prefix: Path) -> Path:
    program = folder / "pkg-config"
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        f"  *--cflags*) echo -I{prefix}/include -L{prefix}/lib -lssl -lcrypto ;;\n"
        f"  *includedir*) echo {prefix}/include ;;\n"
        f"  *libdir*) echo {prefix}/lib ;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    return program


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_asks_pkg_config(build, monkeypatch, tmp_path):
    prefix(tmp_path / "openssl", files=("lib/libssl.so",))
    monkeypatch.setenv("PKG_CONFIG", str(fake_pkg_config(tmp_path, tmp_path / "openssl")))
    found = build.find_openssl()
    assert found.include == tmp_path / "openssl" / "include"
    assert found.libraries == ["ssl", "crypto"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_refuses_an_old_version_of_pkg_config(build, monkeypatch, tmp_path):
    prefix(tmp_path / "openssl", OLD)
    monkeypatch.setenv("PKG_CONFIG", str(fake_pkg_config(tmp_path, tmp_path / "openssl")))
    with pytest.raises(SystemExit, match=r"1\.1\.1w"):
        build.find_openssl()


def test_looks_where_the_compiler_looks(build, monkeypatch, tmp_path):
    monkeypatch.setenv("PKG_CONFIG", str(tmp_path / "no-such-program"))
    monkeypatch.setattr(
        build, "default_includes", lambda: [tmp_path / "nothing", prefix(tmp_path) / "include"]
    )
    assert build.find_openssl().include == tmp_path / "include"


@pytest.fixture
def bare(build, monkeypatch, tmp_path):
    """A machine with nothing on it: no compiler, no headers of Python, none of OpenSSL."""
    monkeypatch.setenv("PKG_CONFIG", str(tmp_path / "no-such-program"))
    monkeypatch.setenv("CC", str(tmp_path / "no-such-compiler"))
    monkeypatch.setattr(build, "default_includes", list)
    monkeypatch.setattr(build.sysconfig, "get_path", lambda name: str(tmp_path / name))
    return build


def sentence_of(build) -> str:
    with pytest.raises(SystemExit) as caught:
        build.find_openssl()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="setuptools looks for the compiler there")
def test_names_all_that_is_missing_at_once(bare):
    assert sentence_of(bare) == (
        "tlskit: building needs a C compiler, Python's headers and OpenSSL's headers, not found "
        "here: install them (Debian, Ubuntu: apt install gcc libc6-dev python3-dev libssl-dev; "
        "Fedora: dnf install gcc python3-devel openssl-devel; Homebrew: brew install gcc "
        "python@3 openssl@3), or set OPENSSL_DIR to the prefix of OpenSSL 3.0 or later."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="setuptools looks for the compiler there")
def test_names_nothing_that_is_there(bare, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENSSL_DIR", str(prefix(tmp_path)))
    sentence = sentence_of(bare)
    assert "needs a C compiler and Python's headers, not found" in sentence
    assert "OPENSSL" not in sentence.upper()
    (tmp_path / "include" / "Python.h").touch()
    assert "needs a C compiler, not found" in sentence_of(bare)


def test_says_what_to_install(build, monkeypatch, tmp_path):
    monkeypatch.setenv("PKG_CONFIG", str(tmp_path / "no-such-program"))
    monkeypatch.setattr(build, "default_includes", list)
    sentence = sentence_of(build)
    assert "needs OpenSSL's headers, not found" in sentence
    assert "apt install libssl-dev;" in sentence


@links_as_unix_does
def test_knows_the_directories_of_the_compiler(build, monkeypatch):
    assert any(path.is_dir() for path in build.default_includes())
    monkeypatch.setenv("CC", "no-such-compiler")
    assert Path("/usr/include") in build.default_includes()


# -- as a user meets it ----------------------------------------------------------------------------


def test_the_build_ends_with_that_sentence(tmp_path):
    pytest.importorskip("setuptools")
    prefix(tmp_path / "old", OLD)
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--build-temp", str(tmp_path / "t"),
        "--build-lib", str(tmp_path / "l")],
        cwd=ROOT, env={**os.environ, "OPENSSL_DIR": str(tmp_path / "old")}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith("tlskit: the OpenSSL in ")
    assert "Traceback" not in done.stderr


def test_no_object_is_taken_for_immortal():
    """Py_RETURN_NONE and the like take no reference in the headers of Python 3.12 and 3.13. Python
    3.10 and 3.11 count those of None, and end a process whose count is wrong.
    """
    folder = ROOT / "src" / "_tlsbind" / "direct"
    sources = [path for path in folder.iterdir() if path.suffix in (".c", ".h")]
    assert len(sources) > 5
    assert [path.name for path in sources if "Py_RETURN_" in path.read_text()] == []

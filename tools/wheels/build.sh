#!/usr/bin/env bash
# build.sh [TARGET...]: wheels for Linux in dist/, with an OpenSSL inside, for any CPython from
# 3.10 on. TARGET: manylinux-x86_64 (the default), manylinux-aarch64, musllinux-x86_64, musllinux-
# aarch64. No container: PyPI's ziglang compiles for an old glibc, for musl, and for the other
# machine. Run it by `make wheel`, with PYTHON of an environment that has the dependency group
# `wheel`.
#
# SERIES: OpenSSL's, 3.5 by default. TLSKIT_CACHE: where OpenSSL's builds are kept. FREE_PYTHON: a
# free-threaded Python that has setuptools and cffi; the wheels are then for its version alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3} series=${SERIES:-3.5}
builder=${FREE_PYTHON:-$python} # whose headers and tag the wheel has
cache=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}
bin=$(dirname "$("$python" -c 'import sys; print(sys.executable)')")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ZIG=$("$python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')
export ZIG ZIG_TARGET PATH="$PWD/tools/wheels:$bin:$PATH"
export ZIG_GLOBAL_CACHE_DIR=$cache/zig
export CC=zig-cc AR=zig-ar RANLIB=zig-ranlib

# Debian's pyconfig.h leads to the one of the machine that compiles. What an extension needs of it is
# the same for all of our targets: sizes of 64-bit Linux.
python_headers() {
    mkdir -p "$work/include"
    "$builder" - "$work/include" <<'PY'
import pathlib, shutil, sys, sysconfig
home = pathlib.Path(sysconfig.get_path("include"))
shutil.copytree(home, sys.argv[1], dirs_exist_ok=True)
multiarch = sysconfig.get_config_var("MULTIARCH") or ""
real = home.parent / multiarch / home.name / "pyconfig.h"
if multiarch and real.exists():
    shutil.copy(real, pathlib.Path(sys.argv[1], "pyconfig.h"))
PY
}

# A free-threaded Python has no limited API: the extension's name says for which Python it is.
suffix() {
    [ -n "${FREE_PYTHON:-}" ] || return 0
    local libc=gnu
    case $1 in musllinux-*) libc=musl ;; esac
    "$builder" -c 'import sys; print(".cpython-%d%dt" % sys.version_info[:2], end="")'
    echo "-${1#*linux-}-linux-$libc.so"
}

wheel() {
    local target=$1 machine=${1#*linux-} openssl configure platform
    case $target in
        manylinux-*) ZIG_TARGET=$machine-linux-gnu.2.17 platform=manylinux_2_17_$machine ;;
        musllinux-*) ZIG_TARGET=$machine-linux-musl platform=musllinux_1_2_$machine ;;
        *) echo "build.sh: no target $target" >&2; exit 2 ;;
    esac
    openssl=$cache/openssl-$series-$ZIG_TARGET configure=linux-$machine
    .github/bin/build_openssl.sh "$series" "$openssl" "$configure"
    rm -rf "$work/build" "$work/dist"
    mkdir -p "$work/build" "$work/dist"
    printf '[build]\nbuild_base = %s/build\n[egg_info]\negg_base = %s/build\n' "$work" "$work" \
        >"$work/build.cfg"
    OPENSSL_DIR=$openssl OPENSSL_STATIC=1 DIST_EXTRA_CONFIG=$work/build.cfg \
        SETUPTOOLS_EXT_SUFFIX=$(suffix "$target") \
        CFLAGS="-g0 -fstack-protector-strong -ffile-prefix-map=$work=. -I$work/include" \
        LDSHARED="zig-cc -shared" LDFLAGS="-Wl,-s" _PYTHON_HOST_PLATFORM=linux-$machine \
        "$builder" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/dist" . \
        >"$work/log" 2>&1 || { tail -n 60 "$work/log" >&2; exit 1; }
    tag "$target" "$platform"
}

# auditwheel grants the tag where it can: it knows the C library and the machine that it runs on. For
# others the compiler's target says it, and check.py looks at what the extension needs.
tag() {
    local made=("$work"/dist/*.whl)
    mkdir -p dist "$work/repaired"
    if [ "$1" = "manylinux-$(uname -m)" ]; then
        "$python" -m auditwheel repair --only-plat --plat "$2" --wheel-dir "$work/repaired" "${made[@]}" \
            >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
    else
        "$python" -m wheel tags --remove --platform-tag "$2" "${made[@]}" >/dev/null
        mv "$work"/dist/*.whl "$work/repaired/"
    fi
}

python_headers
for target in "${@:-manylinux-x86_64}"; do
    wheel "$target"
done
for made in "$work"/repaired/*.whl; do
    "$python" tools/wheels/check.py "$made"
    rm -f "dist/$(basename "$made")"
    mv "$made" dist/
done

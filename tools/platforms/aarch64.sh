#!/usr/bin/env bash
# aarch64.sh [PYTEST_ARGS...]: tlskit for aarch64 by Debian's cross gcc, and its tests under qemu-user
# (tests/core by default). `make test-aarch64` calls it. Needs apt, and root where qemu-user-static and
# the cross gcc are missing: it installs them. CPython 3.11 and a static OpenSSL 3.0 come from Debian
# 12's packages for arm64, which apt checks with Debian's keys, unpacked into the cache and never
# installed; what tests need comes from PyPI's wheels. A minute the first time. PYTHON: one with pip,
# cffi and setuptools. TIMEOUT: seconds for each test, 600 by default, for qemu is slow.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
cache=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}
dir=$cache/aarch64
root=$dir/root

{ command -v qemu-aarch64-static && command -v aarch64-linux-gnu-gcc; } >/dev/null ||
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends qemu-user-static \
        gcc-aarch64-linux-gnu libc6-dev-arm64-cross; } >&2

# An apt of its own: this machine's packages and lists stay as they are.
unpack_debian() {
    local apt=$dir/apt mirror options
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources" "$dir/debs"
    mirror=$(find /etc/apt '(' -name '*.list' -o -name '*.sources' ')' -exec cat {} + |
        grep -oE 'https?://[^ ]+/debian/?( |$)' | sort -u | head -n 1 | tr -d ' ')
    printf 'deb [signed-by=%s] %s bookworm main\n' \
        /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" >"$apt/sources.list"
    : >"$apt/status"
    options=(-qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64
        -o APT::Sandbox::User=root -o "Dir::Etc::SourceList=$apt/sources.list"
        -o "Dir::Etc::SourceParts=$apt/sources" -o "Dir::State::Lists=$apt/lists"
        -o "Dir::State::status=$apt/status" -o "Dir::Cache::Archives=$apt/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
    (cd "$dir/debs" && apt-get "${options[@]}" update &&
        apt-get "${options[@]}" download libc6 libgcc-s1 zlib1g libexpat1 libffi8 libssl3 libssl-dev \
            libsqlite3-0 libbz2-1.0 liblzma5 libuuid1 libcrypt1 libpython3.11-minimal \
            libpython3.11-stdlib python3.11-minimal python3.11 libpython3.11-dev) >&2
    rm -rf "$root"
    for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$root"; done
    rm -rf "$dir/debs" "$apt"
}

# Debian keeps headers and libraries of each machine apart; a prefix has them together.
openssl_prefix() {
    mkdir -p "$dir/openssl/include" "$dir/openssl/lib"
    cp -R "$root/usr/include/openssl" "$root/usr/include/aarch64-linux-gnu/openssl" \
        "$dir/openssl/include/"
    cp "$root"/usr/lib/aarch64-linux-gnu/lib{ssl,crypto}.a "$dir/openssl/lib/"
}

if [ ! -e "$dir/ready" ]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    unpack_debian
    openssl_prefix
    "$python" -m pip install -q --target "$dir/site" --only-binary=:all: --python-version 3.11 \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux2014_aarch64 cffi trustme pytest pytest-timeout prometheus-client \
        'redis>=5.2' async-timeout pymemcache rich # redis needs it before 3.11.3
    touch "$dir/ready"
fi

OPENSSL_DIR=$dir/openssl "$python" tools/platforms/compile.py "$dir/out" \
    --cc aarch64-linux-gnu-gcc --include "$root/usr/include/python3.11" \
    --include "$root/usr/include"
rm -rf "$dir/site/tlskit" "$dir/site/_tlsbind"
cp -R src/tlskit src/_tlsbind "$dir/site/"
cp "$dir/out/_native.abi3.so" "$dir/site/_tlsbind/"

# Programs that tests start with sys.executable go through qemu too.
printf '#!/bin/sh\nexec qemu-aarch64-static -L %s -0 "$0" %s/usr/bin/python3.11 "$@"\n' "$root" "$root" \
    >"$dir/python3"
chmod +x "$dir/python3"
export PYTHONPATH=$dir/site PYTHONDONTWRITEBYTECODE=1 PYTHONHOME=$root/usr
export TLSKIT_PATIENCE=120 # a Python that a test starts takes many seconds to import anything
"$dir/python3" -m tests.support.smoke
exec "$dir/python3" -m pytest -q -p no:cacheprovider -p tests.support.elsewhere --timeout="${TIMEOUT:-600}" \
    -m 'not slow' "${@:-tests/core}"

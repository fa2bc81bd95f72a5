#!/usr/bin/env bash
# macos.sh: compile the extension for macOS, arm64 and x86-64, with PyPI's ziglang; warnings are errors.
# Nothing is linked or run: there is no Python for macOS here. `make compile-macos` calls it. PYTHON:
# one with the dependency group `wheel`. The headers are those of an OpenSSL for Linux.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
cache=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}
openssl=$cache/openssl-3.5-$(uname -m)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

wheels=$openssl-linux-gnu.2.17 # `make wheel` leaves it there
[ -d "$wheels/include" ] && openssl=$wheels || .github/bin/build_openssl.sh 3.5 "$openssl"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
for machine in aarch64 x86_64; do
    echo "macOS on $machine:"
    TLSKIT_CFLAGS=-Werror OPENSSL_DIR=$openssl "$python" tools/platforms/compile.py "$out/$machine" \
        --objects --cc "$python -m ziglang cc -target $machine-macos.11.0" --include "$include"
done

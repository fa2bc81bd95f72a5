#!/usr/bin/env bash
# build_openssl.sh SERIES DIR: put the newest OpenSSL known here of that series (3.0, 3.5, 4.0) into DIR, as static
# libraries with headers: OPENSSL_DIR=DIR builds tlskit with it. Does nothing when DIR has it already.
# OPENSSL_TARBALL names a tarball that is on the machine; without it, it comes from OpenSSL's own releases.
set -euo pipefail

series=${1:?usage: build_openssl.sh SERIES DIR}
mkdir -p "${2:?usage: build_openssl.sh SERIES DIR}"
dir=$(cd "$2" && pwd)
case $series in
    3.0) version=3.0.20 sum=c80a01dfc70ece4dc21168932c37739042d404d46ccc81a5986dd75314ecda6f ;;
    3.5) version=3.5.7 sum=a8c0d28a529ca480f9f36cf5792e2cd21984552a3c8e4aa11a24aa31aeac98e8 ;;
    4.0) version=4.0.2 sum=736b467530f916737b7031310ccb21d8218c6229e61e8e160cd1d3458cd543a8 ;;
    *) echo "build_openssl.sh: no version of the series $series is written down here" >&2; exit 2 ;;
esac
if [ "$(cat "$dir/.version" 2>/dev/null)" = "$version" ]; then
    echo "$dir has OpenSSL $version"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tarball=${OPENSSL_TARBALL:-$work/openssl.tar.gz}
if [ -z "${OPENSSL_TARBALL:-}" ]; then
    curl -fsSL --retry 3 -o "$tarball" "https://github.com/openssl/openssl/releases/download/openssl-$version/openssl-$version.tar.gz"
fi
echo "$sum  $tarball" | sha256sum --check --quiet
mkdir "$work/source"
tar -xzf "$tarball" -C "$work/source" --strip-components=1
cd "$work/source"
{
    ./Configure no-shared no-tests --prefix="$dir" --libdir=lib --openssldir=/etc/ssl
    make -j"$(getconf _NPROCESSORS_ONLN)" build_libs
    make install_dev
} >"$work/log" 2>&1 || { tail -n 50 "$work/log" >&2; exit 1; }
echo "$version" >"$dir/.version"
echo "$dir has OpenSSL $version"

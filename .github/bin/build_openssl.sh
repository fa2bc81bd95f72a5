#!/usr/bin/env bash
# build_openssl.sh SERIES DIR [TARGET]: OpenSSL of that series (3.0, 3.5, ...: see
# tools/sources.txt) in DIR, as static libraries with headers. OPENSSL_DIR=DIR then builds tlskit
# with it. Does nothing when DIR has that very build already.
#
# TARGET is a name of OpenSSL's Configure (linux-x86_64, mingw64, darwin64-arm64-cc);
# without it, Configure looks at the machine. CC, AR, RANLIB and CROSS_COMPILE are handed on.
# OPENSSL_TARBALL names a tarball on this machine; it must be the pinned one.
set -euo pipefail

series=${1:?usage: build_openssl.sh SERIES DIR [TARGET]} target=${3:-}
mkdir -p "${2:?usage: build_openssl.sh SERIES DIR [TARGET]}"
dir=$(cd "$2" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
read -r _ version sum _ <<<"$(grep -E "^openssl-${series}[[:space:]]" "$top/tools/sources.txt" || true)"
if [ -z "${version:-}" ]; then
    echo "build_openssl.sh: tools/sources.txt has no version of the series $series" >&2
    exit 2
fi

# Paths that end up in the library are the same wherever it is built. OPENSSLDIR and MODULESDIR
# lie where only an administrator can write, and nobody does by accident: an openssl.cnf or a
# provider at a path of the machine that built a wheel would be anybody's to plant
# (CVE-2019-1552).
case ${target:-$(uname -s)} in
    mingw*) prefix='C:/Program Files/Common Files/tlskit' conf=$prefix ;;
    *) prefix=/usr/lib/tlskit conf=/etc/tlskit ;;
esac

options=()
while read -r option _; do
    case $option in '' | '#'*) ;; *) options+=("$option") ;; esac
done <"$top/.github/bin/openssl-options.txt"
case $series in 3.*) options+=(no-engine) ;; esac # 4.0 has none left
case ${target:-$(uname -m)} in # constant-time P-224 and P-521 in 64-bit arithmetic
    *x86_64 | *aarch64 | *arm64* | mingw64) options+=(enable-ec_nistp_64_gcc_128) ;;
esac
options+=(-fvisibility=hidden)

# macOS has shasum.
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
sha256_is() { echo "$1  -"; }

stamp=$({
    printf '%s\n' "$sum" "$target" "${CC:-}" "${CROSS_COMPILE:-}" "$prefix" "${options[@]}"
    cat "$top/.github/bin/edit_openssl.pl"
} | sha256)
if [ "$(cat "$dir/.built" 2>/dev/null)" = "$stamp" ]; then
    echo "$dir has OpenSSL $version"
    exit 0
fi

tarball=${OPENSSL_TARBALL:-$(bash "$top/tools/source.sh" "openssl-$series")}
[ "$(sha256 <"$tarball")" = "$(sha256_is "$sum")" ] ||
    { echo "build_openssl.sh: $tarball is not the one that is pinned" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
tar -xzf "$tarball" -C "$work/source" --strip-components=1
perl "$top/.github/bin/edit_openssl.pl" "$work/source"
cd "$work/source"

# The date and the compiler's path are part of what OpenSSL tells of itself: keep both out of it.
SOURCE_DATE_EPOCH=$(stat -c %Y VERSION.dat 2>/dev/null || stat -f %m VERSION.dat)
export SOURCE_DATE_EPOCH
build() {
    # shellcheck disable=SC2086  # an unset target must vanish
    ./Configure $target ${CROSS_COMPILE:+--cross-compile-prefix="$CROSS_COMPILE"} \
        "${options[@]}" "--prefix=$prefix" --libdir=lib "--openssldir=$conf" &&
        make -s -j"${JOBS:-$(getconf _NPROCESSORS_ONLN)}" build_libs &&
        make -s install_dev "DESTDIR=$work/staged/"
}
build >"$work/log" 2>&1 || { tail -n 50 "$work/log" >&2; exit 1; }
staged=$(find "$work/staged" -type d -name include -path '*tlskit/include' -prune)
rm -rf "${dir:?}/include" "${dir:?}/lib"
cp -R "$(dirname "$staged")/." "$dir/"
echo "$stamp" >"$dir/.built"
echo "$dir has OpenSSL $version"

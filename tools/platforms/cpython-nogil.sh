#!/usr/bin/env bash
# cpython-nogil.sh: the path of a free-threaded CPython 3.13 (--disable-gil), built here from CPython's
# tarball and kept in the cache. Five minutes the first time. SANITIZE=thread builds one with gcc's
# ThreadSanitizer, in a folder of its own. Needs the -dev packages of libffi, zlib, sqlite3, OpenSSL.
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}/nogil${SANITIZE:+-$SANITIZE}
options=(--disable-gil --with-ensurepip=install)
case ${SANITIZE:-} in
    '') ;;
    thread) options+=(--with-thread-sanitizer) ;;
    *) echo "cpython-nogil.sh: no sanitizer $SANITIZE" >&2; exit 2 ;;
esac
if [ ! -e "$dir/ready" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get -qq install -y --no-install-recommends libffi-dev zlib1g-dev libsqlite3-dev >&2
    fi
    source=$(mktemp -d)
    trap 'rm -rf "$source"' EXIT
    tar xf "$(tools/source.sh cpython-3.13)" -C "$source" --strip-components=1
    mkdir -p "$dir"
    (cd "$source" && ./configure -q --prefix="$dir" "${options[@]}" &&
        make -s -j"${JOBS:-2}" && make -s install) >"$dir/log" 2>&1 ||
        { tail -n 30 "$dir/log" >&2; exit 1; }
    touch "$dir/ready"
fi
echo "$dir/bin/python3.13t"

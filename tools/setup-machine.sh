#!/bin/sh
# Install what building and testing need of the system: `tools/setup-machine.sh [valgrind]`, with PYTHON as in the Makefile.
# On Debian and Ubuntu, as root; for others it says what is missing. Says nothing when nothing is.
set -eu

python=${PYTHON:-python3}

headers() { echo '#include <openssl/ssl.h>' | cc -E - >/dev/null 2>&1; }
python_headers() { "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; }

# Packages that are missing; those without which nothing can be built come with a `!` before them.
missing() {
    command -v cc >/dev/null || echo '!gcc !libc6-dev'
    command -v make >/dev/null || echo '!make'
    command -v pkg-config >/dev/null || echo 'pkg-config'
    [ -n "${OPENSSL_DIR:-}" ] || headers || echo '!libssl-dev'
    command -v openssl >/dev/null || echo 'openssl'
    if ! command -v "$python" >/dev/null; then
        [ "$python" != python3 ] || echo '!python3 !python3-venv !python3-dev'
    else
        "$python" -c 'import ensurepip, venv' 2>/dev/null || echo '!python3-venv'
        python_headers || echo '!python3-dev'
    fi
    for extra in "$@"; do
        command -v "$extra" >/dev/null || echo "$extra"
    done
}

install() {
    apt-get -qq install -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null
}

wanted=$(missing "$@" | tr ' ' '\n' | tr -d '!' | tr '\n' ' ')
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $wanted"
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of words
    install $wanted || { apt-get -qq update >/dev/null 2>&1 </dev/null && install $wanted; } || cat "$log" >&2
    rm -f "$log"
    wanted=$(missing "$@" | tr '\n' ' ')
    [ -n "$wanted" ] || exit 0
fi
echo "tools/setup-machine.sh: not on this machine: $(missing "$@" | tr '\n' ' ' | tr -d '!')(Debian's names; as root, this installs them)" >&2
case $(missing "$@") in *!*) exit 1 ;; esac

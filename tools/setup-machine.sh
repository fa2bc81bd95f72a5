#!/bin/sh
# Install what building and testing need of the system:
# `tools/setup-machine.sh [valgrind] [testsuite] [servers]`, with PYTHON as in the Makefile;
# `testsuite` is that Python's package `test`, and `servers` are those that the tests talk to
# (redis, memcached, nginx, PostgreSQL, GnuTLS, Node, Java, ProFTPD). They are not started.
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
        case $extra in
            servers)
                command -v redis-server >/dev/null || echo redis-server
                command -v memcached >/dev/null || echo memcached
                command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || echo nginx-light
                command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || echo postgresql
                command -v gnutls-cli >/dev/null || echo gnutls-bin
                command -v node >/dev/null || echo nodejs
                command -v javac >/dev/null || echo default-jdk-headless
                [ -e /usr/lib/proftpd/mod_tls.so ] || echo 'proftpd-core proftpd-mod-crypto'
                ;;
            testsuite) "$python" -c 'import test.support' 2>/dev/null || "$python" -c 'import sys; print("libpython%d.%d-testsuite" % sys.version_info[:2])' ;;
            *) command -v "$extra" >/dev/null || echo "$extra" ;;
        esac
    done
}

# Debian starts what it installs, unless this file says no (invoke-rc.d(8)).
quietly() {
    policy=/usr/sbin/policy-rc.d
    [ ! -e "$policy" ] || return 0
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

install() {
    apt-get -qq install -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null
}

wanted=$(missing "$@" | tr ' ' '\n' | tr -d '!' | tr '\n' ' ')
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $wanted"
    log=$(mktemp)
    quietly
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of words
    install $wanted || { apt-get -qq update >/dev/null 2>&1 </dev/null && install $wanted; } || cat "$log" >&2
    rm -f "$log"
    wanted=$(missing "$@" | tr '\n' ' ')
    [ -n "$wanted" ] || exit 0
fi
echo "tools/setup-machine.sh: not on this machine: $(missing "$@" | tr '\n' ' ' | tr -d '!')(Debian's names; as root, this installs them)" >&2
case $(missing "$@") in *!*) exit 1 ;; esac

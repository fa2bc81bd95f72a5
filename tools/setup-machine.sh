#!/bin/sh
# Install what building and testing need of the system:
# `tools/setup-machine.sh [valgrind] [testsuite] [fuzzer] [servers]`, with PYTHON as in the Makefile;
# `testsuite` is that Python's package `test`, `fuzzer` is clang with libFuzzer, and `servers` are
# those that the tests talk to (redis, memcached, nginx, PostgreSQL, GnuTLS, Node, Java, ProFTPD).
# They are not started.
# On Debian and Ubuntu, as root; for others it says what is missing. Says nothing when nothing is.
set -eu

python=${PYTHON:-python3}

headers() { echo '#include <openssl/ssl.h>' | cc -E - >/dev/null 2>&1; }
python_headers() { "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; }

# Debian's python3 has test.support, and none of the tests, without its test suite.
test_suite() { "$python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("test.test_ssl"))' 2>/dev/null; }
# clang comes with libFuzzer and the sanitizers in a package of their own, or without them.
fuzzer() {
    program=$(mktemp)
    echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return data && size > 9; }' |
        clang -fsanitize=fuzzer,address,undefined -x c -o "$program" - 2>/dev/null && linked=yes || linked=
    rm -f "$program"
    [ -n "$linked" ]
}

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
            testsuite) test_suite || "$python" -c 'import sys; print("libpython%d.%d-testsuite" % sys.version_info[:2])' ;;
            fuzzer)
                if ! command -v clang >/dev/null; then
                    echo clang
                elif ! fuzzer; then
                    echo "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
                fi
                ;;
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

names() { missing "$@" | tr ' ' '\n' | tr -d '!' | tr '\n' ' '; }

wanted=$(names "$@")
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    log=$(mktemp)
    quietly
    export DEBIAN_FRONTEND=noninteractive
    tried=
    while [ -n "$wanted" ] && [ "$wanted" != "$tried" ]; do # one package may tell which the next is
        echo "installing $wanted"
        # shellcheck disable=SC2086  # a list of words
        install $wanted || { apt-get -qq update >/dev/null 2>&1 </dev/null && install $wanted; } || cat "$log" >&2
        tried=$wanted
        wanted=$(names "$@")
    done
    rm -f "$log"
    [ -n "$wanted" ] || exit 0
fi
echo "tools/setup-machine.sh: not on this machine: $wanted(Debian's names; as root, this installs them)" >&2
case $(missing "$@") in *!*) exit 1 ;; esac

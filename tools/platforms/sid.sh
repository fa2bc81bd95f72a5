#!/usr/bin/env bash
# sid.sh [PYTEST_ARGS...]: tests on what Debian sid has and this machine may not: CPython 3.14 and
# 3.15, PyPy 3, and OpenSSL 3.6 (tests/core by default). PYTHONS names some of them: "3.15 pypy3".
# `make test-sid` and `make test-pypy` call it. Needs root and apt, whose keys Debian's packages are
# checked with: a chroot, made by debian-root.sh and kept in the cache. Runs may go on side by side.
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$(tools/platforms/debian-root.sh)
tree=$(mktemp -d "$root/src.XXXXXX")
trap 'rm -rf "$tree"' EXIT
cp -R .ci .github Makefile *.md *.py pyproject.toml MANIFEST.in LICENSE src tests tools docs bench \
    "$tree/"
find "$tree" -name __pycache__ -type d -prune -exec rm -rf {} +
failed=()
for python in ${PYTHONS:-3.14 3.15 pypy3}; do
    case $python in pypy*) program=$python ;; *) program=python$python ;; esac
    echo "== $program"
    chroot "$root" bash -euc '
        cd "$1"
        shift
        home=/opt/$1
        [ -x "$home/bin/python" ] || "$1" -m venv "$home"
        pip() { "$home/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
        pip install --prefer-binary --upgrade "pip>=25.1"
        case $1 in
            pypy*) # cryptography has no wheel for it: certificates come from another Python
                pip install --prefer-binary "cffi>=2" "setuptools>=77" pytest pytest-timeout \
                    prometheus-client "redis>=5.2" pymemcache rich
                export TRUSTME_PYTHON=/opt/trustme/bin/python
                [ -x "$TRUSTME_PYTHON" ] || python3.14 -m venv /opt/trustme
                "$TRUSTME_PYTHON" -m pip install --quiet --prefer-binary trustme
                ;;
            *) pip install --prefer-binary --group test pytest-timeout ;;
        esac
        TLSKIT_CFLAGS=-Werror pip install --force-reinstall --no-deps .
        "$home/bin/python" -m tests.support.smoke
        program=$1
        shift
        "$home/bin/python" -m pytest -q -p no:cacheprovider -p tests.support.elsewhere \
            --timeout=600 -m "not slow and not conformance" "$@"
    ' sid "/${tree##*/}" "$program" "${@:-tests/core}" </dev/null || failed+=("$python")
done
echo "failed: ${failed[*]:-none}"
[ "${#failed[@]}" = 0 ]

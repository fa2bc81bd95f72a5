#!/usr/bin/env bash
# nogil-venv.sh: the path of a free-threaded CPython 3.13 in an environment with tlskit, which is
# installed from here each time. The interpreter is built from its tarball, and kept in the cache.
# cffi says that it supports free-threaded Pythons from 3.14 on, whose tarball this does not need:
# that check is taken out. WHEEL is a wheel to install instead, into a new environment, where it is
# imported before anything but its dependencies is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

host=$(command -v "${PYTHON:-python3}")
python=$(tools/platforms/cpython-nogil.sh)
cache=$(dirname "$(dirname "$python")")
home=$cache/venv
pip() { "$home/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
what_tests_need() {
    pip install --prefer-binary pytest pytest-timeout prometheus-client 'redis>=5.2' pymemcache rich
}

if [ ! -e "$cache/wheels/ready" ]; then
    rm -rf "$cache/wheels"
    "$python" -m venv "$home"
    pip install --prefer-binary --upgrade 'pip>=25.1'
    pip install --prefer-binary 'setuptools>=77'
    source=$(mktemp -d)
    "$host" -m pip download -q --no-deps --no-binary :all: --no-build-isolation -d "$source" 'cffi>=2'
    tar xzf "$source"/cffi-*.tar.gz -C "$source"
    (cd "$source"/cffi-*/ && grep -v 'RuntimeError\|raise' setup.py >/dev/null &&
        sed -i 's/^\( *\)raise RuntimeError(/\1print(/' setup.py &&
        pip wheel --no-build-isolation --wheel-dir "$cache/wheels" .)
    rm -rf "$source"
    pip install --no-index --find-links "$cache/wheels" cffi
    what_tests_need
    touch "$cache/wheels/ready"
fi

if [ -n "${WHEEL:-}" ]; then
    home=$cache/venv-wheel
    rm -rf "$home"
    "$python" -m venv "$home"
    pip install --no-index --find-links "$cache/wheels" "$WHEEL"
    PYTHON_GIL=0 "$home/bin/python" -I -c 'import tlskit; tlskit.create_default_context()'
    what_tests_need
else
    build=$(mktemp -d)
    printf '[build]\nbuild_base = %s\n[egg_info]\negg_base = %s\n' "$build" "$build" \
        >"$build/build.cfg"
    DIST_EXTRA_CONFIG=$build/build.cfg TLSKIT_CFLAGS=-Werror \
        pip install --no-build-isolation --no-deps --force-reinstall .
    rm -rf "$build"
fi

echo "$home/bin/python"

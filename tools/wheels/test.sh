#!/usr/bin/env bash
# test.sh [WHEEL]: the tests against a wheel (by default the newest in dist/ for CPython here),
# in a new environment for each Python of VERSIONS that is here and for the system's own python3,
# and from a folder that has the tests, the pages and the tools, but not the sources: what is
# imported can only be the wheel. Each Python imports tlskit first where nothing but the wheel is.
# In VERSIONS, `system` is /usr/bin/python3. PYTEST_ARGS are pytest's.
set -euo pipefail
cd "$(dirname "$0")/../.."

versions=${VERSIONS:-3.10 3.11 3.12 3.13 3.14 3.15 system}
wheel=${1:-$(ls -t dist/tlskit-*-abi3-manylinux*_"$(uname -m)".whl 2>/dev/null | head -n 1)}
[ -n "$wheel" ] || { echo "test.sh: there is no wheel in dist/: run \`make wheel\` first" >&2; exit 1; }
wheel=$(realpath "$wheel")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tests-only"
cp -R tests tools bench docs README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md Makefile \
    pyproject.toml "$work/tests-only/"
find "$work/tests-only" -name __pycache__ -type d -prune -exec rm -rf {} +
# what asks the sources something
needs_sources=$(grep -rlE '"(src|\.github)"|build_ffi|from \.c(\.\w+)? import' tests --include='test_*.py')

pip() { "$work/$version/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }

alone() {
    "$work/$version/bin/python" -I - "$wheel" <<'PY'
import sys

import _tlsbind, tlskit

assert sys.prefix in tlskit.__file__ and sys.prefix in _tlsbind.__file__, tlskit.__file__
context = tlskit.create_default_context()
assert context.verify_mode is tlskit.CERT_REQUIRED and context.check_hostname
print(f"  imported alone: {tlskit.OPENSSL_VERSION} in Python {sys.version.split()[0]}")
PY
}

try() {
    "$1" -m venv "$work/$version"
    pip install --only-binary :all: "$wheel"
    alone
    pip install --prefer-binary --upgrade 'pip>=25.1'
    (cd "$work/tests-only" && pip install --prefer-binary --group test)
    # shellcheck disable=SC2086  # lists of words
    (cd "$work/tests-only" && "$work/$version/bin/python" -m pytest -q -p no:cacheprovider \
        -m 'not slow and not conformance' $(printf ' --ignore %s' $needs_sources) ${PYTEST_ARGS:-})
}

echo "testing $(basename "$wheel")"
# A distribution's Python is built in another way than pyenv's or python.org's of that version.
pythons() {
    # shellcheck disable=SC2086  # a list of words
    sh tools/pythons.sh ${versions//system/}
    case " $versions " in
        *" system "*) [ ! -x /usr/bin/python3 ] || echo "system /usr/bin/python3" ;;
    esac
}

failed=() tried=()
while read -r version python; do
    [ "$python" != - ] || continue
    echo "== Python $version: $python"
    tried+=("$version")
    set +e # beside || or in a condition, the first failure of `try` would not end it
    (set -e; try "$python")
    result=$?
    set -e
    [ "$result" = 0 ] || failed+=("$version")
    last=$version
done < <(pythons)
[ "${#tried[@]}" -gt 0 ] || { echo "test.sh: none of $versions is on this machine" >&2; exit 1; }

version=$last
echo "== living with others, the system's trust, and memory: Python $version"
pip install --only-binary :all: cryptography pyopenssl
for script in neighbours trust memory; do
    "$work/$version/bin/python" -I "$work/tests-only/tools/wheels/$script.py" || failed+=("$script")
done

echo "tried: ${tried[*]}; failed: ${failed[*]:-none}"
[ "${#failed[@]}" = 0 ]

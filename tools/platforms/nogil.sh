#!/usr/bin/env bash
# nogil.sh [PYTEST_ARGS...]: the tests in a free-threaded CPython 3.13, with the GIL off (by default
# tests/core and tests/threads; those of sessions need cryptography). `make test-nogil` calls it.
set -euo pipefail
cd "$(dirname "$0")/../.."

host=$(command -v "${PYTHON:-python3}")
python=$(tools/platforms/nogil-venv.sh)
export PYTHON_GIL=0 TRUSTME_PYTHON=$host
"$python" -m tests.support.smoke
if [ $# = 0 ]; then set -- tests/core tests/threads; fi
exec "$python" -m pytest -q -p no:cacheprovider -p tests.support.elsewhere --timeout=400 \
    -m 'not slow and not conformance' "$@"

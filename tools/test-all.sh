#!/bin/sh
# `make test` with each of these Python versions that is on this machine: `tools/test-all.sh 3.10 3.13`.
# A missing one is reported and does not count as a failure, unless all are missing.
set -u

here=$(dirname "$0")
report=
failed=0
tested=0
pythons=$(sh "$here/pythons.sh" "$@")

while read -r version python; do
    if [ "$python" = - ]; then
        report="$report
$version: not on this machine"
        continue
    fi
    echo "== Python $version: $python"
    tested=$((tested + 1))
    if "${MAKE:-make}" --no-print-directory test PYTHON="$python" </dev/null; then
        report="$report
$version: passed"
    else
        failed=1
        report="$report
$version: FAILED"
    fi
done <<END
$pythons
END

echo "$report"
[ "$tested" -gt 0 ] && exit "$failed"
echo "tools/test-all.sh: none of $* is on this machine" >&2
exit 1

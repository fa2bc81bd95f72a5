#!/bin/sh
# Run tests under gcc's ThreadSanitizer: tools/tsan.sh PYTHON PATH...
#
# PYTHON is of an environment whose extension was built with -fsanitize=thread. The interpreter and
# libcrypto are not: tsan.suppressions says what is to be made of that. Fails when a race was
# reported, also in a forked child.
set -eu
python=$1
shift
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
# Addresses that are random where the sanitizer wants its own memory end it before it begins.
fixed=$(setarch -R true 2>/dev/null && echo "setarch -R" || true)
status=0
# A process for each file: the sanitizer never forgets a thread. It knows nothing of forks.
for file in $(find "$@" -name 'test_*.py' ! -name 'test_fork*' | sort); do
    last=0
    LD_PRELOAD=$(cc -print-file-name=libtsan.so) \
        TSAN_OPTIONS="suppressions=$PWD/tools/tsan.suppressions log_path=$found/race \
            die_after_fork=0 report_thread_leaks=0 report_signal_unsafe=0 exitcode=0" \
        $fixed "$python" -m pytest -q -p no:cacheprovider -m 'not slow' -k 'not fork and not child' "$file" || last=$?
    [ "$last" = 0 ] || [ "$last" = 5 ] || status=$last # 5: all tests of a file are slow
done
for report in "$found"/race*; do
    [ -e "$report" ] || continue
    cat "$report"
    status=66
done
exit $status

#!/bin/sh
# For each version asked for, a line with the version and an interpreter of it, or `-` when there is none here:
# `tools/pythons.sh 3.10 3.13`. Looks among pyenv's versions, and then on the PATH.
set -eu

works() { [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$2" ]; }

# PYENV_ROOT is not always there; but what lies on the PATH says where pyenv is.
roots="${PYENV_ROOT:-} $(command -v pyenv 2>/dev/null | sed 's:/[^/]*/pyenv$::') $HOME/.pyenv"

find_python() {
    for root in $roots; do
        for candidate in "$root"/versions/"$1".*/bin/python; do
            if works "$candidate" "$1"; then
                echo "$candidate"
                return
            fi
        done
    done
    if works "python$1" "$1"; then
        command -v "python$1"
        return
    fi
    echo -
}

for version in "$@"; do
    echo "$version $(find_python "$version")"
done

#!/bin/sh
# install.sh ENVIRONMENT: put the newest wheel in dist/ that fits this machine into an environment of
# PYTHON, and print the arguments with which the benchmark uses it; nothing where there is no wheel.
set -eu
wheel=$(ls -t dist/tlskit-*-abi3-manylinux*_"$(uname -m)".whl 2>/dev/null | head -n 1)
[ -n "$wheel" ] || exit 0
"${PYTHON:-python3}" -m venv "$1"
"$1/bin/python" -m pip --quiet --disable-pip-version-check install --force-reinstall "$wheel" >&2
echo "--wheel $1/bin/python"

#!/usr/bin/env bash
# prepare_container.sh: install what OpenSSL's build needs, and the containers in which cibuildwheel
# builds the wheels for Linux do not have: Perl's own modules (Configure uses IPC::Cmd), and the
# kernel's headers in those of musllinux.
set -euo pipefail

if command -v apk >/dev/null; then
    apk add --no-cache perl linux-headers
elif command -v dnf >/dev/null; then
    dnf -y install perl-core
else
    yum -y install perl-core
fi

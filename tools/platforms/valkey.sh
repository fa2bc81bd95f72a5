#!/usr/bin/env bash
# valkey.sh [DIR]: a Valkey server from Debian sid, with the libraries that it needs, in a folder that
# every user may read (/tmp/tlskit-valkey). Prints the folder to put on the PATH: it has valkey-server
# and valkey-cli. `make test-valkey` calls it. Needs apt-get and a chroot of debian-root.sh, thus root.
# Undo: rm -rf DIR
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=${1:-/tmp/tlskit-valkey}
if [ ! -e "$dir/ready" ]; then
    root=$(tools/platforms/debian-root.sh)
    rm -rf "$dir" && mkdir -p "$dir/bin" "$dir/lib" && chmod 755 "$dir"
    {
        chroot "$root" apt-get -qq update || true # a stale list will do
        printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # start nothing
        chmod 755 "$root/usr/sbin/policy-rc.d"
        chroot "$root" apt-get -qq install -y --no-install-recommends valkey-server valkey-tools
    } >&2 </dev/null
    for name in valkey-server valkey-cli; do
        cp -L "$root/usr/bin/$name" "$dir/lib/$name"
        chroot "$root" ldd "/usr/bin/$name" | grep -o '/[^ ]*' | while read -r library; do
            cp -L "$root$library" "$dir/lib/"
        done
        printf '#!/bin/sh\nexec %s/lib/ld-linux-x86-64.so.2 --library-path %s/lib %s/lib/%s "$@"\n' \
            "$dir" "$dir" "$dir" "$name" >"$dir/bin/$name"
        chmod 755 "$dir/bin/$name"
    done
    "$dir/bin/valkey-server" --version >&2
    touch "$dir/ready"
fi
echo "$dir/bin"

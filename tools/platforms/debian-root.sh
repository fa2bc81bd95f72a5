#!/usr/bin/env bash
# debian-root.sh [DIR]: Debian sid in a folder, with Pythons that this machine lacks: CPython 3.14 and
# 3.15 and PyPy 3, gcc, and OpenSSL's headers. Prints DIR. Needs root and debootstrap, which it
# installs; a minute or three, and 1.5 GB. Does nothing but mount what it must when DIR is there.
# Undo: umount DIR/proc DIR/dev/pts DIR/dev && rm -rf DIR
set -euo pipefail

cache=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}
root=${1:-$cache/debian-sid}
packages=gcc,libc6-dev,libffi-dev,libssl-dev,pkgconf,make,git,openssl,openssl-provider-fips,ca-certificates
packages+=,pypy3,pypy3-dev,pypy3-venv
for version in 3.14 3.15; do
    packages+=,python$version,python$version-venv,python$version-dev,libpython$version-testsuite
done

if [ ! -e "$root/opt/ready" ]; then
    command -v debootstrap >/dev/null || { apt-get -qq update && apt-get -qq install -y debootstrap; } >&2
    mirror=$(find /etc/apt '(' -name '*.list' -o -name '*.sources' ')' -exec cat {} + |
        grep -oE 'https?://[^ ]+/debian/?( |$)' | sort -u | head -n 1 | tr -d ' ')
    mkdir -p "$root"
    debootstrap --variant=minbase --include="$packages" sid "$root" "$mirror" >&2
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    cp -L /etc/pip.conf "$root/etc/" 2>/dev/null || true
    touch "$root/opt/ready"
fi
for folder in proc dev dev/pts; do
    mountpoint -q "$root/$folder" || mount --bind "/$folder" "$root/$folder"
done
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
echo "$root"

#!/usr/bin/env bash
# source.sh NAME: the path of the tarball that tools/sources.txt pins as NAME, on standard output.
# It is fetched once into the cache: from its origin, or else from Debian's source packages by way
# of this machine's apt. Whatever its way here, its SHA-256 is checked each time. TLSKIT_CACHE:
# the cache, ~/.cache/tlskit by default. TLSKIT_SOURCES: a folder to look in first.
set -euo pipefail
cd "$(dirname "$0")"

name=${1:?usage: source.sh NAME (the names are in sources.txt)}
read -r _ version sum debian url <<<"$(grep -E "^${name}[[:space:]]" sources.txt || true)"
if [ -z "${url:-}" ]; then
    echo "source.sh: sources.txt has no $name" >&2
    exit 2
fi
file=${url##*/}
kept=${TLSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tlskit}/sources
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; } # macOS
right() { [ "$(sha256 <"$1")" = "$sum  -" ]; }

from_origin() { curl -fsSL --retry 3 --connect-timeout 10 -o "$work/$file" "$url" 2>"$work/curl"; }

# A private apt configuration: this machine's own mirror and keyring, another suite, sources alone.
from_debian() {
    local package=${debian%@*} suite=${debian#*@} mirror
    [ "$debian" != - ] && command -v apt-get >/dev/null || return 1
    mirror=$(find /etc/apt '(' -name '*.list' -o -name '*.sources' ')' -exec cat {} + |
        grep -oE 'https?://[^ ]+/debian/?( |$)' | sort -u | head -n 1 | tr -d ' ')
    [ -n "$mirror" ] || return 1
    mkdir -p "$work/lists/partial" "$work/parts"
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    printf 'deb-src [signed-by=%s] %s %s main\n' "$keys" "$mirror" "$suite" >"$work/sources.list"
    local options=(-qq -o "Dir::Etc::SourceList=$work/sources.list"
        -o "Dir::Etc::SourceParts=$work/parts" -o "Dir::State::Lists=$work/lists"
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >"$work/apt" 2>&1 || return 1
    local found # the newest packaging of this very version
    found=$(apt-cache "${options[@]}" showsrc --only-source "$package" |
        sed -n "s/^Version: \($version-.*\)/\1/p" | sort -V | tail -n 1)
    [ -n "$found" ] || { echo "$suite has no $package $version" >"$work/apt"; return 1; }
    (cd "$work" && apt-get "${options[@]}" source --download-only --only-source \
        "$package=$found" >>"$work/apt" 2>&1) || return 1
    mv "$work/${package}_$version".orig.tar.?z "$work/$file"
}

for place in "${TLSKIT_SOURCES:-$kept}/$file" "$kept/$file"; do
    if [ -e "$place" ] && right "$place"; then
        echo "$place"
        exit 0
    fi
done
for way in from_origin from_debian; do
    if $way && right "$work/$file"; then
        mkdir -p "$kept"
        mv "$work/$file" "$kept/$file"
        echo "$kept/$file"
        exit 0
    fi
    [ ! -e "$work/$file" ] || echo "source.sh: what came as $file has another SHA-256: dropped" >&2
    rm -f "$work/$file"
done
cat "$work/curl" "$work/apt" >&2 2>/dev/null || true
echo "source.sh: $file is not to be had. Put it into $kept, or name its folder in TLSKIT_SOURCES" >&2
exit 1

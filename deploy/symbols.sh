#!/usr/bin/env bash
# Splits a program with debug information into the program that is installed and a file with its symbols.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: deploy/symbols.sh PROGRAM DIRECTORY

Writes DIRECTORY/gavel, without symbols, and DIRECTORY/gavel.debug, which debuggers, perf and addr2line read
(they find it beside the program, or by its build id below /usr/lib/debug). PROGRAM stays as it is:

    cargo build --profile dist
    deploy/symbols.sh target/dist/gavel DIRECTORY
USAGE
}

fail() { printf 'symbols: %s\n' "$*" >&2; exit 1; }

[ $# -eq 2 ] || { usage >&2; exit 2; }
program=$1 directory=$2
[ -f "$program" ] || fail "'$program' does not exist: build it with 'cargo build --profile dist'"
command -v objcopy >/dev/null || fail "objcopy is missing: install binutils"
# Not grep -q, whose early end would fail objdump.
objdump --section-headers "$program" | grep '\.debug_line' >/dev/null ||
    fail "'$program' has no debug information: build it with 'cargo build --profile dist'"

mkdir -p "$directory"
name=$(basename "$program")
# Written under other names first: an interrupted run leaves no half of a program behind.
new=$(mktemp -d "$directory/.symbols.XXXXXX")
trap 'rm -rf "$new"' EXIT
objcopy --only-keep-debug --compress-debug-sections "$program" "$new/$name.debug"
chmod 644 "$new/$name.debug"
objcopy --strip-all --add-gnu-debuglink="$new/$name.debug" "$program" "$new/$name"
mv "$new/$name.debug" "$new/$name" "$directory/"
du --apparent-size --block-size=MB "$directory/$name" "$directory/$name.debug"

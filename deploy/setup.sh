#!/usr/bin/env bash
# Makes a Debian 12 machine fit to build gavel, run its tests and judge every language of languages.toml.
# Safe to run again: what is there is left alone, and finding that out takes well under a second.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: deploy/setup.sh [--with-broker] [--with-vm] [--minimal]

  --minimal      only what building and testing gavel itself needs: C, C++, Python, Bash
  --with-broker  also RabbitMQ and its Python client, for the tests of the queue and the README's worker
  --with-vm      also QEMU and debootstrap, for the tests in a virtual machine
USAGE
}

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# What cargo's linker and the tests' own programs need; mount and unshare among them, which a container may lack.
base=(gcc g++ libc6-dev python3 bash ca-certificates mount util-linux)

# What languages.toml names, without the recommended rest. Where a line has more than one package, the
# compiler's package does not depend on the libraries that contestants expect with it.
languages=(
    clang
    rustc
    golang-go
    openjdk-17-jdk-headless
    kotlin
    scala
    mono-mcs mono-runtime libmono-system-core4.0-cil libmono-system-numerics4.0-cil
    pypy3
    node-typescript
    ghc
    ocaml-nox
    fp-compiler-3.2.2 fp-units-rtl-3.2.2 fp-units-base-3.2.2 fp-units-fcl-3.2.2
    gdc
    gfortran
    gnat
    nim
    gnucobol4
    nasm
    erlang-base
    ruby
    php-cli
    perl
    lua5.4
    sbcl
    guile-3.0
    swi-prolog-nox
    tcl
    gawk
)

wanted=("${base[@]}")
minimal=false
for option in "$@"; do
    case "$option" in
        --minimal) minimal=true ;;
        # erlang-base has epmd and erl_call, by which the tests look after their own nodes.
        --with-broker) wanted+=(rabbitmq-server erlang-base python3-pika) ;;
        --with-vm) wanted+=(qemu-system-x86 seabios debootstrap e2fsprogs binutils) ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; fail "unknown option '$option'" ;;
    esac
done
if ! $minimal; then
    wanted+=("${languages[@]}")
    # A node that is there already, from wherever, is the one that is used: a second one would conflict.
    if [ ! -x /usr/bin/node ] && [ ! -x /usr/local/bin/node ]; then
        wanted+=(nodejs)
    fi
fi

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null \
    || fail "this is no Debian: install by hand what 'gavel languages --check' finds missing"

# The wanted packages that are not installed, one a line.
missing_packages() {
    local installed
    installed=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null \
        | sed -n 's/^installed //p' || true)
    comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(printf '%s\n' "$installed" | sort -u)
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "packages are missing and only root can install them: run this as root, or install sudo"
    fi
}

mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" -eq 0 ]; then
    say "all ${#wanted[@]} packages are installed"
else
    say "installing ${#missing[@]} packages: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 "${missing[@]}"
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -eq 0 ] || fail "still not installed: ${missing[*]}"
    say "installed"
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Not installed from here: the distribution's is too old, and how Rust comes to a machine is its owner's choice.
needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    fail "cargo is installed but not on PATH: run '. \"${CARGO_HOME:-$HOME/.cargo}/env\"' and start this again"
fi
command -v cargo >/dev/null \
    || fail "cargo is missing: install Rust $needed or newer with rustup (https://rustup.rs) and start this again"
found=$(cd "$root" && cargo --version | awk '{ print $2 }')
oldest=$(printf '%s\n%s\n' "$needed" "$found" | sort --version-sort | head -n 1)
[ "$oldest" = "$needed" ] \
    || fail "cargo $found is too old: gavel needs Rust $needed or newer; run 'rustup update stable'"
say "cargo $found"

# Tests' large inputs are generated, not committed.
if [ -f "$root/testdata/generate.py" ]; then
    /usr/bin/python3 "$root/testdata/generate.py"
fi
say "ready"

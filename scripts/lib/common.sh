# What the scripts share: where things are, and how they say what they do. Sourced, not run.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/caregrid
VENV=$ROOT/.venv
BEGUN=$(date +%s%N)

# say TEXT: one line with the seconds since the script began.
say() {
    local elapsed=$((($(date +%s%N) - BEGUN) / 100000000))
    printf '%4d.%d s  %s\n' $((elapsed / 10)) $((elapsed % 10)) "$*" >&2
}

# fail TEXT: what went wrong and what to do.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# digest FILE...: one hash over the contents, wherever the files lie.
digest() {
    local file
    for file in "$@"; do sha256sum <"$file"; done | sha256sum | cut -c1-32
}

# logged NAME COMMAND...: run quietly; the log is shown when it fails.
logged() {
    local log=$CACHE/logs/$1.log
    shift
    mkdir -p "$CACHE/logs"
    "$@" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        fail "that failed; the whole log is in $log"
    }
}

# need_packages NAME...: install those Debian packages that are missing.
need_packages() {
    local missing=()
    local name
    for name in "$@"; do
        [ -e "/var/lib/dpkg/info/$name.list" ] || [ -e "/var/lib/dpkg/info/$name:amd64.list" ] ||
            missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" = 0 ] || fail "run as root once, or install: apt-get install ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    logged apt-update apt-get update
    logged apt-install env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
}

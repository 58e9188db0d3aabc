# Chopsticks executes the runtime without a Rust build. Sourced, not run.

# Sets CAREGRID_CHOPSTICKS and CAREGRID_CHAIN_SPEC.
ensure_chopsticks() {
    local source=$ROOT/scripts/chopsticks
    command -v node >/dev/null || need_packages nodejs npm
    local major
    major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$major" -ge 20 ] || fail "Node.js 20 or newer is needed, this is $(node --version)"
    export CAREGRID_CHOPSTICKS CAREGRID_CHAIN_SPEC=$ROOT/chain-spec/development.raw.json
    CAREGRID_CHOPSTICKS=$CACHE/chopsticks-$(digest "$source/package.json" "$source/package-lock.json")
    [ -f "$CAREGRID_CHOPSTICKS/.complete" ] && return
    say "installing chopsticks (one to two minutes, once)"
    rm -rf "$CAREGRID_CHOPSTICKS"
    mkdir -p "$CAREGRID_CHOPSTICKS"
    cp "$source"/package*.json "$CAREGRID_CHOPSTICKS/"
    logged chopsticks npm ci --prefix "$CAREGRID_CHOPSTICKS" --no-audit --no-fund --ignore-scripts
    touch "$CAREGRID_CHOPSTICKS/.complete"
}

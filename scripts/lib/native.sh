# The native part: what Python cannot do fast, as the wheel `caregrid-native`. Sourced, not run.
#
# The wheel lies under a hash of all it is made of, compiler included, so it can never be an old one.

NATIVE_CRATES=(erasure podr2 json values schema fhirpath validation native)

native_setup() {
    command -v cargo >/dev/null || fail "install Rust's stable toolchain by rustup"
    NATIVE_KEY=$( (rustc -vV && cd "$ROOT" && native_sources | xargs -0 sha256sum) | sha256sum | cut -c1-32)
    NATIVE_TARGET=$CACHE/native-cargo-$(rustc -vV | sha256sum | cut -c1-16)
}

# Files, each ended by a zero byte.
native_sources() {
    find native scripts/lib/native.sh -path native/target -prune -o -type f -print0 | LC_ALL=C sort -z
}

# Sets NATIVE_WHEEL to the wheel of this source, building it when there is none. Needs maturin in the environment.
ensure_native_wheel() {
    native_setup
    local folder=$CACHE/native-$NATIVE_KEY
    compgen -G "$folder/*.whl" >/dev/null || build_native_wheel "$folder"
    NATIVE_WHEEL=$(compgen -G "$folder/*.whl")
}

build_native_wheel() {
    say "building the native part (a minute the first time)"
    local part=$1.part.$$ crate
    command -v cc >/dev/null || need_packages gcc libc6-dev
    export CARGO_TARGET_DIR=$NATIVE_TARGET
    # Cargo goes by modification times; our own crates are compiled anew, so that none can be an old one.
    for crate in "${NATIVE_CRATES[@]}"; do
        logged native-clean cargo clean --manifest-path "$ROOT/native/Cargo.toml" --release -p "caregrid-$crate"
    done
    logged native-wheel "$VENV/bin/maturin" build --manifest-path "$ROOT/native/python/Cargo.toml" \
        --release --locked --interpreter "$VENV/bin/python" --out "$part"
    unset CARGO_TARGET_DIR
    rm -rf "$1"
    mv "$part" "$1"
}

native_fmt() {
    cargo fmt --manifest-path "$ROOT/native/Cargo.toml" --all --check
}

# The binding to Python is compiled by the wheel, and tested from there.
native_test() {
    native_setup
    CARGO_TARGET_DIR=$NATIVE_TARGET cargo test --manifest-path "$ROOT/native/Cargo.toml" --locked --workspace \
        --exclude caregrid-native
}

native_clippy() {
    native_setup
    cargo clippy --version >/dev/null 2>&1 || logged clippy rustup component add clippy
    CARGO_TARGET_DIR=$NATIVE_TARGET cargo clippy --manifest-path "$ROOT/native/Cargo.toml" --locked --all-targets \
        --workspace -- -D warnings
}

# The node: built once for each state of its source, kept outside the checkout. Sourced, not run.
#
# The finished node lies under a hash of everything it is made of, so it can never be an old one. Compiled
# crates are kept for each pair of compilers; the workspace's own are touched before a build of another state,
# because cargo goes by modification times.

RUST_PACKAGES=(
    rustc-web cargo-web rust-web-src lld-19 # the WASM toolchain
    protobuf-compiler clang libclang-dev cmake g++ make pkg-config libssl-dev
)
WASM_TARGET=wasm32v1-none

rust_sources() {
    (cd "$ROOT" && find Cargo.toml Cargo.lock scripts/lib/rust.sh pallet runtime node -type f -print0 |
        LC_ALL=C sort -z)
}

# Sets RUST_KEY (the compilers) and NODE_KEY (compilers and source).
rust_keys() {
    command -v cargo >/dev/null || fail "install Rust's stable toolchain by rustup"
    RUST_KEY=$( (rustc -vV && dpkg-query -W rustc-web lld-19 2>/dev/null) | sha256sum | cut -c1-16)
    NODE_KEY=$( (cd "$ROOT" && echo "$RUST_KEY" && rust_sources | xargs -0 sha256sum) | sha256sum | cut -c1-32)
    export CARGO_TARGET_DIR=$CACHE/cargo-$RUST_KEY
}

# Sets CAREGRID_NODE to the node of this source, building it when there is none.
ensure_node() {
    need_packages "${RUST_PACKAGES[@]}"
    rust_keys
    export CAREGRID_NODE=$CACHE/node-$NODE_KEY/caregrid-node
    [ -x "$CAREGRID_NODE" ] && return
    ensure_wasm_toolchain
    build_node
}

build_node() {
    say "building the node: half an hour on two cores the first time, minutes after a change"
    touch_changed
    local begun=$SECONDS
    # Paths are remapped so that the WASM does not depend on where it was built.
    local flags="-C link-arg=--allow-undefined --remap-path-prefix=$ROOT=/caregrid"
    flags+=" --remap-path-prefix=$CARGO_TARGET_DIR=/target"
    flags+=" --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    WASM_BUILD_TOOLCHAIN=debian-wasm WASM_BUILD_WORKSPACE_HINT=$ROOT WASM_BUILD_RUSTFLAGS=$flags \
        PATH=$CACHE/bin:$PATH \
        watched node cargo build --manifest-path "$ROOT/Cargo.toml" --release --locked -p caregrid-node
    mkdir -p "$CACHE/node-$NODE_KEY"
    local wasm=$CARGO_TARGET_DIR/release/wbuild/caregrid-runtime/caregrid_runtime.compact.compressed.wasm
    cp "$wasm" "$CACHE/node-$NODE_KEY/runtime.wasm"
    cp "$CARGO_TARGET_DIR/release/caregrid-node" "$CAREGRID_NODE.part"
    mv "$CAREGRID_NODE.part" "$CAREGRID_NODE"
    say "the node is built ($((SECONDS - begun)) s)"
}

# Debian's compiler has no WASM standard library; it is compiled from Debian's source, in half a minute.
ensure_wasm_toolchain() {
    local stamp
    stamp=$CACHE/wasm-$(dpkg-query -W rustc-web rust-web-src lld-19 | sha256sum | cut -c1-16)
    local libraries=/usr/lib/rustlib/$WASM_TARGET/lib
    mkdir -p "$CACHE/bin"
    ln -sf /usr/lib/llvm-19/bin/lld "$CACHE/bin/rust-lld"
    rustup toolchain list | grep -q '^debian-wasm' || logged rustup rustup toolchain link debian-wasm /usr
    [ -f "$stamp" ] && compgen -G "$libraries/libcore-*.rlib" >/dev/null && return
    [ "$(id -u)" = 0 ] || fail "run as root once: the WASM standard library goes to $libraries"
    say "compiling the WASM standard library"
    local work
    work=$(mktemp -d)
    mkdir "$work/src"
    echo '#![no_std]' >"$work/src/lib.rs"
    printf '[package]\nname = "std-only"\nedition = "2021"\n[workspace]\n' >"$work/Cargo.toml"
    (cd "$work" && RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR=target \
        logged wasm-std /usr/bin/cargo build --release --target $WASM_TARGET -Z build-std=core,alloc)
    rm -rf "$libraries" "$CACHE"/cargo-*/release/wbuild
    mkdir -p "$libraries"
    cp "$work/target/$WASM_TARGET"/release/deps/lib{core,alloc,compiler_builtins}-*.rlib "$libraries/"
    rm -rf "$work"
    touch "$stamp"
}

# Make cargo look at the workspace's own files when they are not those of its last build here.
touch_changed() {
    local stamp=$CARGO_TARGET_DIR/.caregrid-source
    mkdir -p "$CARGO_TARGET_DIR"
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$ROOT $NODE_KEY" ] && return
    (cd "$ROOT" && find pallet runtime node -name '*.rs' -exec touch {} +)
    echo "$ROOT $NODE_KEY" >"$stamp"
}

# watched NAME COMMAND...: as `logged`, with a line each minute that says how far cargo has come.
watched() {
    local log=$CACHE/logs/$1.log status=0
    shift
    mkdir -p "$CACHE/logs"
    "$@" >"$log" 2>&1 &
    local child=$!
    trap 'kill $child 2>/dev/null' EXIT
    while kill -0 $child 2>/dev/null; do
        for _ in $(seq 60); do
            kill -0 $child 2>/dev/null || break
            sleep 1
        done
        kill -0 $child 2>/dev/null && say "$(grep -c Compiling "$log" || true) crates so far"
    done
    trap - EXIT
    wait $child || status=$?
    [ $status -eq 0 ] || {
        tail -n 40 "$log" >&2
        fail "that failed; the whole log is in $log"
    }
}

# The node, the runtime's WASM and whatever else cargo makes, all kept outside the checkout. Sourced, not run.
#
# The finished node lies under a hash of everything it is made of, so it can never be an old one. Compiled
# crates are kept for each pair of compilers.
#
# Cargo never works on the checkout but on a mirror of its Rust files, at one path for every checkout. Cargo mixes
# the path of the runtime's crates into the names of symbols, so only one path gives one WASM
# (docs/adr/0006-rust-builds.md). And cargo goes by modification times: in the mirror they are those of the last
# change of content, whichever checkout it came from.

RUST_PACKAGES=(
    rustc-web cargo-web rust-web-src lld-19 # the WASM toolchain
    protobuf-compiler clang libclang-dev cmake g++ make pkg-config libssl-dev
)
WASM_TARGET=wasm32v1-none
SOURCE=/tmp/caregrid-source
# One set of features for the tests and the second run of clippy: then they share what they compile.
TESTED_FEATURES=runtime-benchmarks,try-runtime
TESTED_CRATES=(-p caregrid-expiry -p pallet-emr -p pallet-threats -p caregrid-runtime -p caregrid-weights)

# Sets RUST_KEY (the compilers), NODE_KEY (compilers and source) and what cargo and the WASM's build go by. Each
# run of cargo needs the same, or it would build the WASM anew.
rust_setup() {
    command -v cargo >/dev/null || fail "install Rust's stable toolchain by rustup"
    RUST_KEY=$( (rustc -vV && dpkg-query -W rustc-web lld-19 2>/dev/null) | sha256sum | cut -c1-16)
    NODE_KEY=$( (echo "$RUST_KEY" && node_hashes) | sha256sum | cut -c1-32)
    export CARGO_TARGET_DIR=$CACHE/cargo-$RUST_KEY
    export WASM_BUILD_TOOLCHAIN=debian-wasm WASM_BUILD_WORKSPACE_HINT=$SOURCE
    # Paths are remapped so that the WASM does not depend on where caches are.
    WASM_BUILD_RUSTFLAGS="-C link-arg=--allow-undefined --remap-path-prefix=$SOURCE=/caregrid"
    WASM_BUILD_RUSTFLAGS+=" --remap-path-prefix=$CARGO_TARGET_DIR=/target"
    WASM_BUILD_RUSTFLAGS+=" --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    export WASM_BUILD_RUSTFLAGS PATH=$CACHE/bin:$PATH
}

# Files, each ended by a zero byte: all that cargo needs to see.
rust_sources() {
    (cd "$ROOT" && find Cargo.toml Cargo.lock pallet runtime node weights -type f -print0 | LC_ALL=C sort -z)
}

# What the node is made of. Weights are measured beside it, not in it.
node_hashes() {
    (cd "$ROOT" && rust_sources | grep -zv '^weights/' | xargs -0 sha256sum scripts/lib/rust.sh)
}

# Sets CAREGRID_NODE to the node of this source, building it when there is none.
ensure_node() {
    need_packages "${RUST_PACKAGES[@]}"
    rust_setup
    export CAREGRID_NODE=$CACHE/node-$NODE_KEY/caregrid-node
    [ -x "$CAREGRID_NODE" ] && return
    ensure_wasm_toolchain
    build_node
}

build_node() {
    say "building the node: half an hour on two cores the first time, minutes after a change"
    local begun=$SECONDS
    in_mirror watched node cargo_build -p caregrid-node
    local key=$NODE_KEY
    rust_setup
    [ "$key" = "$NODE_KEY" ] || fail "the sources were changed meanwhile; run it again"
    mkdir -p "$CACHE/node-$NODE_KEY"
    cp "$(wasm_file)" "$CACHE/node-$NODE_KEY/runtime.wasm"
    cp "$CARGO_TARGET_DIR/release/caregrid-node" "$CAREGRID_NODE.part"
    mv "$CAREGRID_NODE.part" "$CAREGRID_NODE"
    say "the node is built ($((SECONDS - begun)) s)"
}

# build_wasm [FEATURE]: the runtime's WASM alone. Sets CAREGRID_WASM.
build_wasm() {
    need_packages "${RUST_PACKAGES[@]}"
    rust_setup
    ensure_wasm_toolchain
    say "building the runtime's WASM${1:+ with $1}"
    in_mirror watched wasm cargo_build -p caregrid-runtime-wasm ${1:+--features "$1"}
    CAREGRID_WASM=$(wasm_file "${1:-}")
}

# wasm_file [FEATURE]: where the builder in runtime/wasm puts it.
wasm_file() {
    local name=caregrid_runtime${1:+_${1#runtime-}}
    echo "$CARGO_TARGET_DIR/release/wbuild/caregrid-runtime/${name//-/_}.compact.compressed.wasm"
}

cargo_build() {
    cargo build --manifest-path "$SOURCE/Cargo.toml" --release --locked "$@"
}

cargo_test() {
    rust_setup
    in_mirror cargo test --manifest-path "$SOURCE/Cargo.toml" --locked --features $TESTED_FEATURES "${TESTED_CRATES[@]}"
}

# Warnings are errors, without and with the features. Call it when the node is built: the first run shares the
# node's build scripts and procedural macros, the second those of the tests.
cargo_clippy() {
    rust_setup
    cargo clippy --version >/dev/null 2>&1 || logged clippy rustup component add clippy
    local all=(cargo clippy --manifest-path "$SOURCE/Cargo.toml" --locked --all-targets)
    in_mirror "${all[@]}" --release --workspace -- -D warnings
    in_mirror "${all[@]}" --features $TESTED_FEATURES "${TESTED_CRATES[@]}" -- -D warnings
}

# in_mirror COMMAND...: run it while the mirror holds this checkout's sources and nobody changes them.
in_mirror() (
    own_mirror
    exec 9<"$SOURCE"
    flock -n 9 || {
        say "waiting for another build"
        flock 9
    }
    refresh_mirror
    # Cargo reads its configuration from the working directory upwards, which must not lead through /tmp.
    cd "$ROOT"
    "$@"
)

# Everybody may write to /tmp, but nobody else's sources may be compiled.
own_mirror() {
    mkdir -m 700 "$SOURCE" 2>/dev/null || true
    [ ! -L "$SOURCE" ] && [ "$(stat -c '%F %u %a' "$SOURCE")" = "directory $(id -u) 700" ] ||
        fail "$SOURCE must be a folder that is yours alone (mode 700); have it removed"
}

# Copy what differs, remove what is gone, and leave the rest alone with its modification time.
refresh_mirror() {
    local file library
    while IFS= read -r -d '' file; do
        cmp -s "$ROOT/$file" "$SOURCE/$file" && continue
        install -D -m 600 "$ROOT/$file" "$SOURCE/$file"
        # docify puts parts of tests into the documentation, and cargo does not know.
        library=$SOURCE/${file%%/src/*}/src/lib.rs
        [ ! -f "$library" ] || touch "$library"
    done < <(rust_sources)
    comm -z -13 <(rust_sources) <(cd "$SOURCE" && find . -type f -printf '%P\0' | LC_ALL=C sort -z) |
        (cd "$SOURCE" && xargs -0 -r rm --)
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

# watched NAME COMMAND...: as `logged`, with a line each minute that says how far cargo has come.
watched() {
    local log=$CACHE/logs/$1.log status=0
    shift
    mkdir -p "$CACHE/logs"
    set -m # a process group of its own, so that all of it can be ended
    "$@" >"$log" 2>&1 &
    local child=$!
    set +m
    trap 'kill -- -$child 2>/dev/null' EXIT
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

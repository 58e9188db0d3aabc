# The Python environment: locked packages in .venv, installed by uv, and our own. Sourced, not run.

source "$ROOT/scripts/lib/native.sh"

UV_VERSION=0.13.9

ensure_python() {
    local wanted stamp=$VENV/.caregrid
    native_setup
    wanted=$(digest "$ROOT/requirements.lock" "$ROOT/pyproject.toml")-$NATIVE_KEY
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
    local python
    python=$(command -v python3.11 || command -v python3) || fail "install Python 3.11"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed"
    ensure_uv "$python"
    say "installing locked Python packages"
    [ -x "$VENV/bin/python" ] || logged venv "$UV" venv --python "$python" "$VENV"
    logged python-packages "$UV" pip sync --python "$VENV/bin/python" --require-hashes "$ROOT/requirements.lock"
    ensure_native_wheel
    logged python-project "$UV" pip install --python "$VENV/bin/python" --no-deps --reinstall-package caregrid-native \
        --editable "$ROOT" "$NATIVE_WHEEL"
    echo "$wanted" >"$stamp"
}

# Sets UV to the pinned uv, in a folder of its own.
ensure_uv() {
    UV=$CACHE/uv-$UV_VERSION/bin/uv
    [ -x "$UV" ] && return
    say "installing uv $UV_VERSION"
    "$1" -c 'import ensurepip' 2>/dev/null || need_packages python3-venv
    logged uv-venv "$1" -m venv "$CACHE/uv-$UV_VERSION"
    logged uv "$CACHE/uv-$UV_VERSION/bin/pip" install "uv==$UV_VERSION"
}

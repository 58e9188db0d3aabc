"""The committed chain specs are what this source makes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "chain-spec"


def runtime_of(name: str) -> bytes:
    """Return the WASM within a raw chain spec."""
    top = json.loads((SPECS / name).read_text())["genesis"]["raw"]["top"]
    return bytes.fromhex(top["0x" + b":code".hex()][2:])


def test_the_specs_do_not_drift(node_program: Path) -> None:
    """Made anew from the built node they are the same; only other compilers excuse the WASM."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/lib/chain_spec.py", "--node", node_program, "--check"],
        capture_output=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout.decode()


def test_both_specs_carry_the_noted_runtime() -> None:
    """The raw specs hold one runtime, and its hash stands beside them."""
    note = json.loads((SPECS / "made-by.json").read_text())
    hashes = {hashlib.sha256(runtime_of(f"{name}.raw.json")).hexdigest() for name in ("development", "local")}
    assert {note["runtime_sha256"]} == hashes


def test_the_noted_runtime_was_built_twice() -> None:
    """`scripts/reproduce-wasm` got the committed runtime from its source, twice and by the same compilers."""
    made, reproduced = (
        json.loads((SPECS / f"{name}.json").read_text()) for name in ("made-by", "reproducible")
    )
    same = ("runtime_sha256", "source_sha256", "compilers")
    assert [made[key] for key in same] == [reproduced[key] for key in same]
    assert 2 == reproduced["builds"]


def test_the_local_network_tolerates_one_loss() -> None:
    """Four validators: GRANDPA needs more than two thirds."""
    patch = json.loads((SPECS / "local.json").read_text())["genesis"]["runtimeGenesis"]["patch"]
    assert 4 == len(patch["grandpa"]["authorities"]) == len(patch["aura"]["authorities"])

"""Writes or checks the chain specs in chain-spec/. Run by `scripts/chain-spec`."""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "chain-spec"
NOTE = FOLDER / "made-by.json"
#: File name and how the node calls it.
SPECS = {"development": "dev", "local": "local"}
#: Where a raw spec has the runtime: the well-known storage key `:code`.
CODE_KEY = "0x" + b":code".hex()


def main() -> None:
    """Write the specs, or compare them with what the node makes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--node", type=Path, required=True)
    options.add_argument("--check", action="store_true")
    chosen = options.parse_args()
    made = {
        f"{name}{suffix}.json": _export(chosen.node, chain, raw=bool(suffix))
        for name, chain in SPECS.items()
        for suffix in ("", ".raw")
    }
    sys.exit(_check(made) if chosen.check else _write(made))


def _export(node: Path, chain: str, *, raw: bool) -> str:
    command = [str(node), "export-chain-spec", f"--chain={chain}", *(["--raw"] if raw else [])]
    spec = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - our node
    if not raw:
        # The plain form is for reading; the raw one has the code.
        spec["genesis"]["runtimeGenesis"]["code"] = "see the raw spec"
    return json.dumps(spec, indent=2, sort_keys=True) + "\n"


def _write(made: dict[str, str]) -> int:
    for name, text in made.items():
        (FOLDER / name).write_text(text)
    note = {
        "source_sha256": _source(),
        "runtime_sha256": _runtime(made),
        "date": str(_today()),
        "compilers": _compilers(),
    }
    NOTE.write_text(json.dumps(note, indent=2) + "\n")
    return 0


def _check(made: dict[str, str]) -> int:
    """Everything but the WASM must be equal, and the WASM's source; its bytes may differ with the folder."""
    note = json.loads(NOTE.read_text())
    differing = [name for name, text in made.items() if _without_code(text) != _committed(name)]
    if note["source_sha256"] != _source() or differing:
        print(f"not what this source makes; run scripts/chain-spec: {' '.join(differing) or 'the runtime'}")
        return 1
    print("the chain specs are what this source makes")
    if note["runtime_sha256"] != _runtime(made):
        print(f"the WASM's bytes differ, by folder or compiler: {note['compilers']}, here {_compilers()}")
    return 0


def _committed(name: str) -> str:
    return _without_code((FOLDER / name).read_text())


def _without_code(text: str) -> str:
    spec = json.loads(text)
    spec["genesis"].get("raw", {}).get("top", {}).pop(CODE_KEY, None)
    return json.dumps(spec, sort_keys=True)


def _source() -> str:
    """Return one hash over what the runtime is made of."""
    root, total = FOLDER.parent, hashlib.sha256()
    inside = [path for folder in ("pallet", "runtime") for path in (root / folder).rglob("*")]
    for path in sorted([root / "Cargo.toml", root / "Cargo.lock", *inside]):
        if path.is_file():
            total.update(
                f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return total.hexdigest()


def _runtime(made: dict[str, str]) -> str:
    code = json.loads(made["development.raw.json"])["genesis"]["raw"]["top"][CODE_KEY]
    return hashlib.sha256(bytes.fromhex(code[2:])).hexdigest()


def _compilers() -> str:
    return subprocess.run(
        ["/usr/bin/rustc", "--version"], check=True, capture_output=True, text=True
    ).stdout.strip()


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


if __name__ == "__main__":
    main()

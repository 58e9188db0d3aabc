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
#: Folders and files that are compiled for tests only, so no part of the WASM.
TESTS = frozenset({"tests", "tests.rs", "mock.rs"})
#: Debian's packages: compiler, source of its standard library, linker.
COMPILERS = ("rustc-web", "rust-web-src", "lld-19")
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
    write_note(NOTE, {"runtime_sha256": _runtime(made)})
    return 0


def _check(made: dict[str, str]) -> int:
    """The source and everything made of it must be equal; the WASM's bytes only with the noted compilers."""
    note = json.loads(NOTE.read_text())
    differing = [name for name, text in made.items() if _without_code(text) != _committed(name)]
    if note["source_sha256"] != source_digest():
        differing.append("the runtime's source")
    if note["runtime_sha256"] != _runtime(made):
        if note["compilers"] == compilers():
            differing.append("the WASM")
        else:
            print(f"the WASM cannot be compared: made by {note['compilers']}, here {compilers()}")
    if differing:
        print(f"not what this source makes; run scripts/chain-spec: {', '.join(differing)}")
        return 1
    print("the chain specs are what this source makes")
    return 0


def write_note(file: Path, facts: dict[str, object]) -> None:
    """Write `facts` as JSON, with the source, the compilers and the day."""
    note = {**facts, "date": str(_today()), "compilers": compilers(), "source_sha256": source_digest()}
    file.write_text(json.dumps(note, indent=2) + "\n")


def _committed(name: str) -> str:
    return _without_code((FOLDER / name).read_text())


def _without_code(text: str) -> str:
    spec = json.loads(text)
    spec["genesis"].get("raw", {}).get("top", {}).pop(CODE_KEY, None)
    return json.dumps(spec, sort_keys=True)


def source_digest() -> str:
    """Return one hash over what the runtime is made of."""
    root, total = FOLDER.parent, hashlib.sha256()
    inside = [
        path
        for folder in ("pallet", "runtime")
        for path in (root / folder).rglob("*")
        if not TESTS.intersection(path.relative_to(root).parts)
    ]
    for path in sorted([root / "Cargo.toml", root / "Cargo.lock", *inside]):
        if path.is_file():
            total.update(
                f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return total.hexdigest()


def _runtime(made: dict[str, str]) -> str:
    code = json.loads(made["development.raw.json"])["genesis"]["raw"]["top"][CODE_KEY]
    return hashlib.sha256(bytes.fromhex(code[2:])).hexdigest()


def compilers() -> str:
    """Return the versions of all that the WASM's bytes depend on, besides its source."""
    query = ["/usr/bin/dpkg-query", "-W", "-f=${Package} ${Version}, ", *COMPILERS]
    done = subprocess.run(query, check=True, capture_output=True, text=True)  # noqa: S603 - a fixed command
    return done.stdout.rstrip(", ")


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


if __name__ == "__main__":
    main()

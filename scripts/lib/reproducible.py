"""Notes that builds of the runtime's WASM gave the same bytes. Run by `scripts/reproduce-wasm`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from chain_spec import FOLDER, write_note

NOTE = FOLDER / "reproducible.json"


def main() -> None:
    """Compare the files that are named, and note their hash."""
    hashes = [hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in sys.argv[1:]]
    print("\n".join(hashes))
    if len(set(hashes)) != 1:
        sys.exit("the builds differ: the runtime's WASM is not reproducible")
    write_note(NOTE, {"runtime_sha256": hashes[0], "builds": len(hashes)})


if __name__ == "__main__":
    main()

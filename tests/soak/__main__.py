"""Has everything go wrong for as long as wanted. Run by `scripts/soak`."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from ocw_sidecar.devnet.chain import ChainParts
from tests.soak.chaos import FAULTS
from tests.soak.site import running_site
from tests.soak.soaking import soak

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Soak, and say how many records came through; what goes wrong ends it with its traceback."""
    options = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--seed", type=int, default=int(time.time()), help="the same faults again")
    chosen = options.parse_args()
    _tell(f"seed {chosen.seed}")
    draw = Random(chosen.seed)  # noqa: S311 - faults, not secrets
    folder = Path(tempfile.mkdtemp(prefix="caregrid-soak-"))
    node = ChainParts(node=Path(os.environ["CAREGRID_NODE"]))
    with running_site(folder / "devnet", node) as site:
        faults = _until(time.monotonic() + chosen.minutes * 60, draw)
        records = asyncio.run(soak(site, faults, draw, _tell))
    shutil.rmtree(folder)  # kept, with all logs, when something went wrong
    _tell(f"{records} records, each final and on chain once")


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program


def _until(end: float, draw: Random) -> Iterator[str]:
    while time.monotonic() < end:
        yield draw.choice(list(FAULTS))


if __name__ == "__main__":
    main()

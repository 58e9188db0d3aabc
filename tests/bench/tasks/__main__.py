"""Measures the background tasks: synchronisation on a node, clean-up, look-ups. Run by `scripts/bench`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocw_sidecar import logs
from tests.bench.lines import Line, at_least, machine
from tests.bench.tasks import measuring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.lines import Goal

BENCH: Final = "tasks"


def main() -> None:
    """Print the figures, each as soon as it is known."""
    options = argparse.ArgumentParser(prog="scripts/bench tasks", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a twentieth of it, to try it out")
    logs.configure()  # to standard error
    part = 20 if options.parse_args().quick else 1
    with tempfile.TemporaryDirectory(prefix="caregrid-bench-") as folder:
        for line in figures(Path(folder), part):
            print(line.as_json(), flush=True)  # noqa: T201 - a program


def figures(folder: Path, part: int) -> Iterator[Line]:
    """Yield the figures: of so many entries less."""
    synced = asyncio.run(measuring.synchronise(folder, 20_000 // part))
    size = f"{synced.entries} networks, SQLite, a node of one validator with blocks of 2 s; {machine()}"
    yield _line("synchronised to finality", synced.entries / synced.seconds, "1/s", size, at_least(1_000))
    yield _line("taken in from the chain anew", synced.entries / synced.mirrored_s, "1/s", size)
    for name, followed in synced.followed.items():
        cache = "no cache" if followed.hit_rate is None else f"hit rate {followed.hit_rate:.2f}"
        yield _line(
            f"followed block by block, {name}", synced.entries / followed.seconds, "1/s", f"{cache}; {size}"
        )
    expired = 100_000 // part
    cleaned = asyncio.run(measuring.clean_up(folder, expired))
    yield _line(
        "clean-up of expired blocks", cleaned, "s", f"{expired} in one transaction, SQLite; {machine()}"
    )
    rate = measuring.look_up(50_000 // part)
    yield _line(
        "is_blocked",
        rate,
        "1/s",
        f"{50_000 // part} networks of five lengths; {machine()}",
        at_least(100_000),
    )


def _line(name: str, value: float, unit: str, anchor: str, goal: Goal | None = None) -> Line:
    return Line(bench=BENCH, name=name, value=value, unit=unit, anchor=anchor, goal=goal)


if __name__ == "__main__":
    main()

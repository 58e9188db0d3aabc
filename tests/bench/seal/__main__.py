"""Measures sealing, opening and the wrapping of data keys on this machine. Run by `scripts/bench`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Final

from tests.bench.lines import Line, at_least, at_most, machine
from tests.bench.processes import peak_of
from tests.bench.seal import keys, streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.lines import Goal

BENCH: Final = "seal"
MIB: Final = 1 << 20


def main() -> None:
    """Print the figures, each as soon as it is known."""
    options = argparse.ArgumentParser(prog="scripts/bench seal", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a sixteenth of it, to try it out")
    part = 16 if options.parse_args().quick else 1
    for line in figures((1 << 30) // part, 5.0 / part):
        print(line.as_json(), flush=True)  # noqa: T201 - a program


def figures(length: int, seconds: float) -> Iterator[Line]:
    """Yield the figures: of a stream so long, and of wrapping for so many seconds."""
    hashed, encrypted = streams.hashed(length), streams.encrypted(length)
    sealed, opened = streams.seal_and_open(length)
    yield _line("SHA-256 alone", hashed / MIB, "MiB/s", machine())
    yield _line("AES-256-GCM alone", encrypted / MIB, "MiB/s", machine())
    slower, size = min(hashed, encrypted), f"a stream of {length // MIB} MiB, one thread"
    for name, rate in (("seal", sealed), ("open", opened)):
        yield _line(name, rate / MIB, "MiB/s", size)
        yield _line(f"{name}, by the slower of the two", rate / slower, "ratio", size, at_least(0.7))
    yield _line("memory", peak_of(os.getpid()) / 1e6, "MB", size, at_most(200))
    yield from _wrapping(seconds)


def _wrapping(seconds: float) -> Iterator[Line]:
    alone, core, machine_wide = (
        keys.of_primitives(seconds),
        keys.of_one_core(seconds),
        keys.of_all_cores(seconds),
    )
    one, every = f"data keys, one thread; {machine()}", f"data keys, a process a core; {machine()}"
    for name in ("wrap", "unwrap"):
        rate, bare = getattr(core, name), getattr(alone, name)
        yield _line(f"{name}: ML-KEM-768 and X25519 alone", bare, "1/s", one)
        yield _line(name, rate, "1/s", one, at_least(10_000))
        yield _line(f"{name}, by the two alone", rate / bare, "ratio", one)
        yield _line(f"{name}, all cores", getattr(machine_wide, name), "1/s", every, at_least(10_000))


def _line(name: str, value: float, unit: str, anchor: str, goal: Goal | None = None) -> Line:
    return Line(bench=BENCH, name=name, value=value, unit=unit, anchor=anchor, goal=goal)


if __name__ == "__main__":
    main()

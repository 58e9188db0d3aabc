"""Measures validation on this machine. Run by `scripts/bench`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from caregrid.fhir import definitions
from caregrid.records import RecordFormat
from tests.bench.lines import Line, at_least, at_most, machine
from tests.bench.validation import bundles, processes, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.lines import Goal

BENCH: Final = "validation"
_VERSIONS: Final = {
    "4.0": RecordFormat.FHIR_R4_JSON,
    "4.3": RecordFormat.FHIR_R4B_JSON,
    "5.0": RecordFormat.FHIR_R5_JSON,
}


def main() -> None:
    """Print the figures, each as soon as it is known."""
    options = argparse.ArgumentParser(prog="scripts/bench validation", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of the time, to try it out")
    seconds = 0.5 if options.parse_args().quick else 5.0
    for line in figures(seconds):
        print(line.as_json(), flush=True)  # noqa: T201 - a program


def figures(seconds: float) -> Iterator[Line]:
    """Yield the figures; each rate is measured for so many seconds."""
    _say("small resources")
    yield from _small(seconds)
    _say("bundles")
    yield from _bundles(seconds)
    _say("processes of their own")
    yield from _processes()
    for version in _VERSIONS:
        yield _line(f"definitions_{version}", len(definitions.packed(version)) / 1e6, "MB", "gzip")


def _small(seconds: float) -> Iterator[Line]:
    contents = resources.small()
    mean = sum(map(len, contents)) / len(contents)
    anchor = f"{len(contents)} official examples of R4, {mean:.0f} B on average; {machine()}"
    yield _line("resource_size", mean, "B", "examples of R4 below 6 kB")
    for threads, goal in ((1, at_least(4_000)), (2, None)):
        rate = resources.rate(contents, resources.outcome, threads, seconds)
        yield _line(f"outcomes_per_second_{threads}_threads", rate, "1/s", anchor, goal)
        rate = resources.rate(contents, resources.verdict, threads, seconds)
        yield _line(f"verdicts_per_second_{threads}_threads", rate, "1/s", anchor, goal)


def _bundles(seconds: float) -> Iterator[Line]:
    per_entry = {size: bundles.seconds_per_entry(size, seconds / 5) for size in bundles.SIZES}
    for size, spent in per_entry.items():
        yield _line(f"bundle_of_{size}_per_entry", spent * 1e6, "us", machine())
    growth = per_entry[bundles.SIZES[-1]] / per_entry[bundles.SIZES[1]]
    anchor = f"an entry among {bundles.SIZES[-1]} against one among {bundles.SIZES[1]}; 1 is linear"
    yield _line("bundle_growth", growth, "ratio", anchor, at_most(1.5))


def _processes() -> Iterator[Line]:
    goal = at_most(0.3)
    for version in _VERSIONS:
        run = processes.first_verdict(version)
        yield _line(f"start_{version}", run.seconds, "s", "process, imports, definitions, a verdict", goal)
        yield _line(f"memory_{version}", run.peak_bytes / 1e6, "MB", "peak of that process")
    run = processes.large_bundle()
    yield _line("memory_large_bundle", run.peak_bytes / 1e6, "MB", "a Bundle of 10,000 entries, R4")


def _line(name: str, value: float, unit: str, anchor: str, goal: Goal | None = None) -> Line:
    return Line(bench=BENCH, name=name, value=value, unit=unit, anchor=anchor, goal=goal)


def _say(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr, flush=True)  # noqa: T201 - a program


if __name__ == "__main__":
    main()

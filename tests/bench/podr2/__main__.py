"""Measures storage proofs on this machine. Run by `scripts/bench`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Scheme
from tests.bench.lines import Line, at_least, at_most, machine
from tests.bench.podr2 import day, measures
from tests.bench.podr2.measures import MIB_PER_FRAGMENT, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.lines import Goal

BENCH: Final = "podr2"
_THREADS: Final = (1, 2)
_OVERHEAD: Final = 100 / podr2.FRAGMENT_LEN


def main() -> None:
    """Print the figures, each as soon as it is known."""
    options = argparse.ArgumentParser(prog="scripts/bench podr2", description=__doc__)
    options.add_argument("--quick", action="store_true", help="few runs of everything, to try it out")
    quick = options.parse_args().quick
    for line in figures(0.2 if quick else 5.0, 10 if quick else 100):
        print(line.as_json(), flush=True)  # noqa: T201 - a program


def figures(seconds: float, batch: int) -> Iterator[Line]:
    """Yield the figures; each call is repeated for so many seconds, and its shortest time counts."""
    for scheme in Scheme:
        yield _line(f"{scheme}_proof", scheme.proof_len, "B", "whatever the number of blocks")
        anchor = "tags of 1,024 blocks to 8 MiB"
        yield _line(f"{scheme}_tag_overhead", scheme.tags_len * _OVERHEAD, "%", anchor, at_most(1))
    yield from _public(seconds)
    yield from _private(seconds)
    yield from _batch(batch)


def _public(seconds: float) -> Iterator[Line]:
    _say("the public scheme")
    scene = Scene.make(Scheme.PUBLIC)
    for threads in _THREADS:
        cores = f"{threads} threads; {machine()}"
        tagging = measures.shortest(seconds, partial(scene.tag, threads))
        rate = MIB_PER_FRAGMENT / tagging
        yield _line(f"public_tags_{threads}_threads", rate, "MiB/s", cores, at_least(50 * threads))
        proving = measures.shortest(seconds, partial(scene.prove, threads))
        goal = at_most(10) if threads == 1 else None
        yield _line(f"public_prove_{threads}_threads", proving * 1e3, "ms", f"300 blocks; {cores}", goal)
        verifying = measures.shortest(seconds, partial(scene.verify, threads))
        goal = at_most(25) if threads == 1 else None
        yield _line(f"public_verify_{threads}_threads", verifying * 1e3, "ms", f"300 blocks; {cores}", goal)
        accepting = measures.shortest(seconds, partial(scene.accept, threads))
        yield _line(f"public_accept_{threads}_threads", accepting * 1e3, "ms", f"all tags; {cores}")
        if threads == 1:
            cost = day.cost(prove=proving, verify=verifying)
            yield _line("day_1_TiB_public", cost, "core-s", day.ANCHOR)


def _private(seconds: float) -> Iterator[Line]:
    _say("the private scheme")
    scene = Scene.make(Scheme.PRIVATE)
    for threads in _THREADS:
        cores = f"{threads} threads; {machine()}"
        tagging = measures.shortest(seconds, partial(scene.tag, threads))
        rate = MIB_PER_FRAGMENT / 1024 / tagging
        yield _line(f"private_tags_{threads}_threads", rate, "GiB/s", cores, at_least(1))
    proving = measures.shortest(seconds, partial(scene.prove, 1))
    yield _line("private_prove", proving * 1e3, "ms", "300 blocks")
    verifying = measures.shortest(seconds, partial(scene.verify, 1))
    yield _line("private_verify", verifying * 1e3, "ms", "300 blocks")
    cost = day.cost(prove=proving, verify=verifying)
    yield _line("day_1_TiB_private", cost, "core-s", day.ANCHOR)


def _batch(count: int) -> Iterator[Line]:
    _say(f"{count} proofs together")
    made = measures.claims(count)
    alone = measures.shortest(0, partial(measures.one_by_one, made, 1))
    for threads in _THREADS:
        together = measures.shortest(0, partial(measures.together, made, threads))
        name = f"public_batch_of_{count}_{threads}_threads"
        yield _line(name, together * 1e3 / count, "ms", "for each proof of a batch")
        goal = at_least(5) if threads == 1 else None
        yield _line(f"{name}_gain", alone / together, "ratio", "against one by one on one thread", goal)


def _line(name: str, value: float, unit: str, anchor: str, goal: Goal | None = None) -> Line:
    return Line(bench=BENCH, name=name, value=value, unit=unit, anchor=anchor, goal=goal)


def _say(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr, flush=True)  # noqa: T201 - a program


if __name__ == "__main__":
    main()

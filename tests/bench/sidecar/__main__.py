"""Measures the sidecar on this machine, with a node, a storage network and databases of its own."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.lines import Line, at_least, at_most, machine
from tests.bench.sidecar import claims, load
from tests.bench.sidecar.site import Site, running
from tests.postgres_server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.lines import Goal

BENCH: Final = "sidecar"
#: Keep-alive connections, as many applications of a hospital hold.
CALLERS: Final = 64
#: NDJSON requests at once.
BATCHES: Final = 4
FLATNESS: Final = 1.2
MIB: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """How much is measured."""

    singles: int
    burst: int
    steady: int
    rate: float  #: steady submissions a second
    few: int
    many: int
    idle_s: float


FULL: Final = Amounts(
    singles=10_000, burst=20_000, steady=1_200, rate=20, few=1_000, many=1_000_000, idle_s=60
)
QUICK: Final = Amounts(singles=500, burst=1_000, steady=60, rate=20, few=1_000, many=20_000, idle_s=5)


def main() -> None:
    """Print the figures, each as soon as it is known."""
    options = argparse.ArgumentParser(prog="scripts/bench sidecar", description=__doc__)
    options.add_argument("--quick", action="store_true", help="far fewer records, to try it out")
    amounts = QUICK if options.parse_args().quick else FULL
    folder, server = Path(tempfile.mkdtemp(prefix="caregrid-bench-")), PostgresServer(durable=True)
    try:
        server.create()
        server.start()
        for line in Bench(amounts, folder, server).figures():
            print(line.as_json(), flush=True)  # noqa: T201 - a program
    finally:
        server.stop()
        server.remove()
        shutil.rmtree(folder)


class Bench:
    """All measurements, on both kinds of database."""

    def __init__(self, amounts: Amounts, folder: Path, server: PostgresServer) -> None:
        self._amounts, self._folder, self._server = amounts, folder, server
        self._machine = machine()

    def figures(self) -> Iterator[Line]:
        """Yield the figures."""
        for kind, goal in (("SQLite", 2_000), ("PostgreSQL", 8_000)):
            yield from self._site(kind, goal)
        for kind in ("SQLite", "PostgreSQL"):
            yield from self._claims(kind)

    def _site(self, kind: str, goal: float) -> Iterator[Line]:
        url = self._database(kind)
        settings = {} if url is None else {"CAREGRID_DATABASE__URL": url}
        with running(self._folder / f"site-{kind}", settings) as site:
            if kind == "SQLite":
                yield self._idle(site)
            yield from self._acknowledged(site, kind, goal)
            yield self._final(site, kind)

    def _idle(self, site: Site) -> Line:
        before = site.cpu_seconds()
        time.sleep(self._amounts.idle_s)
        used = (site.cpu_seconds() - before) / self._amounts.idle_s
        return self._line("CPU of an idle sidecar", used * 100, "% of a core", at_most(2))

    def _acknowledged(self, site: Site, kind: str, goal: float) -> Iterator[Line]:
        count = self._amounts.singles
        seconds = asyncio.run(load.singles(site, count, CALLERS))
        name = f"acknowledged, one resource a request, {CALLERS} callers, {kind}"
        yield self._line(name, count / seconds, "records/s", at_least(goal))
        done = asyncio.run(load.burst(site, self._amounts.burst, BATCHES))
        name = f"acknowledged, {BATCHES} NDJSON requests, {kind}"
        yield self._line(name, done.records / done.acknowledged_s, "records/s", at_least(goal))
        name = f"anchored and final, end to end, {kind}"
        yield self._line(name, done.records / done.final_s, "records/s", at_least(500))
        yield self._line(f"memory after that, {kind}", site.memory() / MIB, "MiB", None)

    def _final(self, site: Site, kind: str) -> Line:
        waits = asyncio.run(load.steady(site, self._amounts.steady, self._amounts.rate))
        name = f"acknowledgement to finality, p95, {self._amounts.rate:g} records/s, packs of 1 s, {kind}"
        return self._line(name, load.percentile(waits, 0.95), "s", None)

    def _claims(self, kind: str) -> Iterator[Line]:
        few, many = (
            claims.measure(self._database(kind), self._folder / f"claims-{kind}-{waiting}", waiting)
            for waiting in (self._amounts.few, self._amounts.many)
        )
        name = f"lease and finish one with {self._amounts.many:,} waiting, {kind}"
        yield self._line(name, many.seconds * 1e6, "µs", None)
        yield self._line(
            f"{name}, beside {self._amounts.few:,}", many.seconds / few.seconds, "times", at_most(FLATNESS)
        )
        yield self._line(
            f"memory of it, beside {self._amounts.few:,}, {kind}",
            many.memory / few.memory,
            "times",
            at_most(FLATNESS),
        )

    def _database(self, kind: str) -> str | None:
        return None if kind == "SQLite" else self._server.url(self._server.create_database())

    def _line(self, name: str, value: float, unit: str, goal: Goal | None) -> Line:
        return Line(bench=BENCH, name=name, value=value, unit=unit, anchor=self._machine, goal=goal)


if __name__ == "__main__":
    main()

"""Measures the storage network on this machine: a gateway, twelve nodes and their clients share its cores."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.sealed import sealed_length
from caregrid.storage.file_id import SEGMENT_SIZE
from caregrid.storage.reed_solomon import TOTAL_SHARDS
from storage_network import LocalNetwork
from tests.bench.lines import Line, at_least, at_most, machine
from tests.bench.storage import coding, memory, readers, transfers

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.bench.lines import Goal

BENCH: Final = "storage"
MIB: Final = 1 << 20
RECORD_SIZE: Final = 20_000
#: CESS keeps a segment as 12 fragments of 8 MiB, whatever it holds.
_STORED_SEGMENT: Final = 3 * SEGMENT_SIZE
_KILLED: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """How much is measured."""

    segments: int
    transfers: int
    reads: int  #: by each reader
    large: int  #: bytes


FULL: Final = Amounts(segments=40, transfers=7, reads=200, large=1 << 30)
QUICK: Final = Amounts(segments=3, transfers=1, reads=5, large=64 * MIB)


def main() -> None:
    """Print the figures, each as soon as it is known."""
    options = argparse.ArgumentParser(prog="scripts/bench storage", description=__doc__)
    options.add_argument("--quick", action="store_true", help="far less of everything, to try it out")
    amounts = QUICK if options.parse_args().quick else FULL
    folder = Path(tempfile.mkdtemp(prefix="caregrid-bench-"))
    try:
        for line in figures(amounts, folder):
            print(line.as_json(), flush=True)  # noqa: T201 - a program
    finally:
        shutil.rmtree(folder)


def figures(amounts: Amounts, folder: Path) -> Iterator[Line]:
    """Yield the figures."""
    _say("a segment")
    yield from _coding(amounts)
    with LocalNetwork(folder / "network") as network:
        _say("objects there and back")
        times = yield from _transfers(amounts, network, folder)
        yield from _cost(times)
        _say("a large file")
        yield from _memory(amounts, network, folder)
        _say("ten readers")
        yield from _reads(amounts, network, folder)


def _coding(amounts: Amounts) -> Iterator[Line]:
    whole, hashing = coding.measure(amounts.segments)
    anchor = f"SHA-256 of the segment and its {TOTAL_SHARDS} fragments alone takes {hashing * 1e3:.1f} ms"
    yield _line("dispersal of a segment, a core", whole * 1e3, "ms", anchor)
    yield _line("dispersal, part that is hashing alone", hashing / whole, "ratio", anchor, at_least(0.85))


def _transfers(
    amounts: Amounts, network: LocalNetwork, folder: Path
) -> Generator[Line, None, dict[int, transfers.Times]]:
    found: dict[int, transfers.Times] = {}
    with transfers.file_server(folder / "plain") as plain_url:
        for size in transfers.SIZES:
            ours = asyncio.run(
                transfers.through_gateway(network.gateway_url, folder, size, amounts.transfers)
            )
            plain = asyncio.run(transfers.through_file_server(plain_url, folder, size, amounts.transfers))
            found[size] = ours
            for verb, seconds, other in (("put", ours.put, plain.put), ("get", ours.get, plain.get)):
                anchor = f"a plain aiohttp file server, {other * 1e3:.1f} ms; {machine()}"
                yield _line(f"{verb} of {size // MIB} MiB", seconds * 1e3, "ms", anchor)
    return found


def _cost(times: dict[int, transfers.Times]) -> Iterator[Line]:
    packed = SEGMENT_SIZE // sealed_length(RECORD_SIZE)
    anchor = f"a record of {RECORD_SIZE} B, alone in an object or one of {packed} in a pack of 32 MiB"
    alone, pack = times[transfers.SIZES[0]], times[transfers.SIZES[1]]
    yield _line("stored bytes a record, alone", _STORED_SEGMENT, "B", anchor)
    yield _line("stored bytes a record, packed", _STORED_SEGMENT / packed, "B", anchor)
    yield _line("time to store a record, alone (as 1 MiB)", alone.put * 1e3, "ms", anchor)
    yield _line("time to store a record, packed", pack.put / packed * 1e3, "ms", anchor)


def _memory(amounts: Amounts, network: LocalNetwork, folder: Path) -> Iterator[Line]:
    peaks = memory.measure(network, folder, amounts.large)
    anchor, goal = f"a file of {amounts.large / MIB:g} MiB, stored and read back", at_most(200)
    for name, peak in (("client", peaks.client), ("gateway", peaks.gateway), ("node", peaks.node)):
        yield _line(f"memory for a large file, {name}", peak / 1e6, "MB", anchor, goal)
    for verb, seconds in (("put", peaks.put_s), ("get", peaks.get_s)):
        yield _line(f"{verb} of a large file", amounts.large / MIB / seconds, "MiB/s", anchor)


def _reads(amounts: Amounts, network: LocalNetwork, folder: Path) -> Iterator[Line]:
    packs = asyncio.run(readers.store_packs(network.gateway_url, folder))
    yield from _reading(amounts, network, packs, "all 12 nodes")
    for number in range(_KILLED):
        network.kill_node(number)
    yield from _reading(amounts, network, packs, f"{_KILLED} of 12 nodes killed")


def _reading(
    amounts: Amounts, network: LocalNetwork, packs: list[tuple[bytes, bytes]], name: str
) -> Iterator[Line]:
    found = asyncio.run(readers.read_all(network.gateway_url, packs, amounts.reads))
    anchor = f"{readers.READERS} readers at once, {readers.LENGTH} B each, random places; {machine()}"
    yield _line(f"read of 1 MB, p50, {name}", found.percentile(0.5) * 1e3, "ms", anchor)
    yield _line(f"read of 1 MB, p95, {name}", found.percentile(0.95) * 1e3, "ms", anchor, at_most(100))
    yield _line(f"reads that succeed, {name}", found.success * 100, "%", anchor, at_least(99.9))


def _line(name: str, value: float, unit: str, anchor: str, goal: Goal | None = None) -> Line:
    return Line(bench=BENCH, name=name, value=value, unit=unit, anchor=anchor, goal=goal)


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


if __name__ == "__main__":
    main()

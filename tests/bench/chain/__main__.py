"""Measures the chain on this machine, with nodes of its own. Run by `scripts/bench`."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.chain import calls
from tests.bench.chain import anchoring, importing, nodes, signing, sizes, weighing
from tests.bench.chain.scene import Scene
from tests.bench.lines import Line, at_least, at_most, machine
from tests.integration.node_process import start_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.chain.anchoring import Run
    from tests.bench.chain.nodes import Block
    from tests.bench.chain.scene import Round
    from tests.bench.lines import Goal

BENCH: Final = "chain"
SLOT_S: Final = 2.0
#: Half of a slot is for execution, the other half for building and spreading the block.
IMPORT_LIMIT_S: Final = SLOT_S / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """How much is measured."""

    batched: int  #: records that are anchored in batches
    single: int  #: records that are anchored by an extrinsic each
    awaited: int  #: records that are anchored one after another


FULL: Final = Amounts(batched=40_000, single=1_500, awaited=4)
QUICK: Final = Amounts(batched=4_000, single=150, awaited=1)


def main() -> None:
    """Print the figures, each as soon as it is known."""
    options = argparse.ArgumentParser(prog="scripts/bench chain", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of the records, to try it out")
    amounts = QUICK if options.parse_args().quick else FULL
    folder = Path(tempfile.mkdtemp(prefix="caregrid-bench-"))
    bench = Bench(amounts, folder)
    try:
        for line in bench.figures():
            print(line.as_json(), flush=True)  # noqa: T201 - a program
    finally:
        bench.stop()
        shutil.rmtree(folder)


class Bench:
    """All measurements, on chains that begin with them."""

    def __init__(self, amounts: Amounts, folder: Path) -> None:
        self._amounts = amounts
        self._node = nodes.validator(folder)
        self._follower = nodes.follower(folder)
        self._small = sizes.validator(folder)
        self._machine = machine()
        self._weights = "1 is exact; ParityDbWeight"
        self._begun = time.monotonic()

    def figures(self) -> Iterator[Line]:
        """Yield the figures."""
        start_all([self._node])
        yield from self._anchoring()
        yield from self._weighing()
        self._node.stop()
        yield from self._growing()
        self._say("done")

    def stop(self) -> None:
        """Stop what runs."""
        for node in (self._node, self._follower, self._small):
            node.stop()

    def _anchoring(self) -> Iterator[Line]:
        hospital = anchoring.Hospital(nodes.url(self._node))
        self._say("registering a hospital")
        asyncio.run(hospital.register())
        self._say(f"anchoring {self._amounts.batched} records in batches")
        batched = asyncio.run(hospital.anchor_batches(self._amounts.batched))
        yield self._line("batched_records_per_second", batched.rate, "1/s", self._machine, at_least(500))
        yield from self._limits(batched)
        yield from self._one_by_one(hospital, batched)
        asyncio.run(hospital.close())

    def _limits(self, run: Run) -> Iterator[Line]:
        """Tell what limits anchoring, and how long another node takes with the fullest block."""
        slots = run.blocks[-1] - run.blocks[0] + 1
        yield self._line("batched_seconds_of_slots", slots * SLOT_S, "s", f"{run.seconds:.3g} s altogether")
        yield self._line("batched_sent_per_second", run.records / run.sent_after, "1/s", "signing in Python")
        yield self._line("batched_python_share", run.cpu_seconds / run.seconds, "ratio", "one core")
        with closing(signing.Signer(self._node)) as signer:
            allowed = signer.constant("System", "BlockWeights")["per_class"]["normal"]["max_total"]
            longest = signer.constant("System", "BlockLength")["max"]["normal"]
        blocks = [nodes.block_at(self._node, number) for number in run.blocks]
        fullest = max(blocks, key=lambda block: sizes.signed_weight(self._node, block.hash))
        weight = sizes.signed_weight(self._node, fullest.hash)
        records = (len(fullest.extrinsics) - 1) * calls.MAX_BATCH
        yield self._line("full_block_records", records, "1", f"one slot of {SLOT_S:g} s")
        share = weight / allowed["ref_time"]
        yield self._line("full_block_weight_share", share, "ratio", "what signed calls may weigh")
        share = len(fullest.encoded) / longest
        yield self._line("full_block_length_share", share, "ratio", "how long signed calls may be")
        yield from self._importing(weight)

    def _importing(self, fullest: int) -> Iterator[Line]:
        self._say("a second node imports these blocks")
        start_all([self._follower])
        slowest = importing.slowest_import(self._follower, self._node)
        self._follower.stop()
        yield self._line("slowest_block_import", slowest, "s", self._machine, at_most(IMPORT_LIMIT_S))
        ratio = fullest / weighing.PICOSECONDS / slowest
        yield self._line("weight_to_import_time", ratio, "ratio", self._weights, at_least(1))

    def _one_by_one(self, hospital: anchoring.Hospital, batched: Run) -> Iterator[Line]:
        self._say(f"anchoring {self._amounts.single} records with an extrinsic each")
        single = asyncio.run(hospital.anchor_singly(self._amounts.single))
        yield self._line("single_records_per_second", single.rate, "1/s", self._machine)
        anchor = "one extrinsic a record, all under way at once"
        yield self._line("batched_to_single", batched.rate / single.rate, "ratio", anchor, at_least(50))
        self._say("anchoring records one after another")
        awaited = asyncio.run(hospital.anchor_one_after_another(self._amounts.awaited))
        yield self._line("awaited_records_per_second", awaited.rate, "1/s", self._machine)
        anchor = "one extrinsic a record, the next when it is final"
        yield self._line("batched_to_awaited", batched.rate / awaited.rate, "ratio", anchor)

    def _weighing(self) -> Iterator[Line]:
        self._say("weighing every call")
        scale = weighing.Scale(self._node, self._idle_block())
        with closing(signing.Signer(self._node)) as signer:
            for part in Scene(height=self._node.best).rounds():
                blocks = self._perform(signer, part)
                if part.name:
                    name, ratio = f"weight_to_time {part.name}", scale.ratio(blocks)
                    yield self._line(name, ratio, "ratio", self._weights, at_least(1))

    def _growing(self) -> Iterator[Line]:
        records = self._amounts.batched
        self._say(f"a new chain grows by {records} records")
        grown = sizes.growth(self._small, records)
        yield self._line(
            "state_bytes_per_record", grown.state / records, "B", "keys and values of the pallet Emr"
        )
        anchor = f"ParityDB on disk, with all blocks and {sizes.STATES} states"
        yield self._line("database_bytes_per_record", grown.database / records, "B", anchor)

    def _perform(self, signer: signing.Signer, part: Round) -> Sequence[Block]:
        extrinsics = signer.sign(part.calls)
        if part.block is not None:
            signing.next_block(self._node, part.block - 1)
        blocks = signing.include(self._node, extrinsics)
        assert part.block in (None, blocks[0].number), (part.name, part.block, blocks[0].number)
        signer.check(blocks, part.told)
        return blocks

    def _idle_block(self) -> Block:
        """Return a new block; nobody is to have signed anything."""
        block = signing.next_block(self._node, self._node.best() + 1)
        assert len(block.extrinsics) == 1, "a block that should be idle is not"
        return block

    def _line(self, name: str, value: float, unit: str, anchor: str, goal: Goal | None = None) -> Line:
        return Line(bench=BENCH, name=name, value=value, unit=unit, anchor=anchor, goal=goal)

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begun:6.1f} s  {text}", file=sys.stderr, flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    main()

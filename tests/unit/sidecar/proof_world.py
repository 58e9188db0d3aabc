"""A sidecar whose storage nodes, in memory, answer challenges."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from caregrid.auditing import MemoryProvingStore
from caregrid.proofs import podr2
from caregrid.storage import MemoryObjectStore
from ocw_sidecar.adapters.proving import proving_with
from ocw_sidecar.testing import memory_world
from ocw_sidecar.workers.tagging import TaggingStep
from tests.unit.sidecar.worker_world import Time, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.proofs.proving_store import FragmentPlace
    from ocw_sidecar.ports import Proving
    from ocw_sidecar.testing import World
    from tests.unit.sidecar.worker_world import Working

CANARY: Final = b"Canary Patientia, born 1907"
SECRET: Final = podr2.keygen("public", b"\x07" * 32)
PROVING: Final = proving_with(MemoryProvingStore(MemoryObjectStore()), SECRET)


class Nodes(MemoryProvingStore):
    """Answers at once what it has answered before: coding a segment takes longer than all else."""

    def __init__(self, objects: MemoryObjectStore) -> None:
        super().__init__(objects)
        self._coded: dict[FragmentPlace, bytes] = {}

    async def _fragment(self, place: FragmentPlace) -> bytes:
        if place in self.faults or place in self.damaged:
            return await super()._fragment(place)
        if place not in self._coded:
            self._coded[place] = await super()._fragment(place)
        return self._coded[place]


@dataclass
class Proved:
    """A sidecar, its nodes, and its one object."""

    sidecar: Working
    nodes: Nodes
    object_id: bytes

    @property
    def world(self) -> World:
        """What lies outside."""
        return self.sidecar.world

    async def tag(self) -> int:
        """Run the tagging step once and take the blocks in."""
        done = await TaggingStep(self.sidecar.parts.desk).run_once()
        await self.sidecar.follow()
        return done


async def proving_world() -> tuple[World, Nodes]:
    """Return a world whose nodes answer challenges."""
    world = await memory_world()
    nodes = Nodes(world.store)
    proving: Proving = replace(PROVING, store=nodes)
    return replace(world, ports=replace(world.ports, proving=proving)), nodes


@asynccontextmanager
async def proved(folder: Path, time: Time | None = None, **changes: Any) -> AsyncIterator[Proved]:
    """Open a sidecar with one stored object."""
    world, nodes = await proving_world()
    async with working(folder, world, time, **changes) as sidecar:
        await sidecar.store(CANARY)
        [known] = await sidecar.parts.desk.ledger.longest_unlooked(10)
        yield Proved(sidecar=sidecar, nodes=nodes, object_id=known.object_id)

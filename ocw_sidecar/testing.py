"""A sidecar in one process for tests: real queue, steps and sealing; twins for what lies outside."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.chain import calls
from caregrid.fhir import FhirValidator
from caregrid.testing import MemoryChain, MemoryKeyStore, MemoryObjectStore, MemorySubmitter
from ocw_sidecar.adapters.opening import open_database
from ocw_sidecar.pipeline.intake import Intake
from ocw_sidecar.ports import Ports
from ocw_sidecar.supervisor import bench_on
from ocw_sidecar.workers.pipeline import shared_steps, submitting_steps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.steps import Step
    from ocw_sidecar.settings import Settings

ORGANISATION: Final = b"\x01" * 32
OPERATOR: Final = b"\x02" * 32
PATIENT: Final = b"\x03" * 32

#: A sound pipeline needs a few rounds; past this, some step finds the same work again and again.
MAX_ROUNDS: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What lies outside the sidecar; outlives it."""

    chain: MemoryChain
    submitter: MemorySubmitter
    store: MemoryObjectStore
    ports: Ports


@dataclass(frozen=True, kw_only=True, slots=True)
class Rig:
    """The parts of a sidecar, driven by hand."""

    bench: Bench
    intake: Intake
    world: World
    database: Database

    def steps(self) -> list[tuple[str, Step]]:
        """Return the pipeline's steps, by the names of their workers."""
        return [*shared_steps(self.bench), *submitting_steps(self.bench)]

    async def drain(self) -> None:
        """Run the steps until none finds work that is due."""
        steps = self.steps()
        for _ in range(MAX_ROUNDS):
            if not sum([await step.run_once() for _, step in steps]):
                return
        raise AssertionError("the pipeline does not come to rest")


async def memory_world() -> World:
    """Return a world whose chain knows the organisation, its operator and one patient."""
    chain, store = MemoryChain(), MemoryObjectStore()
    await chain.submitter(ORGANISATION).submit(calls.register_organisation([OPERATOR]))
    await chain.submitter(OPERATOR).submit(calls.register_patient(ORGANISATION, PATIENT))
    submitter = chain.submitter(OPERATOR)
    ports = Ports(
        chain=chain,
        submitter=submitter,
        store=store,
        key_store=MemoryKeyStore(),
        validator=FhirValidator(),
    )
    return World(chain=chain, submitter=submitter, store=store, ports=ports)


@asynccontextmanager
async def rig(settings: Settings, world: World | None = None) -> AsyncIterator[Rig]:
    """Open a sidecar's parts on the settings' home folder, as a start of the daemon would.

    Pass the world of an earlier rig to go on after a stop.
    """
    world = world or await memory_world()
    async with open_database(settings) as database, bench_on(database, settings, world.ports) as bench:
        yield Rig(bench=bench, intake=Intake(bench), world=world, database=database)

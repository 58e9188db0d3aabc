"""A sidecar in one process that follows the twin chain, its workers driven by hand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain import Pending, calls
from caregrid.keys import EncryptionKeyPair
from caregrid.records import RecordFormat
from ocw_sidecar.adapters.alone import AlwaysLeads, LocalTasks
from ocw_sidecar.composition import compose
from ocw_sidecar.operating import meanwhile
from ocw_sidecar.pipeline.intake import Offer
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, PATIENT, Rig, World, memory_world, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.chain.port import Receipt, Scope
    from ocw_sidecar.composition import Sidecar

GRANTEE: Final = b"\x05" * 32
PENDING: Final = Pending()
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass
class Time:
    """A wall clock that is set by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass, or set the clock back."""
        self.now += timedelta(seconds=seconds)


@dataclass
class RealTime(Time):
    """The machine's wall clock, for what other processes compare with it."""

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)


@dataclass
class Working:
    """A rig with its workers."""

    rig: Rig
    parts: Sidecar
    time: Time
    stop: asyncio.Event

    @property
    def world(self) -> World:
        """What lies outside."""
        return self.rig.world

    async def follow(self) -> int:
        """Take in every block that is there; return the head's number."""
        head = (await self.world.chain.finalized_head()).number
        log = self.parts.desk.block_log
        if await log.cursor() is None:
            genesis = await self.world.chain.block(0)
            assert genesis is not None
            await log.begin(genesis, genesis.hash)
        cursor = await log.cursor()
        assert cursor is not None
        if cursor < head:
            async for block in self.world.chain.finalized_blocks(cursor + 1):
                assert await log.advance(block)
                if block.ref.number == head:
                    break
        return head

    async def store(self, *contents: bytes) -> list[bytes]:
        """Have records anchored and confirmed; return their ids."""
        ids = [await self.submit(content) for content in contents]
        await self.rig.drain()
        await self.follow()
        return ids

    async def submit(self, content: bytes) -> bytes:
        """Hand one in."""
        offer = Offer(patient_id=PATIENT, format=RecordFormat.BINARY, announced=None, idempotency=None)

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        return (await self.rig.intake.take(offer, chunks())).submission_id

    async def publish_key(self, account: bytes = GRANTEE) -> EncryptionKeyPair:
        """Register an encryption key for an account."""
        pair = EncryptionKeyPair.generate()
        await self.world.chain.submitter(account).submit(calls.set_encryption_key(pair.public_key))
        return pair

    async def grant(self, scope: Scope, *, blocks: int = 10_000, grantee: bytes = GRANTEE) -> Receipt:
        """Grant access from the controller's wallet, without a key."""
        head = await self.world.chain.finalized_head()
        call = calls.grant_access(
            scope, grantee, expires_at=head.number + 1 + blocks, purpose="Treatment", key=PENDING
        )
        return await self.world.chain.submitter(ORGANISATION).submit(call)


@asynccontextmanager
async def working(
    folder: Path, world: World | None = None, time: Time | None = None, **changes: Any
) -> AsyncIterator[Working]:
    """Open a sidecar on a folder; pass a former one's world and time to go on after a stop."""
    time, world = time or Time(), world or await memory_world()
    world = replace(world, ports=replace(world.ports, now=time))
    settings = Settings.load(
        home=folder / "home",
        organisation="0x" + ORGANISATION.hex(),
        min_free_disk=0,
        pack_age_limit_s=0,
        chain={"batch_age_s": 0},
        **changes,
    )
    stop = asyncio.Event()
    async with rig(settings, world) as opened:
        parts = compose(opened.bench, opened.database, election=AlwaysLeads(), tasks=LocalTasks(), stop=stop)
        try:
            async with meanwhile(parts.batches.run):
                yield Working(rig=opened, parts=parts, time=time, stop=stop)
        finally:
            await parts.close()


def mine(world: World, blocks: int) -> None:
    """Let blocks pass in which nothing happens."""
    for _ in range(blocks):
        world.chain.finalize_block()

"""Blocks by number, the chain's time, and its runtime's version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.contract.chain_world import ONE_LOOP

if TYPE_CHECKING:
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP


async def test_blocks_are_found_by_number(world: World) -> None:
    """Genesis, the head, and nothing behind it: a block that is not final yet is none."""
    head = await world.chain.finalized_head()
    assert head == await world.chain.block(head.number)
    genesis = await world.chain.block(0)
    assert genesis is not None
    assert (0, 32) == (genesis.number, len(genesis.hash))
    assert await world.chain.block(head.number + 1_000) is None


async def test_the_chain_tells_the_time(world: World) -> None:
    """In UTC, and close to ours."""
    told = await world.chain.block_time()
    assert timedelta(0) == told.utcoffset()
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=10)


async def test_the_runtime_has_a_version(world: World) -> None:
    """From 1 on."""
    assert 1 <= await world.chain.spec_version()

"""The reader on a real Substrate node, of another chain: its answers have the shapes that are expected."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from caregrid.cess import CessChain, MinerAudit, heads
from caregrid.errors import ChainUnreachable, ConfigInvalid
from tests.unit.cess import values

if TYPE_CHECKING:
    from collections.abc import Callable

#: A development node finalizes its first blocks within seconds.
FIRST_BLOCK_TIMEOUT_S = 60.0


@pytest.fixture(params=["ws", "http"])
def url(request: pytest.FixtureRequest, node_url: str) -> str:
    """The node's URL."""
    return node_url.replace("ws", request.param, 1)


async def first_head(chain: CessChain) -> int:
    """Return the number of the first finalized block that has a time."""
    async with asyncio.timeout(FIRST_BLOCK_TIMEOUT_S):
        while True:
            try:
                return (await chain.head()).number
            except ChainUnreachable:
                await asyncio.sleep(0.2)


async def test_a_substrate_node_is_understood(
    url: str, reading: Callable[..., CessChain], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Head, time, runtime and state that is not there; a page of miners names each that is missing."""
    monkeypatch.setattr(heads, "SPEC_NAME", "caregrid")
    monkeypatch.setattr(heads, "OLDEST_SPEC", 1)
    chain = reading(url)
    assert await first_head(chain) > 0
    assert await chain.file(b"\x01" * 32) is None
    assert await chain.files_of(values.account(1)) == ()
    assert await chain.miners([values.account(number) for number in range(70)]) == {}
    assert await chain.audit(values.account(1)) == MinerAudit(failed=None, missed=0, challenge=None)


async def test_our_own_chain_is_not_taken_for_cess(url: str, reading: Callable[..., CessChain]) -> None:
    """A node of CareGrid's chain in the list of CESS's is refused for good."""
    with pytest.raises(ConfigInvalid):
        await reading(url).head()

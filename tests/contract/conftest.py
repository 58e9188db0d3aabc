"""The worlds that the contract tests of the chain share; each is built once, when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.contract import chain_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from tests.contract.chain_world import World


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worlds() -> AsyncIterator[dict[str, World]]:
    """The worlds that are there, by adapter."""
    made: dict[str, World] = {}
    yield made
    for each in made.values():
        await each.close()


@pytest_asyncio.fixture(loop_scope="session", params=["memory", "node"])
async def world(request: pytest.FixtureRequest, worlds: dict[str, World]) -> World:
    """The same world on each adapter."""
    kind = request.param
    if kind not in worlds:
        url = None if kind == "memory" else request.getfixturevalue("node_url")
        worlds[kind] = await chain_world.build(kind, url)
    return worlds[kind]

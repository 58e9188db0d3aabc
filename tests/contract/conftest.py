"""What contract tests share: the worlds of the chain, each built once, and an empty database of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.contract import chain_world
from tests.databases import postgres_database, sqlite_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.adapters.sql import Database
    from tests.contract.chain_world import World


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        opening = sqlite_database(tmp_path)
    else:
        opening = postgres_database(request.getfixturevalue("postgres_server"))
    async with opening as opened:
        yield opened


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

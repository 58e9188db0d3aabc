"""Connecting to a server that says nothing: attempts that are cut short leave no connection half open."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.adapters.postgres import Access, election
from ocw_sidecar.adapters.postgres.election import PostgresElection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE_S = 10.0


@dataclass
class SilentServer:
    """Takes connections, reads what comes, and never answers."""

    open: int = 0
    seen: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold a connection until the other side lets it go."""
        await self._count(+1)
        try:
            while await reader.read(1024):
                pass
        finally:
            await self._count(-1)
            writer.close()

    async def until(self, *, seen: int, still_open: int) -> None:
        """Wait until so many have come, and so many of them are left."""
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(lambda: self.seen >= seen and self.open <= still_open)

    async def _count(self, step: int) -> None:
        async with self.changed:
            self.open += step
            self.seen += max(step, 0)
            self.changed.notify_all()


@asynccontextmanager
async def silent_server() -> AsyncIterator[SilentServer]:
    """Serve on a free port."""
    silent = SilentServer()
    server = await asyncio.start_server(silent.serve, "127.0.0.1", 0)
    async with server:
        silent.port = server.sockets[0].getsockname()[1]
        yield silent


def campaign(silent: SilentServer) -> PostgresElection:
    """Return an election at the server."""
    url = f"postgresql://caregrid@127.0.0.1:{silent.port}/caregrid?sslmode=disable"
    return PostgresElection(Access(url), b"\x01" * 32)


async def test_a_cancelled_attempt_closes_its_connection() -> None:
    """At once, and not when the last who holds the cancelled task forgets it."""
    async with silent_server() as silent:
        task = asyncio.get_running_loop().create_task(campaign(silent).run())
        await silent.until(seen=1, still_open=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as kept:
            await task
        await silent.until(seen=1, still_open=0)
        assert kept.value is not None, "the exception is still held here, with its frames"


async def test_an_attempt_that_takes_too_long_closes_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a silent server is tried, one connection is open."""
    monkeypatch.setattr(election, "CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(election, "TRY_S", 0.0)
    async with silent_server() as silent:
        task = asyncio.get_running_loop().create_task(campaign(silent).run())
        await silent.until(seen=4, still_open=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await silent.until(seen=4, still_open=0)

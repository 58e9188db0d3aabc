"""One leader per signing account, by a session's advisory lock on a connection of its own.

The server drops the lock when the session ends: at once when its process dies, and after `SERVER_NOTICES_S`
of silence when the process hangs or the network breaks. A leader asks the server all the time, and an answer
lets it lead for `LEADER_STOPS_S` from when it asked; so that is the latest that it stops after its session
ended. A new leader waits that long before it leads. Two never lead at once, if their clocks run equally fast.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
import structlog

from ocw_sidecar.ports import Election

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.adapters.postgres.connection import Access

#: How often the leader asks, and how often everybody else tries.
BEAT_S: Final = 0.5
TRY_S: Final = 0.5

#: An answer takes a millisecond; a server that is this slow is as good as none.
ANSWER_TIMEOUT_S: Final = 2.0

#: What one answer is good for. A beat that just went by and a slow answer fit into it.
LEADER_STOPS_S: Final = 3.0

#: A session that is silent for so long is ended by the server.
SERVER_NOTICES_S: Final = 8

#: Opening the session's connection, with name look-up and TLS.
CONNECT_TIMEOUT_S: Final = 5

_LIMITS: Final = (
    f"SET idle_session_timeout = {SERVER_NOTICES_S * 1000}",
    f"SET tcp_user_timeout = {SERVER_NOTICES_S * 1000}",
)

log = structlog.get_logger()


class PostgresElection(Election):
    """Campaigns for the lead of one account."""

    def __init__(self, access: Access, account: bytes) -> None:
        self._access = access
        self._key = int.from_bytes(hashlib.sha256(b"caregrid/leader" + account).digest()[:8], signed=True)
        self._until = 0.0
        self._changed = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process leads; see `Election.leads`."""
        # Also false when this process itself was held up for too long to ask.
        return time.monotonic() < self._until

    async def wait_until(self, *, leads: bool) -> None:
        """Wait for a change; see `Election.wait_until`."""
        while self.leads is not leads:
            changed = self._changed
            try:
                async with asyncio.timeout(max(0.0, self._until - time.monotonic()) or None):
                    await changed.wait()
            except TimeoutError:
                continue

    async def run(self) -> None:
        """Campaign; see `Election.run`."""
        while True:
            try:
                async with self._session() as session:
                    await self._lock(session)
                    await self._lead(session)
            except (psycopg.Error, OSError, TimeoutError) as exc:
                log.warning("election_interrupted", fault=type(exc).__name__)
            finally:
                self._resign()
            await asyncio.sleep(TRY_S)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            session = await self._connected()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                for limit in _LIMITS:
                    await session.execute(limit)
            yield session
        finally:
            # Closing never waits for the other side; the lock goes with the session.
            await session.close()

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        parameters = self._access.parameters(statement_timeout_s=ANSWER_TIMEOUT_S)
        try:
            return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
        except BaseException as exc:
            # A connection that was cut short is held by the frames of the attempt alone. Whoever keeps the
            # exception, as a cancelled task does, must not keep it open with them.
            traceback.clear_frames(exc.__traceback__)
            raise

    async def _lock(self, session: psycopg.AsyncConnection[Any]) -> None:
        while not await self._ask(session, "SELECT pg_try_advisory_lock(%s)", (self._key,)):  # noqa: ASYNC110
            await asyncio.sleep(TRY_S)  # the lock is the server's; no event here tells of it
        await asyncio.sleep(LEADER_STOPS_S)

    async def _lead(self, session: psycopg.AsyncConnection[Any]) -> None:
        log.info("leads")
        while True:
            asked = time.monotonic()
            await self._ask(session, "SELECT true", ())
            self._keep(asked + LEADER_STOPS_S)
            # Listening notices at once when the server ends the session.
            async for _ in session.notifies(timeout=BEAT_S):
                pass

    async def _ask(
        self, session: psycopg.AsyncConnection[Any], question: Any, facts: tuple[int, ...]
    ) -> bool:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            row = await (await session.execute(question, facts)).fetchone()
        return row is not None and bool(row[0])

    def _keep(self, until: float) -> None:
        led, self._until = self.leads, until
        if not led:
            self._tell()

    def _resign(self) -> None:
        if self.leads:
            log.warning("leads_no_more")
        self._until = 0.0
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

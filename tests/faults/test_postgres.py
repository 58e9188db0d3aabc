"""PostgreSQL stops, crashes, drops connections: nothing acknowledged is lost, all goes on by itself."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import ConfigInvalid, DatabaseUnreachable, DiskLow
from caregrid.records import RecordFormat
from caregrid.sealed import new_record_id
from ocw_sidecar.adapters.postgres import Access, PostgresDatabase
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.pipeline.items import InRow, NewSubmission
from ocw_sidecar.pipeline.sql import Statement
from ocw_sidecar.ports import utc_now
from tests.databases import TEMPLATE, running_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ocw_sidecar.adapters.sql import Session
    from tests.postgres_server import PostgresServer

CLAIMER = Path(__file__).with_name("postgres_claimer.py")
PATIENCE_S = 60


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that syncs every commit to disk."""
    with running_server(durable=True) as made:
        yield made


@pytest.fixture
def access(server: PostgresServer) -> Access:
    """How to reach a fresh database."""
    return Access(server.url(server.create_database(template=TEMPLATE)))


@pytest.fixture
async def database(access: Access) -> AsyncIterator[PostgresDatabase]:
    """A fresh database, open."""
    opened = PostgresDatabase.open(access)
    yield opened
    await opened.close()


def submission() -> NewSubmission:
    """Return a submission with a payload of random bytes."""
    body = secrets.token_bytes(1000)
    return NewSubmission(
        submission_id=new_record_id(),
        patient_id=bytes(32),
        format=RecordFormat.BINARY,
        length=len(body),
        digest=hashlib.sha256(body).digest(),
        payload=InRow(body),
        wrapped_key=b"w",
        idempotency=secrets.token_bytes(32),
        received_at=utc_now(),
    )


class Load:
    """Callers that submit all the time, and again what failed, as an application does."""

    def __init__(self, queue: SqlQueue) -> None:
        self._queue = queue
        self.acknowledged: dict[bytes, bytes] = {}  #: by idempotency key
        self.refused = 0
        self.stop = asyncio.Event()

    async def run(self, callers: int = 8) -> None:
        """Submit until told to stop."""
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._call())

    async def _call(self) -> None:
        while not self.stop.is_set():
            new = submission()
            while new.idempotency not in self.acknowledged:
                await self._try(new)

    async def _try(self, new: NewSubmission) -> None:
        assert new.idempotency is not None
        try:
            taken = await self._queue.add(new)
        except DatabaseUnreachable:
            self.refused += 1
            await asyncio.sleep(0.05)
        else:
            self.acknowledged[new.idempotency] = taken.submission_id

    async def reach(self, more: int) -> None:
        """Wait until so many more are acknowledged."""
        wanted = len(self.acknowledged) + more
        while len(self.acknowledged) < wanted:  # noqa: ASYNC110  the callers are not to know of this
            await asyncio.sleep(0.01)


def restart(server: PostgresServer, kind: signal.Signals) -> None:
    """Stop and start the server."""
    server.stop(kind)
    server.start()


def drop_connections(server: PostgresServer, _: signal.Signals) -> None:
    """End every session that talks to a database of ours."""
    server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caregrid'")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(restart, signal.SIGINT, id="stopped"),
        pytest.param(restart, signal.SIGQUIT, id="crashed"),
        pytest.param(drop_connections, signal.SIGINT, id="connections-dropped"),
    ],
)
async def test_nothing_acknowledged_is_lost(
    server: PostgresServer,
    database: PostgresDatabase,
    fault: Callable[[PostgresServer, signal.Signals], None],
    kind: signal.Signals,
) -> None:
    """In the middle of writes the server goes and comes back; the open database goes on, and has it all."""
    queue = SqlQueue(database)
    load = Load(queue)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        running = group.create_task(load.run())
        for _ in range(2):
            await load.reach(50)
            await asyncio.to_thread(fault, server, kind)
            await load.reach(50)
        load.stop.set()
        await running
    for key, submission_id in load.acknowledged.items():
        found = (await queue.find_by_keys([key])).get(key)
        assert found is not None
        assert submission_id == found.submission_id
    tallies = {(each.kind, each.state): each.items for each in await queue.tallies()}
    assert {("submission", "received"): len(load.acknowledged)} == tallies


async def test_stopped_server_is_said_so_and_forgotten(
    server: PostgresServer, database: PostgresDatabase
) -> None:
    """While the server is away every call fails as a passing fault, soon; afterwards all is as before."""
    queue = SqlQueue(database)
    known = await queue.add(submission())
    await asyncio.to_thread(server.stop)
    try:
        async with asyncio.timeout(10):
            for _ in range(3):
                with pytest.raises(DatabaseUnreachable):
                    await queue.add(submission())
                with pytest.raises(DatabaseUnreachable):
                    await queue.submission(known.submission_id)
    finally:
        await asyncio.to_thread(server.start)
    await asyncio.sleep(0.6)  # a vain attempt to connect is not repeated for half a second
    assert known == await queue.submission(known.submission_id)
    await queue.add(submission())


async def test_absent_and_refusing_servers_are_told_apart(server: PostgresServer, access: Access) -> None:
    """Nobody there is a passing fault; a wrong password or name is the operator's to correct."""
    with pytest.raises(DatabaseUnreachable):
        PostgresDatabase.open(Access("postgresql://caregrid@127.0.0.1:1/x"))
    for wrong in (Access(access.url, password="wrong"), Access(server.url("no_such_database"))):
        with pytest.raises(ConfigInvalid, match="refuses") as caught:
            PostgresDatabase.open(wrong)
        assert server.password not in str(caught.value)
        assert server.password not in repr(wrong)


def claimed_by(process: subprocess.Popen[str]) -> list[str]:
    """Start a claimer that is ready, and return what it got."""
    output, _ = process.communicate("go\n", timeout=PATIENCE_S)
    assert 0 == process.returncode
    return output.split()


async def test_processes_never_claim_the_same_job(access: Access, database: PostgresDatabase) -> None:
    """Three processes that claim at once share the jobs out among them: each job once, and all of them."""
    queue = SqlQueue(database)
    ids = {(await queue.add(submission())).submission_id.hex() for _ in range(300)}
    processes = [
        subprocess.Popen(  # noqa: ASYNC220  starting it takes a millisecond
            [sys.executable, str(CLAIMER), access.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert "ready\n" == await asyncio.to_thread(process.stdout.readline)
    shares = await asyncio.gather(*(asyncio.to_thread(claimed_by, process) for process in processes))
    assert ids == set().union(*shares)
    assert len(ids) == sum(len(share) for share in shares)


INCREASE = Statement("increase", "", "UPDATE counter SET value = value + 1 RETURNING value")
READ = Statement("read", "", "SELECT value FROM counter")
SET = Statement("set", "", "UPDATE counter SET value = :value")


def read_then_write(db: Session) -> None:
    """Increase by one in two steps: what is lost when another transaction comes in between."""
    row = db.execute(READ).fetchone()
    assert row is not None
    db.execute(SET, {"value": row["value"] + 1})


async def test_conflicting_writes_are_run_again(
    server: PostgresServer, access: Access, database: PostgresDatabase
) -> None:
    """Two processes' worth of read-and-write on one row lose no update."""
    server.run("CREATE TABLE counter AS SELECT 0::bigint AS value", access.url.rpartition("/")[2])
    other = PostgresDatabase.open(access)
    await asyncio.gather(*(each.write(read_then_write) for _ in range(100) for each in (database, other)))
    row = await database.read(lambda db: db.execute(READ).fetchone())
    assert row is not None
    assert 200 == row["value"]
    await other.close()


async def test_full_disk_is_said_so(database: PostgresDatabase) -> None:
    """The server's word for a full disk is ours for it, and the neighbours in the group are written."""
    full = Statement("full", "", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$")
    queue = SqlQueue(database)
    good, bad = await asyncio.gather(
        queue.add(submission()),
        database.write(lambda db: db.execute(full).rowcount),
        return_exceptions=True,
    )
    assert isinstance(bad, DiskLow)
    assert not isinstance(good, BaseException)
    assert good == await queue.submission(good.submission_id)


async def test_slow_statement_is_cut_off(access: Access) -> None:
    """A statement that does not come back in time is a passing fault, and the connection serves the next."""
    slow = Statement("slow", "", "SELECT pg_sleep(30)")
    database = PostgresDatabase.open(Access(access.url, statement_timeout_s=0.2))
    async with asyncio.timeout(10):
        with pytest.raises(DatabaseUnreachable, match="in time"):
            await database.write(lambda db: db.execute(slow).rowcount)
        with pytest.raises(DatabaseUnreachable, match="in time"):
            await database.read(lambda db: db.execute(slow).rowcount)
        await SqlQueue(database).add(submission())
    await database.close()


async def test_silent_server_does_not_hold_callers_for_ever(server: PostgresServer, access: Access) -> None:
    """A server that stands still without closing its connections is given up, and taken up again later."""
    database = PostgresDatabase.open(
        Access(access.url, statement_timeout_s=0.5, connect_timeout_s=2), writers=1, readers=1
    )
    queue = SqlQueue(database)
    known = await queue.add(submission())
    await asyncio.to_thread(server.freeze, frozen=True)
    try:
        async with asyncio.timeout(20):
            with pytest.raises(DatabaseUnreachable):
                await queue.add(submission())
            with pytest.raises(DatabaseUnreachable):
                await queue.submission(known.submission_id)
    finally:
        await asyncio.to_thread(server.freeze, frozen=False)
    await asyncio.sleep(0.6)  # a vain attempt to connect is not repeated for half a second
    assert known == await queue.submission(known.submission_id)
    await queue.add(submission())
    await database.close()

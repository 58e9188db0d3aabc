"""What an operator does from the command line, whether or not the daemon runs, here or on another machine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ConfigInvalid, InputMissing, SidecarUnreachable
from ocw_sidecar.adapters.home import locked
from ocw_sidecar.adapters.opening import QUEUE_FILE, open_database, open_election, open_tasks
from ocw_sidecar.adapters.real import real_ports
from ocw_sidecar.adapters.sql import ledger, storage
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.adapters.sql.controls import SqlControls
from ocw_sidecar.adapters.sql.ledger import SqlLedger
from ocw_sidecar.adapters.sql.proofs import SqlProofBook
from ocw_sidecar.background_parts import followed_chain
from ocw_sidecar.clock.controls import WorkerState
from ocw_sidecar.composition import compose
from ocw_sidecar.daemon import first
from ocw_sidecar.ports import utc_now
from ocw_sidecar.supervisor import bench_on
from ocw_sidecar.workers.control import LOST_AFTER_S
from ocw_sidecar.workers.crew import WORKERS, require_worker
from ocw_sidecar.workers.proof_course import risk_of
from ocw_sidecar.workers.single import run_single

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.clock.controls import ProcessState
    from ocw_sidecar.ports import Election, Ports
    from ocw_sidecar.settings import Settings

#: A new leader waits three seconds, until the last one has surely stopped; and connects before that.
ELECTION_TIMEOUT_S: Final = 10.0
#: How often the answer to a request is looked for.
ANSWER_POLL_S: Final = 0.2

#: On record as who paused a worker.
COMMAND_LINE: Final = "command line"
#: Storage nodes that are shown; the worst come first.
MAX_SHOWN_NODES: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a single run came to."""

    worker: str
    items: dict[str, int]
    reason: str | None  #: the error code it failed with
    by_daemon: bool  #: a running sidecar did it


async def pause(settings: Settings, worker: str) -> None:
    """Let a worker begin nothing more, in every process.

    Raises:
        WorkerUnknown: there is none of this name.
    """
    require_worker(worker)
    async with open_database(settings) as database:
        await SqlControls(database).pause(worker, by=COMMAND_LINE, now=utc_now())


async def resume(settings: Settings, worker: str) -> None:
    """Let a worker go on.

    Raises:
        WorkerUnknown: there is none of this name.
    """
    require_worker(worker)
    async with open_database(settings) as database:
        await SqlControls(database).resume(worker)


async def run_once(
    settings: Settings, worker: str, *, timeout_s: float, ports: Ports | None = None
) -> Outcome:
    """Run a worker once: in the sidecar that leads, on whichever machine, or in this process if none does.

    Raises:
        WorkerUnknown: there is none of this name.
        SidecarUnreachable: a sidecar runs and did not do it in time; the request stands.
    """
    require_worker(worker)
    with _free_home(settings) as free:
        if free and not await _is_led(settings):
            outcome = await _run_here(settings, worker, ports)
            if outcome is not None:
                return outcome
        return await _ask(settings, worker, timeout_s)


async def status(settings: Settings) -> dict[str, Any]:
    """Return which processes run, how far the chain was followed, and what workers do.

    Raises:
        ConfigInvalid: no sidecar was ever started with these settings.
    """
    if settings.database.url is None and not (settings.home / QUEUE_FILE).exists():
        raise ConfigInvalid(f"no sidecar was ever started on the home folder {settings.home}; check the path")
    async with open_database(settings) as database:
        controls = SqlControls(database)
        processes = await _living(controls)
        states = await controls.workers()
        position = await _block_log(settings, database).position()
    return {
        "running": bool(processes),
        "processes": [
            {"process": each.process_id.hex(), "since": _text(each.started_at), "leads": each.leads}
            for each in processes
        ],
        "clock": None
        if position is None
        else {"block": position.block.number, "taken_in_at": _text(position.moved_at)},
        "workers": [_described(states.get(name, WorkerState(name=name))) for name in WORKERS],
    }


async def rebuild(settings: Settings) -> None:
    """Drop the cursor and all that was folded from blocks; the next start builds it anew.

    Raises:
        ConfigInvalid: a sidecar runs.
    """
    with locked(settings.home):
        async with open_database(settings) as database:
            if await _living(SqlControls(database)):
                raise ConfigInvalid("a sidecar runs on this database; stop it first")
            await _block_log(settings, database).forget()


async def nodes(settings: Settings) -> list[dict[str, Any]]:
    """Return how the storage nodes have answered challenges, the worst first."""
    async with open_database(settings) as database:
        found = await SqlProofBook(database).worst_nodes(MAX_SHOWN_NODES)
    return [
        {
            "node": name,
            "answers": each.answers,
            "condemned": each.condemned,
            "silent": each.silent,
            "risk": risk_of(each),
        }
        for name, each in found.items()
    ]


async def bundle(settings: Settings, digest: bytes) -> bytes:
    """Return what was asked and answered in a check, by the SHA-256 that its report on the chain names.

    Raises:
        InputMissing: it is not kept, or not any more.
    """
    async with open_database(settings) as database:
        body = await SqlLedger(database).bundle(digest)
    if body is None:
        raise InputMissing("no bundle of this digest is kept; older ones make room for newer ones")
    return body


def _block_log(settings: Settings, database: Database) -> SqlBlockLog:
    return SqlBlockLog(
        database,
        organisation=settings.organisation,
        now=utc_now,
        folds=[],
        forgets=[ledger.forget, storage.forget],
    )


async def _is_led(settings: Settings) -> bool:
    async with open_database(settings) as database:
        # Who holds the home folder of a sole process knows that there is none, whatever the last one noted.
        return not database.sole and any(each.leads for each in await _living(SqlControls(database)))


async def _living(controls: SqlControls) -> Sequence[ProcessState]:
    return await controls.processes(alive_since=utc_now() - timedelta(seconds=LOST_AFTER_S))


@contextmanager
def _free_home(settings: Settings) -> Iterator[bool]:
    """Hold the home folder if nobody else does, and tell so."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(settings.home))
        except ConfigInvalid:
            free = False
        else:
            free = True
        yield free


async def _run_here(settings: Settings, worker: str, ports: Ports | None) -> Outcome | None:
    """Run a worker in this process; None when another machine's sidecar leads all the same."""
    async with AsyncExitStack() as opened:
        database = await opened.enter_async_context(open_database(settings))
        if ports is None:
            genesis = await followed_chain(settings, database)
            ports = await opened.enter_async_context(real_ports(settings, genesis, proving=True))
        tasks = await opened.enter_async_context(open_tasks(settings))
        election = open_election(settings, ports.submitter.account)
        await opened.enter_async_context(meanwhile(election.run))
        if not await _wins(election):
            return None
        bench = await opened.enter_async_context(bench_on(database, settings, ports))
        parts = compose(bench, database, election=election, tasks=tasks, stop=asyncio.Event())
        opened.push_async_callback(parts.close)
        await opened.enter_async_context(meanwhile(parts.batches.run))
        run = await run_single(parts.crew, parts.desk, worker)
        return Outcome(worker=worker, items=dict(run.items), reason=run.reason, by_daemon=False)


@asynccontextmanager
async def meanwhile(lasting: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run something while the block lasts; what goes wrong in either comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(lasting())
            try:
                yield
            finally:
                task.cancel()
    except BaseExceptionGroup as died:
        raise first(died) from died


async def _wins(election: Election) -> bool:
    try:
        async with asyncio.timeout(ELECTION_TIMEOUT_S):
            await election.wait_until(leads=True)
    except TimeoutError:
        return False
    return True


async def _ask(settings: Settings, worker: str, timeout_s: float) -> Outcome:
    async with open_database(settings) as database:
        controls = SqlControls(database)
        number = await controls.ask(worker)
        try:
            async with asyncio.timeout(timeout_s):
                state = await _answered(controls, worker, number)
        except TimeoutError:
            raise SidecarUnreachable(
                f"the sidecar has not run {worker} within {timeout_s:g} s; see `caregrid sidecar status`"
            ) from None
    return Outcome(worker=worker, items=dict(state.items), reason=state.reason, by_daemon=True)


async def _answered(controls: SqlControls, worker: str, number: int) -> WorkerState:
    while True:
        state = (await controls.workers())[worker]
        if state.answered >= number:
            return state
        await asyncio.sleep(ANSWER_POLL_S)


def _described(state: WorkerState) -> dict[str, Any]:
    return {
        "worker": state.name,
        "paused": state.paused,
        "paused_at": _text(state.paused_at),
        "runs": state.runs,
        "failures": state.failures,
        "last_run": _text(state.ended_at),
        "last_success": _text(state.succeeded_at),
        "height": state.height,
        "items": dict(state.items),
        "reason": state.reason,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")

"""Starts the sidecar, keeps its parts together, and stops it in good order."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog

from ocw_sidecar import logs
from ocw_sidecar.adapters.home import locked
from ocw_sidecar.adapters.opening import open_database, open_election, open_spool, open_tasks
from ocw_sidecar.adapters.real import real_ports
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.adapters.sql.callers import SqlCallers
from ocw_sidecar.background_parts import followed_chain
from ocw_sidecar.callers.tokens import adopt_tokens
from ocw_sidecar.composition import compose
from ocw_sidecar.daemon import Daemon
from ocw_sidecar.pipeline.bells import Bells
from ocw_sidecar.pipeline.bench import Bench
from ocw_sidecar.pipeline.keeping_erased import keep_erased
from ocw_sidecar.pipeline.leases import Leases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.ports import Ports
    from ocw_sidecar.settings import Settings

log = structlog.get_logger()


async def run(settings: Settings, *, ports: Ports | None = None, stop: asyncio.Event | None = None) -> None:
    """Run the sidecar until SIGTERM, SIGINT or `stop`; then drain and return.

    Without `ports` the real ones are opened, and closed at the end.

    Raises:
        ConfigInvalid: another sidecar holds the home folder, or a newer one wrote its queue.
        PortTaken: somebody listens on the port.
        KeyStoreLocked: a key file does not open with the passphrase.
        Exception: a worker died; what it was.
    """
    logs.configure(settings)
    stop = stop or asyncio.Event()
    with locked(settings.home), _stopped_by_signals(stop):
        async with AsyncExitStack() as opened:
            database = await opened.enter_async_context(open_database(settings))
            if ports is None:
                genesis = await followed_chain(settings, database)
                ports = await opened.enter_async_context(real_ports(settings, genesis, proving=True))
            bench = await opened.enter_async_context(bench_on(database, settings, ports))
            await adopt_tokens(settings.home, SqlCallers(database), now=ports.now())
            tasks = await opened.enter_async_context(open_tasks(settings))
            election = open_election(settings, ports.submitter.account)
            parts = compose(bench, database, election=election, tasks=tasks, stop=stop)
            opened.push_async_callback(parts.close)
            await keep_erased(parts.desk.eraser, cursor=await parts.desk.block_log.cursor())
            await Daemon(parts, database).run()
    log.info("stopped")


@asynccontextmanager
async def bench_on(database: Database, settings: Settings, ports: Ports) -> AsyncIterator[Bench]:
    """Set up the pipeline's tools on an open database, and put right what the last process left."""
    spool = open_spool(settings, database)
    await asyncio.to_thread(spool.prepare)
    queue = SqlQueue(database)
    bench = Bench(
        settings=settings,
        ports=ports,
        queue=queue,
        spool=spool,
        leases=Leases(queue, settings.lease_s, ports.now),
        bells=Bells(),
    )
    await _recover(bench, sole=database.sole)
    yield bench


async def _recover(bench: Bench, *, sole: bool) -> None:
    queue = bench.queue
    # The home folder's lock makes a sole process the only one: whoever held a lease is dead. Where there are
    # several, the leases of the dead run out.
    released = await queue.release_all(now=bench.ports.now()) if sole else 0
    spooled = await queue.spool_files() if sole else set()
    swept = await asyncio.to_thread(bench.spool.sweep, spooled, await queue.open_packs())
    log.info("recovered", released=released, swept=swept)


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)

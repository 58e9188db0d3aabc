"""Starts the sidecar, keeps its parts together, and stops it in good order."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from caregrid.errors import ConfigInvalid, PortTaken
from ocw_sidecar import logs
from ocw_sidecar.adapters.home import locked
from ocw_sidecar.adapters.real import real_ports
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from ocw_sidecar.api import Api, Tokens, build_app
from ocw_sidecar.pipeline.bells import Bells
from ocw_sidecar.pipeline.bench import Bench
from ocw_sidecar.pipeline.intake import Intake
from ocw_sidecar.pipeline.leases import Leases
from ocw_sidecar.pipeline.spool import Spool
from ocw_sidecar.workers import pipeline_workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from ocw_sidecar.ports import Ports
    from ocw_sidecar.settings import Settings

QUEUE_FILE: Final = "queue.sqlite3"

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
    logs.configure()
    stop = stop or asyncio.Event()
    with locked(settings.home), _stopped_by_signals(stop):
        async with AsyncExitStack() as opened:
            if ports is None:
                ports = await opened.enter_async_context(real_ports(settings))
            bench = await opened.enter_async_context(open_bench(settings, ports))
            await _Daemon(bench, stop).run()
    log.info("stopped")


@asynccontextmanager
async def open_bench(settings: Settings, ports: Ports) -> AsyncIterator[Bench]:
    """Open a home folder's queue and spool, and put right what the last process left; one at a time."""
    spool = Spool(settings.home)
    await asyncio.to_thread(spool.prepare)
    database = await asyncio.to_thread(SqliteDatabase.open, settings.home / QUEUE_FILE)
    try:
        queue = SqlQueue(database)
        bench = Bench(
            settings=settings,
            ports=ports,
            queue=queue,
            spool=spool,
            leases=Leases(queue, settings.lease_s, ports.now),
            bells=Bells(),
        )
        await _recover(bench)
        yield bench
    finally:
        await database.close()


async def _recover(bench: Bench) -> None:
    queue = bench.queue
    # The home folder's lock makes this the only process: whoever held a lease is dead.
    released = await queue.release_all(now=bench.ports.now())
    swept = await asyncio.to_thread(bench.spool.sweep, await queue.spool_files(), await queue.open_packs())
    log.info("recovered", released=released, swept=swept)


class _Daemon:
    def __init__(self, bench: Bench, stop: asyncio.Event) -> None:
        self._bench, self._stop = bench, stop
        self._intake = Intake(bench)

    async def run(self) -> None:
        settings = self._bench.settings
        app = build_app(Api(bench=self._bench, intake=self._intake, tokens=Tokens(settings.home)))
        async with _listening(app, settings) as url:
            with _ready_file(settings.ready_file, url):
                log.info("started", url=url)
                await self._work()

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                beat = group.create_task(self._bench.leases.run(), name="leases")
                workers = [
                    group.create_task(worker.run(), name=worker.name)
                    for worker in pipeline_workers(self._bench, self._stop)
                ]
                group.create_task(self._drain(workers, beat), name="drain")
        except BaseExceptionGroup as died:
            raise _first(died) from died
        finally:
            self._intake.close()

    async def _drain(self, workers: Sequence[asyncio.Task[None]], beat: asyncio.Task[None]) -> None:
        await self._stop.wait()
        log.info("stopping")
        self._intake.close()
        self._bench.bells.ring_all()
        _, late = await asyncio.wait(workers, timeout=self._bench.settings.drain_s)
        for task in (*late, beat):
            task.cancel()


@asynccontextmanager
async def _listening(app: web.Application, settings: Settings) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=settings.drain_s)
    await runner.setup()
    try:
        await _bind(runner, settings)
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _bind(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"another process listens on port {settings.port}; stop it, or set another CAREGRID_PORT"
            ) from exc
        raise ConfigInvalid(f"cannot listen on {settings.host}; set another CAREGRID_HOST") from exc


@contextmanager
def _ready_file(path: Path | None, url: str) -> Iterator[None]:
    if path is None:
        yield
        return
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
    part.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


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


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first

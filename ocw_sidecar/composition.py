"""Puts the sidecar's parts together on an open database: for the daemon, for the command line, for tests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from caregrid.chain.batching import BatchingSubmitter
from ocw_sidecar.adapters.channels.opening import RealChannels
from ocw_sidecar.adapters.erasure_list import ErasureFile
from ocw_sidecar.adapters.sql import compaction_fold, erasure_fold, ledger, notices, proofs, storage
from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.adapters.sql.compaction import SqlCompactionBook
from ocw_sidecar.adapters.sql.controls import SqlControls
from ocw_sidecar.adapters.sql.deliveries import SqlOutbox
from ocw_sidecar.adapters.sql.erasure import SqlErasureBook
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.upkeep import SqlUpkeep
from ocw_sidecar.background_parts import make_background
from ocw_sidecar.ledger.restoring import LOOKUP_SIZE, Restorer
from ocw_sidecar.metrics import Metrics
from ocw_sidecar.notifications.preferences import Preferences
from ocw_sidecar.pipeline.erasing import Eraser
from ocw_sidecar.workers.batches import BatchCounts, CacheCounts
from ocw_sidecar.workers.control import ControlWatch
from ocw_sidecar.workers.crew import Crew, Tools
from ocw_sidecar.workers.desk import Desk

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Sequence

    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.upkeep import Upkeep
    from ocw_sidecar.ports import Election, TaskRunner

_PROCESS_ID_LEN = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """The parts of one process."""

    desk: Desk
    watch: ControlWatch
    crew: Crew
    batches: BatchingSubmitter  #: what the workers submit by; runs while this process leads
    outbox: SqlOutbox
    preferences: Preferences
    channels: RealChannels
    election: Election
    stop: asyncio.Event

    async def close(self) -> None:
        """Release what the parts hold open; the database is the caller's."""
        await self.channels.close()


def compose(
    bench: Bench, database: Database, *, election: Election, tasks: TaskRunner, stop: asyncio.Event
) -> Sidecar:
    """Return the parts; nothing runs yet and nothing is contacted."""
    batches = _shared(bench)
    bench = replace(bench, ports=replace(bench.ports, submitter=batches))
    desk = make_desk(bench, database)
    desk.metrics.registry.register(BatchCounts(batches))
    if bench.ports.cached is not None:
        desk.metrics.registry.register(CacheCounts(bench.ports.cached))
    channels = RealChannels(bench.settings.notifications, bench.ports.now)
    outbox = SqlOutbox(database)
    preferences = Preferences(SqlChannelBook(database, bench.ports.now), bench.ports.key_store, channels)
    watch = ControlWatch(
        desk.controls,
        process_id=secrets.token_bytes(_PROCESS_ID_LEN),
        bells=bench.bells,
        metrics=desk.metrics,
        now=bench.ports.now,
        leads=lambda: election.leads,
        interval_s=bench.settings.workers.control_s,
    )
    tools = Tools(
        desk=desk,
        watch=watch,
        tasks=tasks,
        upkeep=SqlUpkeep(database),
        patients=SqlPatients(database),
        background=make_background(desk.bench.settings, database, desk.bench.ports.on_chain),
        outbox=outbox,
        preferences=preferences,
        stop=stop,
    )
    return Sidecar(
        desk=desk,
        watch=watch,
        crew=Crew(tools),
        batches=batches,
        outbox=outbox,
        preferences=preferences,
        channels=channels,
        election=election,
        stop=stop,
    )


def _shared(bench: Bench) -> BatchingSubmitter:
    settings = bench.settings.chain
    return BatchingSubmitter(
        bench.ports.submitter,
        size=settings.batch_size,
        age_s=settings.batch_age_s,
        under_way=settings.batches_under_way,
    )


def make_desk(bench: Bench, database: Database) -> Desk:
    """Return what the workers that follow the chain work with."""
    settings, ports = bench.settings, bench.ports
    kept = ledger.SqlLedger(database)
    restorer = Restorer(
        chain=ports.chain,
        ledger=kept,
        organisation=settings.organisation,
        own_records=_OwnRecords(SqlUpkeep(database)).pages,
        now=ports.now,
    )
    return Desk(
        bench=bench,
        block_log=block_log(bench, database),
        ledger=kept,
        restorer=restorer,
        storage=storage.SqlStorageBook(database),
        compaction=SqlCompactionBook(database),
        proofs=proofs.SqlProofBook(database),
        eraser=make_eraser(bench, database),
        controls=SqlControls(database),
        notices=notices.SqlNotices(database),
        metrics=Metrics(),
    )


def make_eraser(bench: Bench, database: Database) -> Eraser:
    """Return what has records erased."""
    return Eraser(
        bench=bench,
        book=SqlErasureBook(database),
        listed=ErasureFile(bench.settings.home),
        upkeep=SqlUpkeep(database),
    )


def block_log(bench: Bench, database: Database) -> SqlBlockLog:
    """Return the clock's cursor with all that is folded from blocks."""
    return SqlBlockLog(
        database,
        organisation=bench.settings.organisation,
        now=bench.ports.now,
        # First: it has to know which grants cover a record, before the ledger drops them.
        folds=[
            erasure_fold.fold,
            ledger.fold,
            notices.fold,
            storage.fold,
            compaction_fold.fold,
            proofs.fold,
        ],
        forgets=[ledger.forget, storage.forget],
    )


class _OwnRecords:
    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def pages(self) -> AsyncIterator[Sequence[bytes]]:
        after = b""
        while page := await self._upkeep.record_ids(after=after, limit=LOOKUP_SIZE):
            yield page
            after = page[-1]

"""Gives storage nodes the tags that they answer challenges with, and commits to them on the chain.

An object is tagged after the chain has it, from the network's own copy, so nothing waits for it. Every part
comes to the same when it is done again: the key makes the same tags of the same content, a node that has them
is not sent them, and a commitment that stands is not made anew. So a process that dies begins again.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid import auditing
from caregrid.chain.port import ProofScheme
from caregrid.errors import CaregridError, CommitmentUnknown, DiskLow
from ocw_sidecar.pipeline.backoff import Backoff, RetryAt
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from pathlib import Path

    from caregrid.auditing import Tagged
    from caregrid.proofs.tag_list import TagList
    from ocw_sidecar.ledger.proofs import Tagging
    from ocw_sidecar.ports import Proving
    from ocw_sidecar.workers.desk import Desk

#: Objects of one round; the next round follows at once.
BATCH: Final = 4
#: A node that is down is often back within minutes; one that is gone is replaced by a repair.
RETRY: Final = Backoff(base=timedelta(seconds=10), cap=timedelta(hours=1), jitter=0.3, max_attempts=None)
#: Nodes could not be given theirs.
NODES_SILENT: Final = "NODES_SILENT"
#: Holds an object's sealed bytes while they are tagged; below the home folder.
FOLDER: Final = "tagging"

log = structlog.get_logger()


class TaggingStep(Step):
    """Looks each block; one process runs it, the one that leads."""

    name: ClassVar[str] = "tagging"
    bell = Bell.BLOCK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.bench)
        self._desk, self._book, self._ports = desk, desk.proofs, desk.bench.ports
        self._settings = desk.bench.settings.workers.integrity

    async def run_once(self) -> int:
        """Do some of what is due; return how many objects were looked at."""
        proving = self._ports.proving
        if proving is None:
            return 0
        due = await self._book.due_taggings(BATCH, now=self._ports.now())
        for each in due:
            try:
                async with asyncio.timeout(self._settings.tag_timeout_s):
                    reason = await self._tag(proving, each.object_id)
            except (TimeoutError, CaregridError) as exc:
                reason = reason_of(exc)
            if reason is not None:
                await self._postpone(each, reason)
        return len(due)

    async def _tag(self, proving: Proving, object_id: bytes) -> str | None:
        """Tag an object and commit to it; return why that has to be done again, if so."""
        stored = await self._ports.chain.stored_object(object_id)
        if stored is None or stored.custodian != self._desk.organisation:
            await self._book.end(object_id)
            return None
        self._require_room(stored.entry.size)
        tagged = await self._give(proving, object_id)
        await self._commit(proving, tagged.tags)
        if tagged.untaken:
            return NODES_SILENT
        await self._book.finish_tagging(object_id)
        log.info("object_tagged", object=object_id.hex(), fragments=len(tagged.tags.fragments))
        return None

    def _require_room(self, size: int) -> None:
        if self._bench.spool.free_bytes() - size < self._bench.settings.min_free_disk:
            raise DiskLow

    async def _give(self, proving: Proving, object_id: bytes) -> Tagged:
        """Have both kinds of tags made, kept by nodes, and listed here; return those for everybody."""
        folder = self._bench.settings.home / FOLDER
        try:
            await asyncio.to_thread(_emptied, folder)
            content = folder / object_id.hex()
            await self._ports.store.download(object_id, content)
            own = await auditing.tag_object(object_id, content, proving.store, proving.private)
            await self._book.keep_tags(object_id, ProofScheme.PRIVATE, own.tags.encode())
            tagged = await auditing.tag_object(object_id, content, proving.store, proving.secret)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await self._book.keep_tags(object_id, ProofScheme.PUBLIC, tagged.tags.encode())
        reach(WorkerCrashPoint.TAGGED)
        return auditing.Tagged(tags=tagged.tags, untaken=(*own.untaken, *tagged.untaken))

    async def _commit(self, proving: Proving, tags: TagList) -> None:
        committed_at = await self._committed_at(proving, tags)
        if committed_at is None:
            call = auditing.commit_call(self._desk.organisation, tags, proving.public)
            committed_at = (await self._ports.submitter.submit(call)).block.number
            reach(WorkerCrashPoint.COMMITTED)
        await self._book.note_committed(tags.object_id, committed_at)

    async def _committed_at(self, proving: Proving, tags: TagList) -> int | None:
        # A new commitment would put off the next round; one that somebody else of us made is left to stand.
        try:
            known = await auditing.committed(self._ports.chain, tags.object_id)
        except CommitmentUnknown:
            return None
        auditing.require_committed(known, tags, proving.public)
        return known.proof.committed_at

    async def _postpone(self, tagging: Tagging, reason: str) -> None:
        now = self._ports.now()
        decision = RETRY.decide(attempt=tagging.attempts + 1, now=now)
        due = decision.at if isinstance(decision, RetryAt) else now + RETRY.cap
        await self._book.postpone_tagging(tagging.object_id, due=due, reason=reason)
        log.warning("object_not_tagged", object=tagging.object_id.hex(), reason=reason)


def _emptied(folder: Path) -> None:
    # A process that died left something behind.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)

"""Makes the file of a pack from its records' sealed bytes, checking each on the way.

A pack is the concatenation of its records. One large record needs no copy: its spool file is the object.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO, Final

from caregrid.disk import full_disk_named, sync_folder
from caregrid.errors import DigestMismatch, ProtocolViolation
from caregrid.storage import FileIdHasher
from ocw_sidecar.pipeline.spool import sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocw_sidecar.pipeline.items import PackedRecord, Payload
    from ocw_sidecar.pipeline.queue import Queue
    from ocw_sidecar.pipeline.spool import Spool

#: Payloads held in memory at once, of at most 256 KiB each where they lie in rows.
RECORDS_AT_ONCE: Final = 16


async def object_file(queue: Queue, spool: Spool, pack_id: bytes, records: Sequence[PackedRecord]) -> Path:
    """Return where a pack's bytes are or will be."""
    if len(records) == 1:
        own = spool.object_path(await _only_payload(queue, records[0]))
        if own is not None:
            return own
    return spool.pack_path(pack_id)


async def build(queue: Queue, spool: Spool, pack_id: bytes, records: Sequence[PackedRecord]) -> bytes:
    """Put a pack's file on disk, durably, and return its CESS file id; doing it again gives the same.

    Raises:
        DigestMismatch: a payload is not what was sealed; the disk is failing.
        DiskLow: there is no room for the file.
    """
    target = await object_file(queue, spool, pack_id, records)
    if target != spool.pack_path(pack_id):
        payload = await _only_payload(queue, records[0])
        return await asyncio.to_thread(_identify, spool, records[0], payload)
    return await _Writing(queue, spool, target).run(records)


class _Writing:
    def __init__(self, queue: Queue, spool: Spool, target: Path) -> None:
        self._queue, self._spool, self._target = queue, spool, target
        # A name of its own: another attempt on the same pack may still be writing, its lease run out.
        self._part = target.with_suffix(f".{secrets.token_hex(4)}.part")
        self._hasher = FileIdHasher()

    async def run(self, records: Sequence[PackedRecord]) -> bytes:
        try:
            with full_disk_named():
                await self._write(records)
                await asyncio.to_thread(self._publish)
        finally:
            self._part.unlink(missing_ok=True)
        return await asyncio.to_thread(self._hasher.finish)

    async def _write(self, records: Sequence[PackedRecord]) -> None:
        with self._part.open("wb") as file:
            for start in range(0, len(records), RECORDS_AT_ONCE):
                some = records[start : start + RECORDS_AT_ONCE]
                payloads = await self._queue.payloads([record.entry.record_id for record in some])
                await asyncio.to_thread(self._append, file, some, payloads)
            await asyncio.to_thread(sync, file)

    def _append(
        self, file: BinaryIO, records: Sequence[PackedRecord], payloads: Mapping[bytes, Payload]
    ) -> None:
        for record in records:
            _require_place(record, self._hasher.size)
            _feed(self._spool, record, payloads.get(record.entry.record_id), self._hasher, file)

    def _publish(self) -> None:
        self._part.replace(self._target)
        sync_folder(self._target.parent)


def _identify(spool: Spool, record: PackedRecord, payload: Payload) -> bytes:
    hasher = FileIdHasher()
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a path of ours
        _feed(spool, record, payload, hasher, nowhere)
    return hasher.finish()


def _feed(
    spool: Spool, record: PackedRecord, payload: Payload | None, hasher: FileIdHasher, file: BinaryIO
) -> None:
    if payload is None:
        raise ProtocolViolation("the queue has lost a payload")
    digest = hashlib.sha256()
    for piece in spool.pieces(payload):
        digest.update(piece)
        hasher.update(piece)
        file.write(piece)
    if digest.digest() != record.entry.digest:
        raise DigestMismatch("a sealed payload on our own disk has changed; check the disk")


def _require_place(record: PackedRecord, position: int) -> None:
    if record.entry.offset != position:
        raise ProtocolViolation("the queue's plan of a pack has a gap")


async def _only_payload(queue: Queue, record: PackedRecord) -> Payload:
    found = await queue.payloads([record.entry.record_id])
    try:
        return found[record.entry.record_id]
    except KeyError:
        raise ProtocolViolation("the queue has lost a payload") from None

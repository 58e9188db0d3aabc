"""Puts a new object's file on disk: reads what moves from where it lies, checks it, writes it in order."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from caregrid.disk import full_disk_named, sync_folder
from caregrid.errors import CaregridError, DigestMismatch, DiskLow, ProtocolViolation
from caregrid.storage import FileIdHasher
from ocw_sidecar.pipeline.spool import sync
from ocw_sidecar.workers.compaction.planning import neighbours
from ocw_sidecar.workers.compaction.recoding import Passage, Resealed, Unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.utils import Buffer

    from caregrid.storage import ObjectStore
    from ocw_sidecar.pipeline.compaction import Transfer
    from ocw_sidecar.workers.compaction.recoding import DataKeys

#: The store gives up earlier by itself; this ends a read that comes to nothing for whatever reason.
CHUNK_TIMEOUT_S: Final = 120.0


class SourceUnreadable(Exception):
    """Some records of a plan cannot be read from where they lie, or are not what was anchored."""

    def __init__(self, transfers: Sequence[Transfer], cause: Exception) -> None:
        super().__init__("a source cannot be read")
        self.transfers, self.cause = transfers, cause


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What a file turned out to be."""

    object_id: bytes
    digests: Mapping[bytes, bytes]  #: SHA-256 by record id, as they are in the new object


async def write_object(
    store: ObjectStore, planned: Sequence[Transfer], keys: Mapping[bytes, DataKeys], target: Path
) -> Written:
    """Write a plan's file, durably; memory stays bounded whatever the plan.

    Args:
        store: what to read from.
        planned: what goes where, by offset.
        keys: the data keys of records that are sealed anew.
        target: the file; it appears whole.

    Raises:
        SourceUnreadable: a source cannot be read, or something in it is not what was anchored.
        DiskLow: there is no room.
    """
    part = target.with_suffix(f".{secrets.token_hex(4)}.part")
    try:
        with full_disk_named(), _created(part) as file:
            sink = _Sink(file, keys)
            for run in neighbours(planned):
                await _copy(store, run, sink)
            await asyncio.to_thread(sync, file)
        await asyncio.to_thread(_publish, part, target)
    finally:
        part.unlink(missing_ok=True)
    return Written(object_id=await asyncio.to_thread(sink.hasher.finish), digests=sink.digests)


def _created(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _publish(part: Path, target: Path) -> None:
    part.replace(target)
    sync_folder(target.parent)


async def _copy(store: ObjectStore, run: Sequence[Transfer], sink: _Sink) -> None:
    first, length = run[0], sum(each.target.length for each in run)
    try:
        sink.begin(run)
        async with aclosing(store.stream_range(first.source, first.source_offset, length)) as chunks:
            while True:
                async with asyncio.timeout(CHUNK_TIMEOUT_S):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                await asyncio.to_thread(sink.take, chunk)
        sink.require_end()
    except DiskLow:
        raise
    except (CaregridError, TimeoutError) as exc:
        raise SourceUnreadable(run, exc) from exc


class _Sink:
    """Takes the bytes of records as they come, and tells each record's from the next's."""

    def __init__(self, file: BinaryIO, keys: Mapping[bytes, DataKeys]) -> None:
        self._file, self._keys = file, keys
        self.hasher = FileIdHasher()
        self.digests: dict[bytes, bytes] = {}
        self._coming: list[Transfer] = []

    def begin(self, run: Sequence[Transfer]) -> None:
        """Expect these records next."""
        self._coming = list(run)
        self._open()

    def take(self, chunk: bytes) -> None:
        """Take the next bytes; blocks."""
        view = memoryview(chunk)
        while view:
            if not self._coming:
                raise ProtocolViolation("storage sent more than was asked for")
            piece = view[: self._left]
            self._source.update(piece)
            self._put(self._passage.update(piece))
            self._left -= len(piece)
            view = view[len(piece) :]
            if self._left == 0:
                self._close(self._coming.pop(0))

    def require_end(self) -> None:
        """Refuse a stream that ended too early."""
        if self._coming:
            raise ProtocolViolation("storage sent less than was asked for")

    def _open(self) -> None:
        if not self._coming:
            return
        each = self._coming[0]
        if each.target.offset != self.hasher.size:
            raise ProtocolViolation("the plan of a compaction has a gap")
        self._left = each.target.length
        self._source, self._written = hashlib.sha256(), hashlib.sha256()
        keys = self._keys.get(each.record_id)
        self._passage: Passage = Unchanged() if keys is None else Resealed(each.record_id, keys)

    def _close(self, each: Transfer) -> None:
        self._put(self._passage.finish())
        if self._source.digest() != each.source_digest:
            raise DigestMismatch
        self.digests[each.record_id] = self._written.digest()
        self._open()

    def _put(self, data: Buffer) -> None:
        self._written.update(data)
        self.hasher.update(data)
        self._file.write(data)

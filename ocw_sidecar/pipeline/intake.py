"""Takes a submission in: sealed while it arrives, acknowledged when it is durable."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import (
    Conflict,
    DatabaseUnreachable,
    DiskLow,
    InputEmpty,
    InputInvalid,
    InputTooLarge,
    QueueFull,
)
from caregrid.records import PATIENT_ID_LEN, RecordFormat
from caregrid.sealed import Sealer, new_data_key, new_record_id
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.items import InSpool, NewSubmission
from ocw_sidecar.pipeline.room import Room
from ocw_sidecar.pipeline.spool import Collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Submission

MAX_IDEMPOTENCY_KEY_CHARS: Final = 64

#: Each holds up to 3 MiB while it arrives; more callers than this wait with their content unread.
MAX_AT_ONCE: Final = 64

OPAQUE_FORMATS: Final = frozenset({RecordFormat.DICOM, RecordFormat.BINARY})

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a caller says of a submission before its content comes."""

    patient_id: bytes
    format: RecordFormat
    announced: int | None  #: plaintext bytes, where the caller knows
    idempotency: bytes | None  #: SHA-256 over caller and key

    def __post_init__(self) -> None:
        if len(self.patient_id) != PATIENT_ID_LEN:
            raise InputInvalid(f"a patient id has {PATIENT_ID_LEN} bytes, not {len(self.patient_id)}")


def idempotency_digest(caller: bytes, key: str) -> bytes:
    """Return what stands for an idempotency key in the queue; two callers' keys never meet.

    Raises:
        InputInvalid: the key is empty or too long.
    """
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY_CHARS:
        raise InputInvalid(f"an idempotency key has 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters")
    return hashlib.sha256(hashlib.sha256(caller).digest() + key.encode()).digest()


class Intake:
    """The way in. Plaintext goes through memory only, a chunk at a time."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.closed = False  #: nothing is taken in any more
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._room = Room(bench)
        self.accepted = 0  #: since the start

    def close(self) -> None:
        """Take nothing more in; what is arriving may finish."""
        self.closed = True

    async def refusal(self, announced: int = 0) -> QueueFull | DiskLow | None:
        """Return why no content of so many bytes can be taken in now, if so."""
        if self.closed:
            return QueueFull("the sidecar is stopping; submit again when it is back")
        return await self._room.refusal(announced)

    async def take(self, offer: Offer, content: AsyncIterator[bytes]) -> Submission:
        """Take one submission in and return it once it would survive a power cut.

        A submission with the same idempotency key is returned as it is; its content is not read.

        Raises:
            QueueFull, DiskLow: not now; nothing is kept.
            InputEmpty, InputTooLarge: there is no content, or too much.
            Conflict: the idempotency key was used for another patient or format.
        """
        if (known := await self._known(offer)) is not None:
            return known
        await self._require_room(offer)
        async with self._places:
            collector = Collector(self._bench.spool)
            try:
                new = await self._seal(offer, content, collector)
            except BaseException:
                await collector.discard()
                raise
            return await self._commit(new)

    async def _known(self, offer: Offer) -> Submission | None:
        if offer.idempotency is None:
            return None
        known = await self._bench.queue.find_by_key(offer.idempotency)
        if known is not None and (known.patient_id, known.format) != (offer.patient_id, offer.format):
            raise Conflict("this idempotency key was used for another patient or format; use a fresh one")
        return known

    async def _require_room(self, offer: Offer) -> None:
        announced = offer.announced or 0
        if announced > (limit := self._limit(offer.format)):
            raise InputTooLarge(limit=limit)
        if (refusal := await self.refusal(announced)) is not None:
            raise refusal

    async def _seal(self, offer: Offer, content: AsyncIterator[bytes], collector: Collector) -> NewSubmission:
        record_id, data_key = new_record_id(), new_data_key()
        sealer = Sealer(data_key, record_id)
        async for chunk in _within(self._limit(offer.format), content):
            await collector.take(sealer.update(chunk))
        await collector.take(sealer.finish())
        return NewSubmission(
            submission_id=record_id,
            patient_id=offer.patient_id,
            format=offer.format,
            length=collector.length,
            digest=collector.digest,
            payload=await collector.finish(),
            wrapped_key=await self._wrap(record_id, data_key),
            idempotency=offer.idempotency,
            received_at=self._bench.ports.now(),
        )

    async def _wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        key_store = self._bench.ports.key_store
        if key_store.blocks:
            return await asyncio.to_thread(key_store.wrap, record_id, data_key)
        return key_store.wrap(record_id, data_key)

    async def _commit(self, new: NewSubmission) -> Submission:
        reach(CrashPoint.SPOOLED)
        try:
            submission = await self._bench.queue.add(new)
        except DatabaseUnreachable:
            raise  # it may have been committed; if it was not, a sweep takes the bytes
        except Exception:
            await self._forget(new)
            raise
        reach(CrashPoint.ACCEPTED)
        if submission.submission_id != new.submission_id:
            await self._forget(new)  # the same key came twice at once, and the other one won
        self.accepted += 1
        self._room.taken(new.length)
        self._bench.bells.ring(Bell.VALIDATE)
        log.info("submission_accepted", submission=submission.submission_id.hex(), length=submission.length)
        return submission

    async def _forget(self, new: NewSubmission) -> None:
        if isinstance(new.payload, InSpool):
            await asyncio.to_thread(self._bench.spool.remove, [new.payload.name])

    def _limit(self, record_format: RecordFormat) -> int:
        settings = self._bench.settings
        if record_format in OPAQUE_FORMATS:
            return settings.max_payload
        return min(settings.max_payload, settings.max_fhir_payload)


async def _within(limit: int, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    taken = 0
    async for chunk in content:
        taken += len(chunk)
        if taken > limit:
            raise InputTooLarge(limit=limit)
        yield chunk
    if taken == 0:
        raise InputEmpty

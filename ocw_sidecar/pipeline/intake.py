"""Takes a submission in: sealed while it arrives, acknowledged when it is durable."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.content import MediaType
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
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Submission

MAX_IDEMPOTENCY_KEY_CHARS: Final = 64

#: Each holds up to 3 MiB while it arrives; more callers than this wait with their content unread.
MAX_AT_ONCE: Final = 64

OPAQUE_FORMATS: Final = frozenset({RecordFormat.DICOM, RecordFormat.BINARY})

#: Text that rides as BINARY and is read whole all the same.
PARSED_MEDIA: Final = frozenset({MediaType.CDA, MediaType.HL7_V2})

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a caller says of a submission before its content comes."""

    patient_id: bytes
    format: RecordFormat
    announced: int | None  #: plaintext bytes, where the caller knows
    idempotency: bytes | None  #: SHA-256 over caller and key
    submitter: bytes | None = None  #: the account that is told of failures, beside the organisation
    media_type: MediaType | None = None  #: one of PARSED_MEDIA; else the format says it

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
        if (known := _same(offer, await self._known([offer]))) is not None:
            return known
        await self._require_room(offer)
        async with self._places:
            new = await self._collect(offer, content)
            return await self._commit(new)

    async def take_all(self, offered: Sequence[tuple[Offer, bytes]]) -> list[Submission | Exception]:
        """Take several small contents in, with one sync of the disk; return what became of each.

        What one is refused with stops no other. Together they should be small enough to be held in memory.
        """
        async with self._places:
            known = await self._known([offer for offer, _ in offered])
            found: list[NewSubmission | Submission | Exception] = []
            try:
                for offer, content in offered:
                    found.append(await self._prepared(offer, content, known))
            except BaseException:
                await self._forget([each for each in found if isinstance(each, NewSubmission)])
                raise
            fresh = [each for each in found if isinstance(each, NewSubmission)]
            taken = iter(await self._commit_all(fresh))
        return [next(taken) if isinstance(each, NewSubmission) else each for each in found]

    async def _known(self, offers: Sequence[Offer]) -> Mapping[bytes, Submission]:
        keys = [offer.idempotency for offer in offers if offer.idempotency is not None]
        return await self._bench.queue.find_by_keys(keys) if keys else {}

    async def _prepared(
        self, offer: Offer, content: bytes, known: Mapping[bytes, Submission]
    ) -> NewSubmission | Submission | Exception:
        try:
            if (same := _same(offer, known)) is not None:
                return same
            await self._require_room(offer)
            async with aclosing(_whole(content)) as chunks:
                return await self._collect(offer, chunks)
        except Exception as exc:  # noqa: BLE001 - belongs to whoever offered this one
            return exc

    async def _collect(self, offer: Offer, content: AsyncIterator[bytes]) -> NewSubmission:
        collector = Collector(self._bench.spool)
        try:
            return await self._seal(offer, content, collector)
        except BaseException:
            await collector.discard()
            raise

    async def _require_room(self, offer: Offer) -> None:
        announced = offer.announced or 0
        if announced > (limit := self.limit(offer)):
            raise InputTooLarge(limit=limit)
        if (refusal := await self.refusal(announced)) is not None:
            raise refusal

    async def _seal(self, offer: Offer, content: AsyncIterator[bytes], collector: Collector) -> NewSubmission:
        record_id, data_key = new_record_id(), new_data_key()
        sealer = Sealer(data_key, record_id)
        async for chunk in _within(self.limit(offer), content):
            await collector.take(sealer.update(chunk))
        await collector.take(sealer.finish())
        self._room.taken(collector.length)
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
            submitter=offer.submitter,
            media_type=offer.media_type,
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
            await self._forget([new])
            raise
        await self._note([new], [submission])
        _require_same(new, submission)
        return submission

    async def _commit_all(self, news: Sequence[NewSubmission]) -> Sequence[Submission | Exception]:
        if not news:
            return []
        reach(CrashPoint.SPOOLED)
        try:
            taken = await self._bench.queue.add_all(news)
        except DatabaseUnreachable as exc:
            return [exc] * len(news)  # as above
        except Exception as exc:  # noqa: BLE001 - belongs to whoever offered them
            await self._forget(news)
            return [exc] * len(news)
        await self._note(news, taken)
        return [_checked(new, kept) for new, kept in zip(news, taken, strict=True)]

    async def _note(self, news: Sequence[NewSubmission], taken: Sequence[Submission]) -> None:
        reach(CrashPoint.ACCEPTED)
        # Where the same key came twice at once, and another one won.
        await self._forget(
            [new for new, kept in zip(news, taken, strict=True) if new.submission_id != kept.submission_id]
        )
        for kept in taken:
            self.accepted += 1
            log.info("submission_accepted", submission=kept.submission_id.hex(), length=kept.length)
        self._bench.bells.ring(Bell.VALIDATE)

    async def _forget(self, news: Sequence[NewSubmission]) -> None:
        names = [new.payload.name for new in news if isinstance(new.payload, InSpool)]
        if names:
            await asyncio.to_thread(self._bench.spool.remove, names)

    def limit(self, offer: Offer) -> int:
        """Return how many bytes of plaintext are taken: fewer of what is parsed in memory."""
        settings = self._bench.settings
        if offer.format in OPAQUE_FORMATS and offer.media_type is None:
            return settings.max_payload
        return min(settings.max_payload, settings.max_fhir_payload)


def _same(offer: Offer, known: Mapping[bytes, Submission]) -> Submission | None:
    had = None if offer.idempotency is None else known.get(offer.idempotency)
    if had is not None:
        _require_same(offer, had)
    return had


def _require_same(asked: Offer | NewSubmission, kept: Submission) -> None:
    if (kept.patient_id, kept.format, kept.media_type) != (asked.patient_id, asked.format, asked.media_type):
        raise Conflict("this idempotency key was used for another patient or format; use a fresh one")


def _checked(new: NewSubmission, kept: Submission) -> Submission | Exception:
    try:
        _require_same(new, kept)
    except Conflict as exc:
        return exc
    return kept


async def _whole(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content


async def _within(limit: int, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    taken = 0
    async for chunk in content:
        taken += len(chunk)
        if taken > limit:
            raise InputTooLarge(limit=limit)
        yield chunk
    if taken == 0:
        raise InputEmpty

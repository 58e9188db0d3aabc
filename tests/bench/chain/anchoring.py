"""How many records a second are anchored through the SDK, in batches and one by one."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.chain import Receipt, SubstrateSubmitter, calls
from caregrid.keys import Identity
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from caregrid.chain import Call

#: As many as a batch has records, so that each record of a batch is another patient's.
PATIENTS: Final = calls.MAX_BATCH
#: Some 30,000 sealed records of 1 kB fill a pack of 32 MiB.
RECORDS_PER_OBJECT: Final = 30_000
RECORD_LEN: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What came of submitting records."""

    records: int
    seconds: float  #: from the first call's making to the last one's finality
    sent_after: float  #: seconds until Python had sent the last call
    cpu_seconds: float  #: of Python
    blocks: tuple[int, ...]  #: numbers of the blocks that hold them, ascending

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


class Archive:
    """Patients of one organisation, and calls that anchor records of theirs, full packs as far as they go."""

    def __init__(self, organisation: bytes) -> None:
        self._organisation = organisation
        self._patients = [secrets.token_bytes(32) for _ in range(PATIENTS)]

    def registration(self) -> Call:
        """Return the call that registers the patients."""
        return calls.register_patients(self._organisation, [(one, None) for one in self._patients])

    def batches(self, records: int) -> Iterator[Call]:
        """Yield full batches."""
        for entry, listed in self._packs(records):
            for first in range(0, len(listed), calls.MAX_BATCH):
                batch = listed[first : first + calls.MAX_BATCH]
                yield calls.store_emr_batch(self._organisation, entry, batch)

    def singles(self, records: int) -> Iterator[Call]:
        """Yield a call for each record."""
        for entry, listed in self._packs(records):
            for record in listed:
                yield calls.store_emr(self._organisation, entry, record)

    def _packs(self, records: int) -> Iterator[tuple[ObjectEntry, list[RecordEntry]]]:
        for first in range(0, records, RECORDS_PER_OBJECT):
            count = min(RECORDS_PER_OBJECT, records - first)
            entry = ObjectEntry(
                object_id=secrets.token_bytes(32),
                size=count * RECORD_LEN,
                record_count=count,
                manifest_root=secrets.token_bytes(32),
            )
            yield entry, [self._record(position) for position in range(count)]

    def _record(self, position: int) -> RecordEntry:
        return RecordEntry(
            record_id=secrets.token_bytes(16),
            patient_id=self._patients[position % PATIENTS],
            offset=position * RECORD_LEN,
            length=RECORD_LEN,
            digest=secrets.token_bytes(32),
            format=RecordFormat.FHIR_R4_JSON,
        )


class Hospital:
    """An organisation and its operator, on the SDK."""

    def __init__(self, url: str) -> None:
        organisation, operator = Identity.from_uri("//Bob"), Identity.from_uri("//Charlie")
        self._operator = operator.account
        self._founder = SubstrateSubmitter([url], account=organisation.account, sign=organisation.sign)
        self._submitter = SubstrateSubmitter([url], account=operator.account, sign=operator.sign)
        self._archive = Archive(organisation.account)

    async def register(self) -> None:
        """Register the organisation and the patients."""
        await self._founder.submit(calls.register_organisation([self._operator]))
        await self._submitter.submit(self._archive.registration())

    async def anchor_batches(self, records: int) -> Run:
        """Anchor so many records in batches, all of which are under way at once."""
        return await self._run(self._archive.batches(records), records)

    async def anchor_singly(self, records: int) -> Run:
        """Anchor so many records with an extrinsic for each, all of which are under way at once."""
        return await self._run(self._archive.singles(records), records)

    async def anchor_one_after_another(self, records: int) -> Run:
        """Anchor records with an extrinsic for each, the next when the one before is final."""
        runs = [await self.anchor_singly(1) for _ in range(records)]
        return Run(
            records=records,
            seconds=sum(run.seconds for run in runs),
            sent_after=sum(run.sent_after for run in runs),
            cpu_seconds=sum(run.cpu_seconds for run in runs),
            blocks=tuple(number for run in runs for number in run.blocks),
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._founder.close()
        await self._submitter.close()

    async def _run(self, made: Iterator[Call], records: int) -> Run:
        begun, cpu_begun = time.monotonic(), time.process_time()
        watched = _Watched(made)
        receipts = _successes(await self._submitter.submit_many(watched))
        seconds, cpu_seconds = time.monotonic() - begun, time.process_time() - cpu_begun
        stored = sum(event.name == "RecordStored" for receipt in receipts for event in receipt.events)
        assert records == stored, (records, stored)
        return Run(
            records=records,
            seconds=seconds,
            sent_after=watched.exhausted_at - begun,
            cpu_seconds=cpu_seconds,
            blocks=tuple(sorted({receipt.block.number for receipt in receipts})),
        )


class _Watched:
    """Passes calls on and notes when the last one had been sent: then one more is asked for."""

    def __init__(self, made: Iterator[Call]) -> None:
        self._made = made
        self.exhausted_at = 0.0

    def __iter__(self) -> Iterator[Call]:
        yield from self._made
        self.exhausted_at = time.monotonic()


def _successes(results: Iterable[Receipt | Exception]) -> list[Receipt]:
    receipts = []
    for result in results:
        if isinstance(result, Exception):
            raise result
        receipts.append(result)
    return receipts

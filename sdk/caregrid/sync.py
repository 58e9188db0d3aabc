"""The client without `await`: a thin runner over :class:`caregrid.client.EmrClient`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

from caregrid.access import DEFAULT_GRANT_BLOCKS
from caregrid.access.blocking import BlockingAccess
from caregrid.client import SETTLE_TIMEOUT_S
from caregrid.client import EmrClient as AsyncEmrClient
from caregrid.operators import BlockingOperators
from caregrid.records import RecordFormat
from caregrid.threats.blocking import BlockingThreats

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Sequence
    from pathlib import Path

    from caregrid.chain import Grant, Receipt, Record
    from caregrid.content import MediaType
    from caregrid.erasures import ErasureStatus, ReasonCode
    from caregrid.feed import FeedEvent
    from caregrid.preferences import ChannelChoice, ChannelStatus
    from caregrid.reseals import ResealStatus
    from caregrid.statuses import BatchAnswer, BatchItem, FoundRecord, SubmissionStatus

T = TypeVar("T")


class EmrClient:
    """As the asynchronous client, each call blocking. One thread at a time; not inside a running loop."""

    def __init__(self, client: AsyncEmrClient) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    @classmethod
    def from_profile(cls, path: Path) -> Self:
        """As :meth:`caregrid.client.EmrClient.from_profile`."""
        return cls(asyncio.run(AsyncEmrClient.from_profile(path)))

    @property
    def access(self) -> BlockingAccess:
        """Requests, grants and emergencies."""
        return BlockingAccess(self._client.access, self._run)

    @property
    def operators(self) -> BlockingOperators:
        """Who may act for the organisation, where this identity is the organisation itself."""
        return BlockingOperators(self._client.operators, self._run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release every connection."""
        self._run(self._client.close())
        self._runner.close()

    @property
    def threats(self) -> BlockingThreats:
        """Blocked networks and attack signatures."""
        return BlockingThreats(self._client.threats, self._run)

    def register_patient(self, *, controller: bytes | None = None) -> bytes:
        """As :meth:`caregrid.client.EmrClient.register_patient`."""
        return self._run(self._client.register_patient(controller=controller))

    def publish_encryption_key(self) -> int:
        """As :meth:`caregrid.client.EmrClient.publish_encryption_key`."""
        return self._run(self._client.publish_encryption_key())

    def submit(
        self,
        content: bytes | Path,
        *,
        patient_id: bytes,
        format: RecordFormat = RecordFormat.FHIR_R4_JSON,  # noqa: A002 - the field's name
        media_type: MediaType | None = None,
        idempotency_key: str | None = None,
        timeout_s: float = SETTLE_TIMEOUT_S,
    ) -> SubmissionStatus:
        """As :meth:`caregrid.client.EmrClient.submit`."""
        return self._run(
            self._client.submit(
                content,
                patient_id=patient_id,
                format=format,
                media_type=media_type,
                idempotency_key=idempotency_key,
                timeout_s=timeout_s,
            )
        )

    def submit_many(self, items: Iterable[BatchItem]) -> Generator[BatchAnswer]:
        """As :meth:`caregrid.client.EmrClient.submit_many`."""
        return self._each(self._client.submit_many(items))

    def status(self, submission_id: bytes) -> SubmissionStatus:
        """As :meth:`caregrid.client.EmrClient.status`."""
        return self._run(self._client.status(submission_id))

    def find_records(
        self,
        *,
        patient_id: bytes | None = None,
        state: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Generator[FoundRecord]:
        """As :meth:`caregrid.client.EmrClient.find_records`."""
        return self._each(
            self._client.find_records(patient_id=patient_id, state=state, since=since, until=until)
        )

    def patients(self) -> Generator[bytes]:
        """As :meth:`caregrid.client.EmrClient.patients`."""
        return self._each(self._client.patients())

    def record(self, record_id: bytes) -> Record:
        """As :meth:`caregrid.client.EmrClient.record`."""
        return self._run(self._client.record(record_id))

    def get(self, record_id: bytes) -> bytes:
        """As :meth:`caregrid.client.EmrClient.get`."""
        return self._run(self._client.get(record_id))

    def download(self, record_id: bytes, target: Path) -> int:
        """As :meth:`caregrid.client.EmrClient.download`."""
        return self._run(self._client.download(record_id, target))

    def download_sealed(self, record_id: bytes, target: Path) -> int:
        """As :meth:`caregrid.client.EmrClient.download_sealed`."""
        return self._run(self._client.download_sealed(record_id, target))

    def get_range(self, record_id: bytes, offset: int, length: int) -> bytes:
        """As :meth:`caregrid.client.EmrClient.get_range`."""
        return self._run(self._client.get_range(record_id, offset, length))

    def reveal_data_key(self, record_id: bytes) -> bytes:
        """As :meth:`caregrid.client.EmrClient.reveal_data_key`."""
        return self._run(self._client.reveal_data_key(record_id))

    def grant(
        self,
        record_id: bytes,
        grantee: bytes,
        *,
        blocks: int = DEFAULT_GRANT_BLOCKS,
        purpose: str = "Treatment",
    ) -> Receipt:
        """As :meth:`caregrid.client.EmrClient.grant`."""
        return self._run(self._client.grant(record_id, grantee, blocks=blocks, purpose=purpose))

    def revoke(self, record_id: bytes, grantee: bytes) -> Receipt:
        """As :meth:`caregrid.client.EmrClient.revoke`."""
        return self._run(self._client.revoke(record_id, grantee))

    def grants(self, record_id: bytes) -> Sequence[Grant]:
        """As :meth:`caregrid.client.EmrClient.grants`."""
        return self._run(self._client.grants(record_id))

    def erase(self, record_id: bytes, *, reason: ReasonCode | None = None) -> ErasureStatus:
        """As :meth:`caregrid.client.EmrClient.erase`."""
        return self._run(self._client.erase(record_id, reason=reason))

    def erasure(self, record_id: bytes) -> ErasureStatus:
        """As :meth:`caregrid.client.EmrClient.erasure`."""
        return self._run(self._client.erasure(record_id))

    def reseal(self, record_id: bytes) -> ResealStatus:
        """As :meth:`caregrid.client.EmrClient.reseal`."""
        return self._run(self._client.reseal(record_id))

    def wait_resealed(self, record_id: bytes, *, timeout_s: float = SETTLE_TIMEOUT_S) -> ResealStatus:
        """As :meth:`caregrid.client.EmrClient.wait_resealed`."""
        return self._run(self._client.wait_resealed(record_id, timeout_s=timeout_s))

    def wait_erased(self, record_id: bytes, *, timeout_s: float = SETTLE_TIMEOUT_S) -> ErasureStatus:
        """As :meth:`caregrid.client.EmrClient.wait_erased`."""
        return self._run(self._client.wait_erased(record_id, timeout_s=timeout_s))

    def feed(self, *, after: int | None = None) -> Generator[FeedEvent]:
        """As :meth:`caregrid.client.EmrClient.feed`; waits for each notice. Close it to let go."""
        events = self._client.feed(after=after)
        try:
            while True:
                yield self._run(_next(events))
        finally:
            self._run(events.aclose())

    def preferences(self) -> list[ChannelStatus]:
        """As :meth:`caregrid.client.EmrClient.preferences`."""
        return self._run(self._client.preferences())

    def set_preferences(self, channels: Sequence[ChannelChoice]) -> list[ChannelStatus]:
        """As :meth:`caregrid.client.EmrClient.set_preferences`."""
        return self._run(self._client.set_preferences(channels))

    def replay_deliveries(self) -> int:
        """As :meth:`caregrid.client.EmrClient.replay_deliveries`."""
        return self._run(self._client.replay_deliveries())

    def _each(self, found: AsyncGenerator[T]) -> Generator[T]:
        try:
            while True:
                try:
                    item = self._run(_next(found))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._run(found.aclose())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


async def _next(events: AsyncGenerator[T]) -> T:
    return await anext(events)

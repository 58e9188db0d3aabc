"""When a compaction that failed is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ocw_sidecar.pipeline.backoff import Backoff, RetryAt

if TYPE_CHECKING:
    from datetime import datetime

    from ocw_sidecar.workers.desk import Desk

#: Erasure is a promise: it is never given up, only tried less often.
RETRY: Final = Backoff(base=timedelta(seconds=10), cap=timedelta(hours=6), jitter=0.3, max_attempts=None)


def due_after(attempt: int, now: datetime) -> datetime:
    """Return when to try again after a failed attempt, numbered from 1."""
    decision = RETRY.decide(attempt=attempt, now=now)
    return decision.at if isinstance(decision, RetryAt) else now + RETRY.cap


async def postpone_reseal(desk: Desk, record_id: bytes, reason: str) -> None:
    """Have a record sealed anew later, after a failed attempt."""
    book, now = desk.compaction, desk.bench.ports.now()
    request = await book.reseal_request(record_id)
    if request is not None:
        await book.postpone_reseal(record_id, due=due_after(request.attempts + 1, now), reason=reason)

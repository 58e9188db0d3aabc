"""What a lease costs when few and when many submissions wait, and the memory of the process that takes it.

`python -m tests.bench.sidecar.claims URL FOLDER WAITING` opens a database that has been filled and prints one
JSON object; it is a process of its own, so that its memory is that of claiming alone.
"""

from __future__ import annotations

import asyncio
import json
import resource
import secrets
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from caregrid.records import RecordFormat
from caregrid.sealed import new_record_id
from ocw_sidecar.adapters.opening import open_database
from ocw_sidecar.adapters.sql import SqlQueue, submissions
from ocw_sidecar.pipeline.items import AcceptedWhole, InRow, NewSubmission
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.settings import Settings

#: Submissions that one transaction brings in while a database is filled.
_CHUNK: Final = 5_000
#: Leases that are timed, after some that warm the caches up.
_CLAIMS: Final = 400
_WARM_UP: Final = 50
_LEASE: Final = timedelta(minutes=1)
_BODY: Final = secrets.token_bytes(400)
_LONG_AGO: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What was measured."""

    seconds: float  #: median of a lease and of what ends it
    memory: int  #: bytes, the most that the process held


def measure(url: str | None, folder: Path, waiting: int) -> Cost:
    """Fill a fresh database with so many waiting submissions, and return what claiming costs there."""
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_fill(settings(url, folder), waiting))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sidecar.claims", url or "", str(folder)],
        check=True,
        capture_output=True,
    )
    return Cost(**json.loads(done.stdout))


def settings(url: str | None, folder: Path) -> Settings:
    """Return a sidecar's settings for a database."""
    more: dict[str, Any] = {} if url is None else {"database": {"url": url}}
    return Settings.load(home=folder, organisation=bytes(32), **more)


async def _fill(chosen: Settings, waiting: int) -> None:
    async with open_database(chosen) as database:
        for start in range(0, waiting, _CHUNK):
            batch = [_submission() for _ in range(min(_CHUNK, waiting - start))]
            await database.write(partial(submissions.add_all, news=batch))


def _submission() -> NewSubmission:
    return NewSubmission(
        submission_id=new_record_id(),
        patient_id=bytes(32),
        format=RecordFormat.FHIR_R4_JSON,
        length=len(_BODY),
        digest=bytes(32),
        payload=InRow(_BODY),
        wrapped_key=bytes(60),
        idempotency=None,
        received_at=_LONG_AGO,
    )


async def _claim(chosen: Settings) -> Cost:
    async with open_database(chosen) as database:
        queue = SqlQueue(database)
        for _ in range(_WARM_UP):
            await _once(queue)
        taken = [await _once(queue) for _ in range(_CLAIMS)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Cost(seconds=statistics.median(taken), memory=memory)


async def _once(queue: SqlQueue) -> float:
    begun, now = time.perf_counter(), datetime.now(UTC)
    (job,) = await queue.claim(Stage.VALIDATE, 1, now=now, until=now + _LEASE)
    await queue.finish_validation(job, AcceptedWhole(), now=now)
    return time.perf_counter() - begun


if __name__ == "__main__":
    cost = asyncio.run(_claim(settings(sys.argv[1] or None, Path(sys.argv[2]))))
    print(json.dumps({"seconds": cost.seconds, "memory": cost.memory}))  # noqa: T201  a program

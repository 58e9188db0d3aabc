"""Takes submissions in, says how far they are, and lists them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import NotFound
from ocw_sidecar.api import models, requests
from ocw_sidecar.api.callers import CALLER
from ocw_sidecar.api.contents import agreeing, content_of
from ocw_sidecar.api.replies import reply
from ocw_sidecar.api.routes import query_of
from ocw_sidecar.pipeline.bells import Bell, heard
from ocw_sidecar.pipeline.search import FIRST_ID, LAST_ID, Query
from ocw_sidecar.pipeline.states import FINAL_RECORD_STATES, SubmissionState

if TYPE_CHECKING:
    from aiohttp import web

    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.intake import Intake
    from ocw_sidecar.pipeline.items import RecordView, Submission
    from ocw_sidecar.pipeline.search import FoundRecord, FoundSubmission, Search

#: Proxies cut idle requests at about a minute; a caller who wants to wait longer asks again.
MAX_WAIT_S: Final = 55.0

#: Bells ring often under load; one look serves all of them in so long.
LOOK_PAUSE_S: Final = 0.02

#: A UUIDv7 begins with 48 bits of milliseconds.
_ID_REST_LEN: Final = 10


class Submissions:
    """The resource `/v1/submissions`."""

    def __init__(self, bench: Bench, intake: Intake, search: Search, limits: Limits) -> None:
        self._bench, self._intake, self._search, self._limits = bench, intake, search, limits

    async def post(self, request: web.Request) -> web.Response:
        """Take a submission in; 202 once it is durable."""
        offer = requests.offer_of(request)
        with self._limits.upload(request[CALLER]):
            arriving = content_of(request, self._intake.limit(offer))
            async with aclosing(agreeing(arriving, requests.media_type_of(request))) as content:
                submission = await self._intake.take(offer, content)
        accepted = models.Accepted(submission=submission.submission_id.hex(), state=submission.state)
        return reply(accepted, status=202)

    async def get(self, request: web.Request) -> web.Response:
        """Say how far a submission has come; with `wait`, not before all its records are at their end."""
        submission_id = requests.record_id_of(request)
        wait_s = min(query_of(request, models.WaitQuery).wait, MAX_WAIT_S)
        return reply(await self._wait(submission_id, wait_s))

    async def find(self, request: web.Request) -> web.Response:
        """List submissions, the newest first."""
        page = await self._search.submissions(_query(query_of(request, models.SubmissionsQuery)))
        listed = [_listed_submission(each) for each in page.items]
        return reply(
            models.SubmissionList(submissions=listed, next=None if page.next is None else page.next.hex())
        )

    async def find_records(self, request: web.Request) -> web.Response:
        """List records, the newest first."""
        page = await self._search.records(_query(query_of(request, models.RecordsQuery)))
        listed = [_listed_record(each) for each in page.items]
        return reply(models.RecordList(records=listed, next=None if page.next is None else page.next.hex()))

    async def _wait(self, submission_id: bytes, wait_s: float) -> models.Progress:
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait_s
        while True:
            rung = self._bench.bells.listen(Bell.SETTLED)
            found = await self._look(submission_id)
            left_s = deadline - clock()
            if found.settled or left_s <= 0 or self._intake.closed:
                return found
            await heard(rung, min(left_s, self._bench.settings.tick_s))
            await asyncio.sleep(LOOK_PAUSE_S)

    async def _look(self, submission_id: bytes) -> models.Progress:
        submission = await self._bench.queue.submission(submission_id)
        if submission is None:
            raise NotFound("no submission has this id here; check the id")
        return _progress(submission, await self._bench.queue.records_of(submission_id))


def _progress(submission: Submission, records: list[RecordView]) -> models.Progress:
    settled = submission.state is SubmissionState.FAILED or (
        submission.state is SubmissionState.VALIDATED
        and all(record.state in FINAL_RECORD_STATES for record in records)
    )
    return models.Progress(
        submission=submission.submission_id.hex(),
        state=submission.state,
        settled=settled,
        records=[models.Item(**_item(record)) for record in records],
        **_present(reason=submission.reason),
    )


def _item(record: RecordView) -> dict[str, Any]:
    return {
        "record": record.record_id.hex(),
        "ordinal": record.ordinal,
        "state": record.state,
        "object": None if record.object_id is None else record.object_id.hex(),
        "block": record.block,
        **_present(
            outcome=record.outcome,
            reason=record.reason,
            original=None if record.original is None else record.original.hex(),
        ),
    }


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _query(asked: models.SubmissionsQuery | models.RecordsQuery) -> Query:
    until = LAST_ID if asked.until is None else _first_id_of(asked.until)
    return Query(
        patient_id=None if asked.patient is None else requests.from_hex(asked.patient),
        state=asked.state,
        since=FIRST_ID if asked.since is None else _first_id_of(asked.since),
        before=until if asked.before is None else min(until, requests.from_hex(asked.before)),
        limit=asked.limit,
    )


def _first_id_of(milliseconds: int) -> bytes:
    return milliseconds.to_bytes(len(FIRST_ID) - _ID_REST_LEN, "big") + bytes(_ID_REST_LEN)


def _listed_submission(found: FoundSubmission) -> models.ListedSubmission:
    return models.ListedSubmission(
        submission=found.submission_id.hex(),
        patient=found.patient_id.hex(),
        format=found.format.name,
        state=found.state,
        received=int(found.received_at.timestamp() * 1000),
        **_present(reason=found.reason),
    )


def _listed_record(found: FoundRecord) -> models.ListedRecord:
    return models.ListedRecord(
        submission=found.submission_id.hex(),
        patient=found.patient_id.hex(),
        format=found.format.name,
        **_item(found.view),
    )

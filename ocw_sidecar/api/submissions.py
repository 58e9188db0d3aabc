"""POST and GET of submissions."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from caregrid.errors import NotFound
from ocw_sidecar.api import requests
from ocw_sidecar.pipeline.bells import Bell, heard
from ocw_sidecar.pipeline.states import FINAL_RECORD_STATES, SubmissionState

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.intake import Intake
    from ocw_sidecar.pipeline.items import RecordView, Submission

#: Proxies cut idle requests at about a minute; a caller who wants to wait longer asks again.
MAX_WAIT_S: Final = 55.0

#: Bells ring often under load; one look serves all of them in so long.
LOOK_PAUSE_S: Final = 0.02


class Submissions:
    """The resource `/v1/submissions`."""

    def __init__(self, bench: Bench, intake: Intake) -> None:
        self._bench, self._intake = bench, intake

    async def post(self, request: web.Request) -> web.Response:
        """Take a submission in; 202 once it is durable."""
        offer = requests.offer_of(request)
        async with aclosing(requests.content_of(request)) as content:
            submission = await self._intake.take(offer, content)
        answer = {"submission": submission.submission_id.hex(), "state": submission.state}
        return web.json_response(answer, status=202)

    async def get(self, request: web.Request) -> web.Response:
        """Say how far a submission has come; with `wait`, not before all its records are at their end."""
        submission_id = requests.record_id_of(request)
        wait_s = requests.seconds_of(request.query.get("wait", "0"), MAX_WAIT_S)
        return web.json_response(await self._wait(submission_id, wait_s))

    async def _wait(self, submission_id: bytes, wait_s: float) -> dict[str, Any]:
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait_s
        while True:
            rung = self._bench.bells.listen(Bell.SETTLED)
            found = await self._look(submission_id)
            left_s = deadline - clock()
            if found["settled"] or left_s <= 0 or self._intake.closed:
                return found
            await heard(rung, min(left_s, self._bench.settings.tick_s))
            await asyncio.sleep(LOOK_PAUSE_S)

    async def _look(self, submission_id: bytes) -> dict[str, Any]:
        submission = await self._bench.queue.submission(submission_id)
        if submission is None:
            raise NotFound("no submission has this id here; check the id")
        return _describe(submission, await self._bench.queue.records_of(submission_id))


def _describe(submission: Submission, records: list[RecordView]) -> dict[str, Any]:
    settled = submission.state is SubmissionState.FAILED or (
        submission.state is SubmissionState.VALIDATED
        and all(record.state in FINAL_RECORD_STATES for record in records)
    )
    answer: dict[str, Any] = {
        "submission": submission.submission_id.hex(),
        "state": submission.state,
        "settled": settled,
        "records": [_describe_record(record) for record in records],
    }
    return answer if submission.reason is None else {**answer, "reason": submission.reason}


def _describe_record(record: RecordView) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "record": record.record_id.hex(),
        "ordinal": record.ordinal,
        "state": record.state,
        "object": None if record.object_id is None else record.object_id.hex(),
        "block": record.block,
    }
    extras = {"outcome": record.outcome, "reason": record.reason}
    return answer | {name: value for name, value in extras.items() if value is not None}

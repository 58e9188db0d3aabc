"""Many submissions in one request: NDJSON in, NDJSON out, a line for a line."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import CaregridError, InputTooLarge
from ocw_sidecar.api import models, requests
from ocw_sidecar.api.answers import fault_error
from ocw_sidecar.api.callers import CALLER
from ocw_sidecar.api.ndjson import lines, read_line
from ocw_sidecar.pipeline.intake import Offer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.intake import Intake
    from ocw_sidecar.pipeline.items import Submission
    from ocw_sidecar.settings.api import ApiSettings

NDJSON: Final = "application/x-ndjson"

#: Lines being made durable at once; they share the database's commits.
WINDOW: Final = 64

#: A caller who does not read his answers for so long is gone.
WRITE_TIMEOUT_S: Final = 60.0

#: A longer line is parsed beside the event loop.
_PARSE_ASIDE_BYTES: Final = 64 * 1024

_Answers = asyncio.Queue["asyncio.Task[models.LineAnswer] | None"]


class Batches:
    """The resource `/v1/batches`."""

    def __init__(self, bench: Bench, intake: Intake, limits: Limits) -> None:
        self._settings, self._intake, self._limits = bench.settings.api, intake, limits

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take lines in; each is answered once it is durable, in order, and a bad one stops no other."""
        requests.require_media(request, NDJSON)
        requests.require_plain(request)
        batch = _Batch(self._settings, self._intake, self._limits, request)
        with self._limits.upload(request[CALLER]):
            content = await self._content(request)
            response = web.StreamResponse(headers={"Content-Type": NDJSON})
            await response.prepare(request)
            try:
                async with asyncio.TaskGroup() as group:
                    answers: _Answers = asyncio.Queue()
                    group.create_task(_write(response, answers), name="batch-answers")
                    await batch.read(content, group, answers)
            except BaseExceptionGroup as broken:
                raise broken.exceptions[0] from None
        await response.write_eof()
        return response

    async def _content(self, request: web.Request) -> AsyncIterator[bytes]:
        """Return the content; what carries a digest is checked as a whole before any line is taken in."""
        if "Content-Digest" in request.headers:
            return _once(await requests.whole_body(request, self._settings.signed_batch_limit))
        return requests.content_of(request)


class _Batch:
    """One request on its way."""

    def __init__(self, settings: ApiSettings, intake: Intake, limits: Limits, request: web.Request) -> None:
        self._settings, self._intake, self._limits = settings, intake, limits
        self._request = request
        version = request.headers.get("Content-Type", "").partition(";")[2]
        self._format = requests.format_of(f"application/fhir+json;{version}")
        self._key = request.headers.get("Idempotency-Key")
        requests.idempotency_of(request, self._key)  # refuses a bad one before the answer begins
        self._window = asyncio.Semaphore(WINDOW)

    async def read(self, content: AsyncIterator[bytes], group: asyncio.TaskGroup, answers: _Answers) -> None:
        """Start work on each line; answers come in the lines' order."""
        number = 0
        try:
            async for text in lines(self._bounded(content), self._settings.line_limit):
                number += 1
                if number > self._settings.batch_lines:
                    raise InputTooLarge(
                        f"a batch has at most {self._settings.batch_lines} lines; send the rest in another",
                        limit=self._settings.batch_lines,
                    )
                if text is None or text.strip():
                    await self._window.acquire()
                    answers.put_nowait(group.create_task(self._answer(number, text)))
        except CaregridError as exc:
            answers.put_nowait(group.create_task(_refusal(number + 1, exc)))
        answers.put_nowait(None)

    async def _bounded(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in content:
            received += len(chunk)
            if received > self._settings.batch_limit:
                raise InputTooLarge(limit=self._settings.batch_limit)
            yield chunk

    async def _answer(self, number: int, text: bytes | None) -> models.LineAnswer:
        try:
            await self._limits.request(self._request[CALLER])
            taken = await self._take(number, text)
        except CaregridError as exc:
            return await _refusal(number, exc)
        except Exception as exc:  # noqa: BLE001 - a bug at one line must not stop the others
            return await _refusal(number, fault_error(exc))
        finally:
            self._window.release()
        return models.LineAnswer(line=number, submission=taken.submission_id.hex(), state=taken.state)

    async def _take(self, number: int, text: bytes | None) -> Submission:
        limit = self._settings.line_limit
        if text is not None and len(text) > _PARSE_ASIDE_BYTES:
            line = await asyncio.to_thread(read_line, text, limit)
        else:
            line = read_line(text, limit)
        key = self._line_key(number) if line.key is None else line.key
        offer = Offer(
            patient_id=line.patient_id,
            format=self._format,
            announced=len(line.resource),
            idempotency=requests.idempotency_of(self._request, key),
        )
        async with aclosing(_once(line.resource)) as content:
            return await self._intake.take(offer, content)

    def _line_key(self, number: int) -> str | None:
        if self._key is None:
            return None
        return hashlib.sha256(f"{self._key}\n{number}".encode()).hexdigest()


async def _write(response: web.StreamResponse, answers: _Answers) -> None:
    while (task := await answers.get()) is not None:
        text = (await task).model_dump_json(exclude_unset=True) + "\n"
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await response.write(text.encode())
        except TimeoutError as exc:
            raise ConnectionResetError("the caller does not read") from exc


async def _refusal(number: int, error: CaregridError) -> models.LineAnswer:
    return models.LineAnswer(line=number, error=models.Fault(code=error.code, message=str(error)))


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content

"""Many submissions in one request: NDJSON in, NDJSON out, a line for a line."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.content import is_packed
from caregrid.errors import CaregridError, InputTooLarge
from ocw_sidecar.api import models, requests
from ocw_sidecar.api.answers import fault_error
from ocw_sidecar.api.callers import CALLER
from ocw_sidecar.api.contents import content_of, encoding_of, whole_body
from ocw_sidecar.api.ndjson import Line, lines, read_line
from ocw_sidecar.pipeline.intake import Offer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence

    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.intake import Intake
    from ocw_sidecar.pipeline.items import Submission
    from ocw_sidecar.settings.api import ApiSettings

NDJSON: Final = "application/x-ndjson"

#: Lines that are taken in, made durable and answered together; also what the event loop does without a pause.
GROUP_LINES: Final = 32

#: A group ends with the line that brings it here, and is held in memory until it is durable.
GROUP_BYTES: Final = 256 * 1024

#: Groups under way at once, of one request.
WINDOW: Final = 4

#: A caller who does not read his answers for so long is gone.
WRITE_TIMEOUT_S: Final = 60.0

#: A longer line is parsed beside the event loop.
_PARSE_ASIDE_BYTES: Final = 64 * 1024

_Lines = list[tuple[int, bytes | None]]
_Answers = asyncio.Queue["asyncio.Task[list[models.LineAnswer]] | None"]


class Batches:
    """The resource `/v1/batches`."""

    def __init__(self, bench: Bench, intake: Intake, limits: Limits) -> None:
        self._settings, self._intake, self._limits = bench.settings.api, intake, limits

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take lines in; each is answered once it is durable, in order, and a bad one stops no other."""
        requests.require_media(request, NDJSON)
        is_packed(encoding_of(request))  # refuses other encodings before the answer begins
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
            return _once(await whole_body(request, self._settings.signed_batch_limit))
        return content_of(request, self._settings.batch_limit)


class _Batch:
    """One request on its way."""

    def __init__(self, settings: ApiSettings, intake: Intake, limits: Limits, request: web.Request) -> None:
        self._settings, self._intake, self._limits = settings, intake, limits
        self._request = request
        version = request.headers.get("Content-Type", "").partition(";")[2]
        self._format = requests.declared_as(f"application/fhir+json;{version}").record_format
        self._key = request.headers.get("Idempotency-Key")
        requests.idempotency_of(request, self._key)  # refuses a bad one before the answer begins
        self._window = asyncio.Semaphore(WINDOW)
        self._read = 0  # lines

    async def read(self, content: AsyncIterator[bytes], group: asyncio.TaskGroup, answers: _Answers) -> None:
        """Start work on lines as they come; answers come in the lines' order."""
        try:
            async for texts in lines(self._bounded(content), self._settings.line_limit):
                fault = self._excess(len(texts))
                for some in _groups(self._numbered(texts)):
                    await self._window.acquire()
                    answers.put_nowait(group.create_task(self._answer(some)))
                if fault is not None:
                    raise fault
        except CaregridError as exc:
            answers.put_nowait(group.create_task(_refusals([self._read + 1], exc)))
        answers.put_nowait(None)

    def _excess(self, count: int) -> InputTooLarge | None:
        limit = self._settings.batch_lines
        if self._read + count <= limit:
            return None
        return InputTooLarge(f"a batch has at most {limit} lines; send the rest in another", limit=limit)

    def _numbered(self, texts: Sequence[bytes | None]) -> Iterator[tuple[int, bytes | None]]:
        for text in texts[: self._settings.batch_lines - self._read]:
            self._read += 1
            if text is None or text.strip():
                yield self._read, text

    async def _bounded(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in content:
            received += len(chunk)
            if received > self._settings.batch_limit:
                raise InputTooLarge(limit=self._settings.batch_limit)
            yield chunk

    async def _answer(self, some: _Lines) -> list[models.LineAnswer]:
        numbers = [number for number, _ in some]
        try:
            await self._limits.request(self._request[CALLER], count=len(some))
            outcomes = await self._take(some)
        except Exception as exc:  # noqa: BLE001 - a bug at some lines must not stop the others
            return await _refusals(numbers, exc)
        finally:
            self._window.release()
        return [_answer(number, outcome) for number, outcome in zip(numbers, outcomes, strict=True)]

    async def _take(self, some: _Lines) -> list[Submission | Exception]:
        found = [await self._offered(number, text) for number, text in some]
        offered = [each for each in found if not isinstance(each, Exception)]
        taken = iter(await self._intake.take_all(offered) if offered else [])
        return [each if isinstance(each, Exception) else next(taken) for each in found]

    async def _offered(self, number: int, text: bytes | None) -> tuple[Offer, bytes] | Exception:
        try:
            line = await self._line(text)
            key = self._line_key(number) if line.key is None else line.key
            offer = Offer(
                patient_id=line.patient_id,
                format=self._format,
                announced=len(line.resource),
                idempotency=requests.idempotency_of(self._request, key),
                submitter=self._request[CALLER].account,
            )
        except Exception as exc:  # noqa: BLE001 - a bug at one line must not stop the others
            return exc
        return offer, line.resource

    async def _line(self, text: bytes | None) -> Line:
        limit = self._settings.line_limit
        if text is not None and len(text) > _PARSE_ASIDE_BYTES:
            return await asyncio.to_thread(read_line, text, limit)
        return read_line(text, limit)

    def _line_key(self, number: int) -> str | None:
        if self._key is None:
            return None
        return hashlib.sha256(f"{self._key}\n{number}".encode()).hexdigest()


def _groups(numbered: Iterable[tuple[int, bytes | None]]) -> Iterator[_Lines]:
    some: _Lines = []
    size = 0
    for number, text in numbered:
        some.append((number, text))
        size += len(text or b"")
        if len(some) == GROUP_LINES or size >= GROUP_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


async def _write(response: web.StreamResponse, answers: _Answers) -> None:
    while (task := await answers.get()) is not None:
        text = "".join(answer.model_dump_json(exclude_unset=True) + "\n" for answer in await task)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await response.write(text.encode())
        except TimeoutError as exc:
            raise ConnectionResetError("the caller does not read") from exc


def _answer(number: int, outcome: Submission | Exception) -> models.LineAnswer:
    if isinstance(outcome, Exception):
        error = outcome if isinstance(outcome, CaregridError) else fault_error(outcome)
        return models.LineAnswer(line=number, error=models.Fault(code=error.code, message=str(error)))
    return models.LineAnswer(line=number, submission=outcome.submission_id.hex(), state=outcome.state)


async def _refusals(numbers: Sequence[int], error: Exception) -> list[models.LineAnswer]:
    return [_answer(number, error) for number in numbers]


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content

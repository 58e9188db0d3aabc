"""A FHIR terminology server, by the operation `ValueSet/$validate-code`.

Contract: https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

from caregrid.fhir.terminology import Answer, Question, Terminology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A server looks a code up in milliseconds; one that takes longer holds up the queue.
QUESTION_TIMEOUT_S: Final = 5.0

#: All questions of one record together; past this the record goes on with codes unchecked.
RECORD_TIMEOUT_S: Final = 20.0

#: A server that did not answer is left alone so long: else each record waits for it anew.
REST_S: Final = 30.0

#: Answers that are remembered; codes repeat from record to record.
MAX_REMEMBERED: Final = 50_000

_AT_ONCE: Final = 8
_MAX_ANSWER: Final = 256 * 1024
_OK: Final = 200
_SERVER_FAULT: Final = 500

#: Answers that say nothing of a value set: moved, no right to ask, too slow, too often.
_NO_ANSWER: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 407, 408, 429})

_ANSWERS: Final = {True: Answer.INSIDE, False: Answer.OUTSIDE, None: Answer.UNKNOWN}


class TerminologyServer(Terminology):
    """Asks one server. Threads may share it; its connections live on a thread of its own until `close`."""

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = RECORD_TIMEOUT_S
    ) -> None:
        """Take what to ask; does no I/O.

        Args:
            url: the server's base.
            headers: what it needs, such as `Authorization`.
            timeout_s: for all questions of one record together.
        """
        self._url = f"{url.rstrip('/')}/ValueSet/$validate-code"
        self._headers = {"Accept": "application/fhir+json", **(headers or {})}
        self._timeout_s = timeout_s
        self._remembered: OrderedDict[Question, Answer] = OrderedDict()
        self._rests_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._session: aiohttp.ClientSession | None = None
        self.unanswered = 0  #: questions without an answer, since the start

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer each question; see :meth:`Terminology.ask`."""
        with self._lock:
            if self._closed:
                return [Answer.MISSING] * len(questions)
            self._start()
            asked = asyncio.run_coroutine_threadsafe(self._answers(questions), self._loop)
        try:
            return asked.result()
        except CancelledError:
            return [Answer.MISSING] * len(questions)  # it was closed meanwhile

    def close(self) -> None:
        """Close connections and end the thread; who waits for answers, or asks later, gets none."""
        with self._lock:
            self._closed = True
        if self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop.run_forever, name="terminology", daemon=True)
            self._thread.start()

    async def _disconnect(self) -> None:
        asking = asyncio.all_tasks() - {asyncio.current_task()}
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _answers(self, questions: Sequence[Question]) -> list[Answer]:
        new = [question for question in dict.fromkeys(questions) if question not in self._remembered]
        found: dict[Question, Answer] = {}
        if self._loop.time() >= self._rests_until:
            gate = asyncio.Semaphore(_AT_ONCE)
            try:
                async with asyncio.timeout(self._timeout_s), asyncio.TaskGroup() as group:
                    for question in new:
                        group.create_task(self._answer(question, gate, found))
            except TimeoutError:
                self._rest()
        answers = [
            self._remembered.get(question, found.get(question, Answer.MISSING)) for question in questions
        ]
        self.unanswered += answers.count(Answer.MISSING) + answers.count(Answer.UNKNOWN)
        self._forget()
        return answers

    async def _answer(
        self, question: Question, gate: asyncio.Semaphore, found: dict[Question, Answer]
    ) -> None:
        async with gate:
            if self._loop.time() < self._rests_until:
                return
            try:
                async with asyncio.timeout(QUESTION_TIMEOUT_S):
                    found[question] = answer = await self._asked(question)
            except (TimeoutError, aiohttp.ClientError, ValueError):
                self._rest()
                return
        if answer is not Answer.UNKNOWN:
            self._remembered[question] = answer

    async def _asked(self, question: Question) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        async with self._session.post(
            self._url, json=_parameters(question), allow_redirects=False
        ) as response:
            if response.status >= _SERVER_FAULT or response.status in _NO_ANSWER:
                raise aiohttp.ClientError
            if response.status != _OK:
                return Answer.UNKNOWN
            return _result(json.loads(await _body(response)))

    def _rest(self) -> None:
        self._rests_until = self._loop.time() + REST_S

    def _forget(self) -> None:
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise aiohttp.ClientPayloadError
    return bytes(body)


def _parameters(question: Question) -> dict[str, Any]:
    url = {"name": "url", "valueUri": question.value_set}
    first = question.codings[0]
    if first.system is None and len(question.codings) == 1:
        asked = [{"name": "code", "valueCode": first.code}, {"name": "inferSystem", "valueBoolean": True}]
    else:
        asked = [{"name": "codeableConcept", "valueCodeableConcept": {"coding": _written(question)}}]
    return {"resourceType": "Parameters", "parameter": [url, *asked]}


def _written(question: Question) -> list[dict[str, str]]:
    return [
        {
            **({} if coding.system is None else {"system": coding.system}),
            **({} if coding.version is None else {"version": coding.version}),
            "code": coding.code,
        }
        for coding in question.codings
    ]


def _result(answer: Any) -> Answer:
    named = answer.get("parameter") if isinstance(answer, dict) else None
    for parameter in named if isinstance(named, list) else []:
        if isinstance(parameter, dict) and parameter.get("name") == "result":
            value = parameter.get("valueBoolean")
            return _ANSWERS[value if isinstance(value, bool) else None]
    return Answer.UNKNOWN

"""A FHIR terminology server, by the operation `ValueSet/$validate-code`.

Contract: https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

from caregrid.fhir.terminology import Question, Terminology

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


class TerminologyServer(Terminology):
    """Asks one server. Threads may share it; its connections live on a thread of its own until `close`."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Take the server's base URL and, if it needs them, headers such as `Authorization`; does no I/O."""
        self._url = f"{url.rstrip('/')}/ValueSet/$validate-code"
        self._headers = {"Accept": "application/fhir+json", **(headers or {})}
        self._remembered: OrderedDict[Question, bool] = OrderedDict()
        self._rests_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._session: aiohttp.ClientSession | None = None
        self.unanswered = 0  #: questions without an answer, since the start

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, questions: Sequence[Question]) -> list[bool | None]:
        """Answer each question; see :meth:`Terminology.ask`."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="terminology", daemon=True
                )
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._answers(questions), self._loop).result()

    def close(self) -> None:
        """Close connections and end the thread; nothing may be asked afterwards."""
        if self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def _disconnect(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _answers(self, questions: Sequence[Question]) -> list[bool | None]:
        new = [question for question in dict.fromkeys(questions) if question not in self._remembered]
        found: dict[Question, bool | None] = {}
        if self._loop.time() >= self._rests_until:
            gate = asyncio.Semaphore(_AT_ONCE)
            try:
                async with asyncio.timeout(RECORD_TIMEOUT_S), asyncio.TaskGroup() as group:
                    for question in new:
                        group.create_task(self._answer(question, gate, found))
            except TimeoutError:
                self._rest()
        answers = [self._remembered.get(question, found.get(question)) for question in questions]
        self.unanswered += answers.count(None)
        self._forget()
        return answers

    async def _answer(
        self, question: Question, gate: asyncio.Semaphore, found: dict[Question, bool | None]
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
        if answer is not None:
            self._remembered[question] = answer

    async def _asked(self, question: Question) -> bool | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        async with self._session.post(
            self._url, json=_parameters(question), allow_redirects=False
        ) as response:
            if response.status >= _SERVER_FAULT:
                raise aiohttp.ClientError
            if response.status != _OK:
                return None  # it does not know the value set, or does not let us ask
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


def _result(answer: Any) -> bool | None:
    named = answer.get("parameter") if isinstance(answer, dict) else None
    for parameter in named if isinstance(named, list) else []:
        if isinstance(parameter, dict) and parameter.get("name") == "result":
            value = parameter.get("valueBoolean")
            return value if isinstance(value, bool) else None
    return None

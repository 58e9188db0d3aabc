"""A terminology server, as HL7's specification describes the operation, is asked and understood."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from caregrid.fhir import Answer, Coding, Question, TerminologyServer
from caregrid.fhir import terminology_server as client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCT = "http://snomed.info/sct"
KNOWN = "http://example.org/ValueSet/known"
YES, NO = Answer.INSIDE, Answer.OUTSIDE


class Server:
    """Knows one value set, and does what a test tells it to."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.url = ""
        self.fault: web.Response | None = None
        self.slow_s = 0.0

    async def validate_code(self, request: web.Request) -> web.Response:
        """Answer `ValueSet/$validate-code` by a `Parameters` resource."""
        body = await request.json()
        self.requests.append(body)
        self.asked.set()
        await asyncio.sleep(self.slow_s)
        if self.fault is not None:
            return self.fault
        given = {one["name"]: one for one in body["parameter"]}
        if given["url"]["valueUri"] != KNOWN:
            return web.json_response({"resourceType": "OperationOutcome"}, status=404)
        codings = given.get("codeableConcept", {}).get("valueCodeableConcept", {}).get("coding", [])
        codes = [one["code"] for one in codings] or [given["code"]["valueCode"]]
        answer = {"name": "result", "valueBoolean": "good" in codes}
        return web.json_response(
            {"resourceType": "Parameters", "parameter": [{"name": "message", "valueString": "x"}, answer]},
            content_type="application/fhir+json",
        )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server on this machine."""
    known = Server()
    app = web.Application()
    app.router.add_post("/fhir/ValueSet/$validate-code", known.validate_code)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    known.url = f"http://127.0.0.1:{runner.addresses[0][1]}/fhir/"
    yield known
    await runner.cleanup()


def question(*codes: str, value_set: str = KNOWN, system: str | None = SCT) -> Question:
    """Return a question about codes."""
    return Question(value_set=value_set, codings=tuple(Coding(code=code, system=system) for code in codes))


async def ask(server: Server, *questions: Question, times: int = 1) -> list[list[Answer]]:
    """Ask the server, from a thread as the validator does."""
    with TerminologyServer(server.url) as asked:
        return [await asyncio.to_thread(asked.ask, questions) for _ in range(times)]


async def test_answers_are_understood(server: Server) -> None:
    """Yes, no, and not known, each to its question."""
    asked = (
        question("good"),
        question("bad"),
        question("bad", "good"),
        question("good", value_set="http://x"),
    )
    assert [[YES, NO, YES, Answer.UNKNOWN]] == await ask(server, *asked)


async def test_code_without_system_is_inferred(server: Server) -> None:
    """A code of a `code` element has no system of its own; the server takes it from the value set."""
    assert [[YES]] == await ask(server, question("good", system=None))
    (sent,) = server.requests
    assert {"name": "inferSystem", "valueBoolean": True} in sent["parameter"]


async def test_equal_questions_are_asked_once(server: Server) -> None:
    """An answer is remembered; that there was none is not."""
    same = question("good")
    assert [[YES, YES]] * 2 == await ask(server, same, same, times=2)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 503}, Answer.MISSING),
        ({"status": 401}, Answer.MISSING),
        ({"status": 429}, Answer.MISSING),
        ({"text": "no json"}, Answer.MISSING),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, Answer.MISSING),
        ({"body": b"x" * 1_000_000}, Answer.MISSING),
        ({"status": 422}, Answer.UNKNOWN),
        ({"text": "[]"}, Answer.UNKNOWN),
        ({"text": '{"parameter": 7}'}, Answer.UNKNOWN),
        ({"text": '{"parameter": [{"name": "result", "valueBoolean": "true"}]}'}, Answer.UNKNOWN),
    ],
)
async def test_faulty_server_gives_no_answer(server: Server, fault: dict[str, Any], expected: Answer) -> None:
    """Whatever comes back instead of an answer, there is none; what may pass is told from what will not."""
    server.fault = web.Response(**fault)
    assert [[expected]] == await ask(server, question("good"))


async def test_absent_server_gives_no_answer() -> None:
    """A server that is down is no fault of the record."""
    absent = Server()
    absent.url = "http://127.0.0.1:1"
    assert [[Answer.MISSING] * 2] == await ask(absent, question("a"), question("b"))


async def test_slow_server_is_left_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a question that took too long the next records do not wait."""
    monkeypatch.setattr(client, "QUESTION_TIMEOUT_S", 0.3)
    server.slow_s = 30.0
    many = [question(str(number)) for number in range(100)]
    began = time.monotonic()
    assert [[Answer.MISSING] * 100] * 3 == await ask(server, *many, times=3)
    assert time.monotonic() - began < 5
    assert len(server.requests) <= 2 * 8


async def test_rested_server_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has rested, a server that answers again is believed."""
    monkeypatch.setattr(client, "REST_S", 0.0)
    server.fault = web.Response(status=500)
    with TerminologyServer(server.url) as asked:
        assert [Answer.MISSING] == await asyncio.to_thread(asked.ask, [question("good")])
        server.fault = None
        assert [YES] == await asyncio.to_thread(asked.ask, [question("good")])
        assert asked.unanswered == 1


async def test_many_records_ask_at_once(server: Server) -> None:
    """Threads share a client; each gets the answers to its own questions."""
    with TerminologyServer(server.url) as asked:
        found = await asyncio.gather(
            *(asyncio.to_thread(asked.ask, [question(code)]) for code in ("good", "bad") * 10)
        )
    assert [[YES], [NO]] * 10 == found


async def test_who_waits_is_let_go_at_the_end(server: Server) -> None:
    """Closing ends questions that are under way, and later ones get no answer."""
    server.slow_s = 30.0
    asked = TerminologyServer(server.url)

    async def close_when_asked() -> None:
        await server.asked.wait()
        await asyncio.to_thread(asked.close)

    async with asyncio.timeout(10):
        answer, _ = await asyncio.gather(asyncio.to_thread(asked.ask, [question("good")]), close_when_asked())
    assert [Answer.MISSING] == answer
    assert [Answer.MISSING] == asked.ask([question("good")])


async def test_a_record_waits_no_longer_than_is_set(server: Server) -> None:
    """The deadline of a record is the caller's."""
    server.slow_s = 30.0
    with TerminologyServer(server.url, timeout_s=0.2) as asked:
        began = time.monotonic()
        assert [Answer.MISSING] == await asyncio.to_thread(asked.ask, [question("good")])
        assert time.monotonic() - began < client.QUESTION_TIMEOUT_S

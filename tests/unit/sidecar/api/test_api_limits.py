"""What one caller may ask for, how slowly he may, and what happens to the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from caregrid.errors import CaregridError, ContentStalled, RateLimited
from ocw_sidecar.api.answers import error_answer
from ocw_sidecar.api.connections import CONNECTIONS, SERVER_OPTIONS, guarded
from ocw_sidecar.api.limits import Limits
from ocw_sidecar.callers.items import ALL_SCOPES, Caller
from ocw_sidecar.metrics import Metrics
from ocw_sidecar.settings.api import ApiSettings
from tests.unit.sidecar.api.calls import FHIR, OBSERVATION, app_of, get, serving, token_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client


async def test_each_caller_has_a_rate_of_his_own(sidecar: Rig) -> None:
    """One who asks too much has to wait, and another does not."""
    async with serving(sidecar, request_rate=3) as client:
        for headers in (await token_for(sidecar), await token_for(sidecar)):
            answers = [await get(client, "/v1/whoami", headers=headers) for _ in range(4)]
            assert [200, 200, 200, 429] == [status for status, _ in answers]
            assert "RATE_LIMITED" == answers[-1][1]["code"]


async def test_a_limited_answer_says_when(sidecar: Rig) -> None:
    """Retry-After is within the window."""
    async with serving(sidecar, headers=await token_for(sidecar), request_rate=1) as client:
        await get(client, "/v1/whoami")
        async with client.get("/v1/whoami") as response:
            assert 429 == response.status
            assert 1 <= int(response.headers["Retry-After"]) <= 120


async def test_uploads_at_once_are_bounded(sidecar: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content that does not come holds its own caller's places only, and gives them back."""
    arrived, go_on, take = asyncio.Event(), asyncio.Event(), sidecar.intake.take

    async def slow() -> AsyncIterator[bytes]:
        yield OBSERVATION[:10]
        await go_on.wait()
        yield OBSERVATION[10:]

    async def noted(*arguments: Any) -> Any:
        arrived.set()
        return await take(*arguments)

    monkeypatch.setattr(sidecar.intake, "take", noted)
    one, other = await token_for(sidecar), await token_for(sidecar)
    async with serving(sidecar, uploads_per_caller=1, uploads=2) as client, asyncio.TaskGroup() as group:
        upload = group.create_task(client.post("/v1/submissions", data=slow(), headers=FHIR | one))
        await arrived.wait()
        assert 429 == await _post(client, one)
        assert 202 == await _post(client, other)
        go_on.set()
        assert 202 == (await upload).status
        assert 202 == await _post(client, one)


async def _post(client: Client, headers: dict[str, str]) -> int:
    async with client.post("/v1/submissions", data=OBSERVATION, headers=FHIR | headers) as response:
        return response.status


async def test_places_for_uploads_are_shared_fairly() -> None:
    """The bound on all and the bound on one hold both; what ended counts no more."""
    limits = Limits(ApiSettings(uploads=3, uploads_per_caller=2))
    one, other = (Caller(id=bytes([n]) * 32, account=None, scopes=ALL_SCOPES) for n in (1, 2))
    for _ in range(2):
        with limits.upload(one), limits.upload(one), limits.upload(other):
            for caller in (one, other):
                with pytest.raises(RateLimited), limits.upload(caller):
                    pass


@pytest.mark.parametrize("chunked", [True, False])
async def test_content_that_drips_is_refused(
    client: Client,
    sidecar: Rig,
    monkeypatch: pytest.MonkeyPatch,
    chunked: bool,  # noqa: FBT001
) -> None:
    """A sender who stays below the lowest rate does not hold a place for ever."""
    monkeypatch.setattr("ocw_sidecar.api.contents.BODY_GRACE_S", 0.05)
    monkeypatch.setattr("ocw_sidecar.api.contents.MIN_BYTES_PER_S", 1000)

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x"
            await asyncio.sleep(0.02)

    headers = FHIR if chunked else FHIR | {"Content-Length": "1000"}
    async with client.post("/v1/submissions", data=drip(), headers=headers) as response:
        assert (408, "CONTENT_STALLED") == (response.status, (await response.json())["code"])
        assert "Retry-After" in response.headers
    assert [] == await sidecar.bench.queue.tallies()


async def test_content_that_stops_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender who pauses too long has died."""
    monkeypatch.setattr("ocw_sidecar.api.contents.BODY_STALL_TIMEOUT_S", 0.05)

    async def stall() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    async with client.post("/v1/submissions", data=stall(), headers=FHIR) as response:
        assert 408 == response.status


async def test_connections_that_ask_for_nothing_are_closed(sidecar: Rig) -> None:
    """Half a request's head holds a connection for a time only; a request under way is left alone."""
    app = app_of(sidecar)
    app[CONNECTIONS]._idle_timeout_s = 0.1
    runner = web.AppRunner(app, **SERVER_OPTIONS)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    authorization = (await token_for(sidecar))["Authorization"]
    whole = f"GET /v1/submissions/{'00' * 16} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n"
    with guarded(runner, interval_s=0.02):
        for sent in (b"", b"GET /livez HTTP/1.1\r\nHost:", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"):
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(sent)
                answer = await reader.read()
                writer.close()
            assert (b"200 OK" in answer) == sent.endswith(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection(host, port)
        slow = whole.replace(f"/{'00' * 16} ", "?state=failed&limit=1 ")
        writer.write(slow.encode())
        async with asyncio.timeout(5):
            assert b"200 OK" in await reader.read()
        writer.close()
    await runner.cleanup()


async def test_a_long_poll_is_no_idle_connection(sidecar: Rig) -> None:
    """Who waits for an answer is not cut off."""
    app = app_of(sidecar)
    app[CONNECTIONS]._idle_timeout_s = 0.05
    runner = web.AppRunner(app, **SERVER_OPTIONS)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with serving(sidecar, headers=await token_for(sidecar)) as other:
        _, accepted = await _accepted(other)
    host, port = runner.addresses[0][:2]
    authorization = (await token_for(sidecar))["Authorization"]
    with guarded(runner, interval_s=0.02):
        reader, writer = await asyncio.open_connection(host, port)
        path = f"/v1/submissions/{accepted}?wait=0.5"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert b"200 OK" in await reader.read()
        writer.close()
    await runner.cleanup()


async def _accepted(client: Client) -> tuple[int, str]:
    async with client.post("/v1/submissions", data=OBSERVATION, headers=FHIR) as response:
        return response.status, str((await response.json())["submission"])


@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("PUT", "/v1/batches", "POST"), ("POST", "/livez", "GET")]
)
async def test_a_wrong_method_is_told_the_right_one(
    client: Client, method: str, path: str, allowed: str
) -> None:
    """405 with Allow."""
    async with client.request(method, path) as response:
        assert (405, "HTTP_405") == (response.status, (await response.json())["code"])
        assert allowed in response.headers["Allow"]


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [(RateLimited(retry_after_s=7), 429, "7"), (ContentStalled(), 408, "5")],
)
def test_passing_refusals_say_when_to_come_back(error: CaregridError, status: int, wait: str) -> None:
    """Each has its status and Retry-After."""
    answer = error_answer(error)
    assert (status, wait) == (answer.status, answer.headers["Retry-After"])


async def test_metrics_hold_what_the_workers_count(sidecar: Rig) -> None:
    """One page for both; no name of a figure stands twice."""
    metrics = Metrics()
    metrics.clock(cursor=5, head=7)
    async with serving(sidecar, metrics=metrics) as client:
        lines = (await (await client.get("/metrics")).text()).splitlines()
    assert "caregrid_clock_lag_blocks 2.0" in lines
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    assert "caregrid_free_disk_bytes" in types

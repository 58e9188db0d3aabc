"""The HTTP API as the custodian's applications see it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from caregrid.errors import (
    CallRejected,
    CaregridError,
    DiskLow,
    InputEmpty,
    InputInvalid,
    InputTooLarge,
    JsonBroken,
    NoGrant,
    NotFound,
    QueueFull,
    RecordUnknown,
    StorageUnreachable,
    Unauthorised,
    ValidationFailed,
)
from caregrid.records import RecordFormat
from ocw_sidecar.api.answers import error_answer
from ocw_sidecar.api.requests import declared_as
from tests.unit.sidecar.api.calls import FHIR, OBSERVATION, confirmed, get, post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.settings import Settings
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client


OPAQUE = {"Content-Type": "application/octet-stream"}


async def test_submission_is_accepted_and_followed_to_its_end(client: Client, sidecar: Rig) -> None:
    """202 with an id; the id then tells how far the record has come."""
    status, accepted = await post(client)
    assert (202, "received") == (status, accepted["state"])
    path = f"/v1/submissions/{accepted['submission']}"
    assert (200, {**accepted, "settled": False, "records": []}) == await get(client, path)
    await sidecar.drain()
    _, found = await get(client, path)
    (record,) = found["records"]
    assert ("validated", True, "confirmed", 0) == (
        found["state"],
        found["settled"],
        record["state"],
        record["ordinal"],
    )
    anchored = await sidecar.world.chain.record(bytes.fromhex(record["record"]))
    assert anchored is not None
    assert (anchored.object_id.hex(), anchored.anchored_at) == (record["object"], record["block"])


async def test_acknowledged_means_committed(client: Client, settings: Settings) -> None:
    """When the answer is read, another connection to the database finds the submission."""
    _, accepted = await post(client)
    async with asyncio.timeout(5):
        rows = await asyncio.to_thread(_committed_ids, settings.home)
    assert [bytes.fromhex(accepted["submission"])] == rows


def _committed_ids(home: Path) -> list[bytes]:
    import sqlite3  # noqa: PLC0415 - only this test reads past the queue
    from contextlib import closing  # noqa: PLC0415 - likewise

    with closing(sqlite3.connect(home / "queue.sqlite3")) as database:
        return [row[0] for row in database.execute("SELECT id FROM submissions")]


async def test_rejected_record_shows_its_outcome(client: Client, sidecar: Rig) -> None:
    """The submitter learns where his record does not conform."""
    _, accepted = await post(client, b"{")
    await sidecar.drain()
    _, found = await get(client, f"/v1/submissions/{accepted['submission']}")
    (record,) = found["records"]
    assert ("rejected", "OperationOutcome") == (record["state"], record["outcome"]["resourceType"])
    assert found["settled"]


async def test_long_poll_answers_as_soon_as_all_is_done(client: Client, sidecar: Rig) -> None:
    """A waiting GET returns with the last record's end, not at its deadline."""
    _, accepted = await post(client)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        waiting = group.create_task(get(client, f"/v1/submissions/{accepted['submission']}?wait=50"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await sidecar.drain()
    assert waiting.result()[1]["settled"]


async def test_long_poll_answers_at_its_deadline(client: Client) -> None:
    """A waiting GET whose time is up says how far things are."""
    _, accepted = await post(client)
    status, found = await get(client, f"/v1/submissions/{accepted['submission']}?wait=0.1")
    assert (200, False) == (status, found["settled"])


async def test_long_poll_ends_when_the_sidecar_stops(client: Client, sidecar: Rig) -> None:
    """A stopping sidecar does not keep its callers."""
    _, accepted = await post(client)
    sidecar.intake.close()
    async with asyncio.timeout(5):
        await get(client, f"/v1/submissions/{accepted['submission']}?wait=50")


async def test_repeated_post_is_the_same_submission(client: Client) -> None:
    """With an Idempotency-Key a lost answer can be asked for again."""
    first = await post(client, **{"Idempotency-Key": "order-1"})
    assert first == await post(client, **{"Idempotency-Key": "order-1"})
    assert first[1]["submission"] != (await post(client, **{"Idempotency-Key": "order-2"}))[1]["submission"]


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", {}, (400, "INPUT_EMPTY")),
        (bytes(1_000_001), {}, (413, "INPUT_TOO_LARGE")),
        (b"x", {"Content-Type": "text/plain"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
        (
            b"x",
            {"Content-Type": "application/fhir+json; fhirVersion=3.0"},
            (415, "MEDIA_TYPE_UNSUPPORTED"),
        ),
        (b"x", {"Content-Encoding": "deflate"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
        (b"x", {"Content-Digest": "sha-512=:AAAA:"}, (400, "INPUT_INVALID")),
        (b"x", {"Content-Digest": f"sha-256=:{'A' * 43}=:"}, (400, "CONTENT_ALTERED")),
        (b"x", {"X-CareGrid-Patient": "abc"}, (400, "INPUT_INVALID")),
        (b"x", {"X-CareGrid-Patient": ""}, (400, "INPUT_INVALID")),
        (b"x", {"Idempotency-Key": "k" * 65}, (400, "INPUT_INVALID")),
        (b"x", {"Authorization": "Bearer wrong"}, (401, "UNAUTHORISED")),
        (b"x", {"Authorization": ""}, (401, "UNAUTHORISED")),
    ],
)
async def test_bad_posts_are_refused(
    client: Client, sidecar: Rig, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Each mistake has its status and code, and keeps nothing."""
    got, answer = await post(client, body, **headers)
    assert expected == (got, answer["code"])
    assert set(answer) == {"code", "message"}
    assert [] == await sidecar.bench.queue.tallies()


async def test_content_above_the_limit_without_length_is_refused(client: Client, sidecar: Rig) -> None:
    """A chunked body is counted as it comes."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(100_000)

    status, answer = await post(client, endless(), **OPAQUE)
    assert (413, "INPUT_TOO_LARGE") == (status, answer["code"])
    assert [] == await sidecar.bench.queue.tallies()


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_cut_upload_is_never_accepted(client: Client, sidecar: Rig, framing: str) -> None:
    """A connection that breaks in the middle of a body leaves no half record behind."""
    authorization = client.session.headers["Authorization"]
    head = [
        "POST /v1/submissions HTTP/1.1",
        "Host: sidecar",
        f"Authorization: {authorization}",
        *(f"{name}: {value}" for name, value in FHIR.items()),
        framing,
    ]
    body = "a\r\n0123456789\r\n" if "chunked" in framing else "0123456789"
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(("\r\n".join(head) + "\r\n\r\n" + body).encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.1)
    assert 202 == (await post(client))[0]
    assert 1 == sum(each.items for each in await sidecar.bench.queue.tallies())


async def test_full_queue_says_when_to_come_back(client: Client, sidecar: Rig) -> None:
    """Back-pressure is a 503 with Retry-After, shows in readiness, and ends when the queue drains."""
    for _ in range(3):
        assert 202 == (await post(client))[0]
    response = await client.post("/v1/submissions", data=OBSERVATION, headers=FHIR)
    assert (503, "5") == (response.status, response.headers["Retry-After"])
    assert "QUEUE_FULL" == (await response.json())["code"]
    status, ready = await get(client, "/readyz")
    assert (503, False, ["QUEUE_FULL"]) == (status, ready["ready"], ready["reasons"])
    await sidecar.drain()
    assert 202 == (await post(client))[0]
    assert 200 == (await get(client, "/readyz"))[0]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/submissions/{'00' * 16}", 404, "NOT_FOUND"),
        ("/v1/submissions/xyz", 400, "INPUT_INVALID"),
        (f"/v1/submissions/{'00' * 16}?wait=soon", 400, "INPUT_INVALID"),
        (f"/v1/submissions/{'00' * 16}?wait=nan", 400, "INPUT_INVALID"),
        ("/v1/nothing", 404, "HTTP_404"),
    ],
)
async def test_bad_gets_are_refused(client: Client, path: str, status: int, code: str) -> None:
    """What is not there or makes no sense is told apart."""
    got, answer = await get(client, path)
    assert (status, code) == (got, answer["code"])


async def test_everything_but_health_needs_a_token(client: Client) -> None:
    """Without a token there is nothing to see but health."""
    open_paths = {}
    async with ClientSession() as stranger:
        for method, path in [
            ("POST", "/v1/submissions"),
            ("GET", f"/v1/submissions/{'00' * 16}"),
            ("POST", f"/v1/records/{'00' * 16}/key"),
            ("POST", "/v1/failures/replay"),
            ("GET", "/v1/nothing"),
            ("GET", "/livez"),
            ("GET", "/readyz"),
            ("GET", "/metrics"),
        ]:
            async with stranger.request(method, client.make_url(path)) as response:
                open_paths[path] = response.status
    assert {200} == {status for path, status in open_paths.items() if not path.startswith("/v1/")}
    assert {401} == {status for path, status in open_paths.items() if path.startswith("/v1/")}


async def test_failures_can_be_replayed(client: Client, sidecar: Rig) -> None:
    """Dead letters go on with one call."""
    _, accepted = await post(client, **{"X-CareGrid-Patient": "0c" * 32})
    await sidecar.drain()
    path = f"/v1/submissions/{accepted['submission']}"
    (record,) = (await get(client, path))[1]["records"]
    assert ("failed", "PatientUnknown") == (record["state"], record["reason"])
    response = await client.post("/v1/failures/replay")
    assert {"replayed": 1, "deliveries": 0} == await response.json()
    (record,) = (await get(client, path))[1]["records"]
    assert "stored" == record["state"]


async def test_metrics_count_what_there_is(client: Client, sidecar: Rig) -> None:
    """Prometheus sees items by state, the oldest wait, and what is being retried."""
    await confirmed(client, sidecar)
    await post(client)
    text = await (await client.get("/metrics")).text()
    lines = text.splitlines()
    assert 'caregrid_items{kind="record",state="confirmed"} 1.0' in lines
    assert 'caregrid_items{kind="submission",state="received"} 1.0' in lines
    assert "caregrid_submissions_accepted_total 2.0" in lines
    (age,) = [line for line in lines if line.startswith("caregrid_oldest_open_age_seconds ")]
    assert 0 < float(age.split()[1]) < 60


async def test_readiness_tells_what_is_being_retried(client: Client, sidecar: Rig) -> None:
    """An outage behind the sidecar shows, though submissions are taken in as before."""
    sidecar.world.chain.reachable = False
    await confirmed(client, sidecar)
    status, ready = await get(client, "/readyz")
    assert (200, True) == (status, ready["ready"])
    assert [{"stage": "anchor", "reason": "CHAIN_UNREACHABLE", "items": 1}] == ready["retrying"]
    text = await (await client.get("/metrics")).text()
    assert 'caregrid_retrying{reason="CHAIN_UNREACHABLE",stage="anchor"} 1.0' in text.splitlines()


async def test_unexpected_fault_says_nothing_of_itself(
    client: Client, sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of a bug may quote content, so neither answer nor log carries it."""

    async def broken(*_: Any) -> None:
        raise RuntimeError("quotes content")

    monkeypatch.setattr(sidecar.intake, "take", broken)
    with capture_logs() as logs:
        status, answer = await post(client)
    assert (500, "CAREGRID_ERROR") == (status, answer["code"])
    (entry,) = logs
    assert ("request_failed", "RuntimeError") == (entry["event"], entry["fault"])
    assert "quotes content" not in json.dumps([answer, logs])


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/fhir+json", RecordFormat.FHIR_R4_JSON),
        ("application/fhir+json; fhirVersion=4.0", RecordFormat.FHIR_R4_JSON),
        ("application/fhir+json;fhirVersion=4.3; charset=utf-8", RecordFormat.FHIR_R4B_JSON),
        ("Application/FHIR+JSON; fhirversion=5.0", RecordFormat.FHIR_R5_JSON),
        ("application/dicom", RecordFormat.DICOM),
        ("application/octet-stream", RecordFormat.BINARY),
        ("application/cda+xml", RecordFormat.BINARY),
        ("text/hl7v2; charset=utf-8", RecordFormat.BINARY),
    ],
)
def test_content_type_names_the_format(content_type: str, expected: RecordFormat) -> None:
    """Media types and FHIR versions map to the formats on chain."""
    assert expected is declared_as(content_type).record_format


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (JsonBroken(), 400),
        (InputEmpty(), 400),
        (InputInvalid(), 400),
        (ValidationFailed(), 422),
        (InputTooLarge(limit=1), 413),
        (QueueFull(), 503),
        (StorageUnreachable(), 503),
        (DiskLow(), 507),
        (Unauthorised(), 401),
        (NoGrant(), 403),
        (NotFound(), 404),
        (RecordUnknown(), 404),
        (CallRejected(pallet="Emr", name="X"), 500),
    ],
)
def test_errors_have_fitting_statuses(error: CaregridError, status: int) -> None:
    """The table of statuses is deliberate."""
    assert status == error_answer(error).status

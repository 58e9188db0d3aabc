"""Many submissions in one request."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from caregrid.errors import InputInvalid, InputTooLarge, JsonBroken
from caregrid.keys import Identity
from ocw_sidecar.api.ndjson import lines, read_line
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT
from tests.unit.sidecar.api.calls import OBSERVATION, serving, token_for
from tests.unit.sidecar.api.signed import headers_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

PATH = "/v1/batches"
NDJSON = {"Content-Type": "application/x-ndjson"}
CLINIC = Identity.generate()


def line(resource: bytes = OBSERVATION, patient: str = PATIENT.hex(), **more: str) -> bytes:
    """Return one line, without its end."""
    rest = "".join(f', "{name}": {json.dumps(value)}' for name, value in more.items())
    return b'{"patient": "%s", "resource": %s%s}' % (patient.encode(), resource, rest.encode())


async def send(client: Client, body: Any, **headers: str) -> list[dict[str, Any]]:
    """POST a batch and return its answers."""
    async with client.post(PATH, data=body, headers=NDJSON | headers) as response:
        assert (200, "application/x-ndjson") == (response.status, response.content_type)
        return [json.loads(text) for text in (await response.text()).splitlines()]


@pytest.fixture
async def roomy(sidecar: Rig) -> AsyncIterator[Client]:
    """A client of a sidecar whose queue has room."""
    object.__setattr__(sidecar.bench.settings, "queue_limit", 1000)
    async with serving(sidecar, headers=await token_for(sidecar), line_limit=1000, batch_lines=20) as opened:
        yield opened


async def test_each_line_is_a_submission(roomy: Client, sidecar: Rig) -> None:
    """The answers stand in the order of the lines, and each id can be followed."""
    body = b"\n".join([line(), line(patient=f"0x{PATIENT.hex().upper()}"), b"", line()])
    answers = await send(roomy, body)
    assert [1, 2, 4] == [answer["line"] for answer in answers]
    assert {"received"} == {answer["state"] for answer in answers}
    await sidecar.drain()
    for answer in answers:
        record = await sidecar.world.chain.record(bytes.fromhex(answer["submission"]))
        assert record is not None


async def test_bad_lines_stop_no_others(roomy: Client, sidecar: Rig) -> None:
    """Each bad line has its own error, which quotes nothing of it; nothing of it is kept."""
    secret = "PatientNameCanary"
    bad = [
        (secret.encode(), "JSON_BROKEN"),
        (b'{"patient": "' + secret.encode() + b'", "resource": {}}', "INPUT_INVALID"),
        (line(name=secret), "INPUT_INVALID"),
        (line(b'"' + secret.encode() + b'"'), "INPUT_INVALID"),
        (line(b'{"a": "' + 1000 * b"x" + b'"}'), "INPUT_TOO_LARGE"),
        (b"[" * 900, "JSON_BROKEN"),
        (b'{"patient": "' + PATIENT.hex().encode() + b'"}', "INPUT_INVALID"),
        (b"\xff\xfe{}", "JSON_BROKEN"),
        (line() + b"{}", "JSON_BROKEN"),
        (line()[:-1] + b', "patient": "' + PATIENT.hex().encode() + b'"}', "JSON_BROKEN"),
        (line(key=""), "INPUT_INVALID"),
    ]
    with capture_logs() as logs:
        answers = await send(roomy, b"\n".join([line(), *(text for text, _ in bad), line()]))
    assert ["received", *(code for _, code in bad), "received"] == [
        answer["error"]["code"] if "error" in answer else answer["state"] for answer in answers
    ]
    assert secret not in json.dumps([answers, logs])
    assert 2 == sum(each.items for each in await sidecar.bench.queue.tallies())


async def test_a_resource_is_kept_byte_for_byte(roomy: Client, sidecar: Rig) -> None:
    """FHIR's decimals have a precision, and signatures cover bytes."""
    resource = (
        b'{ "resourceType":"Observation", "valueQuantity" : {"value": 1.50e0},\t"note":"\\u00e9\xc3\xa9" }'
    )
    line_read = read_line(line(resource), 1000)
    assert resource == line_read.resource
    (answer,) = await send(roomy, line(resource))
    assert "error" not in answer
    submission = await sidecar.bench.queue.submission(bytes.fromhex(answer["submission"]))
    assert submission is not None
    assert len(resource) < submission.length


async def test_a_batch_that_is_sent_again_is_the_same(roomy: Client) -> None:
    """A key for the batch gives each line one; a line may have its own."""
    body = b"\n".join([line(), line(key="own"), line()])
    first = await send(roomy, body, **{"Idempotency-Key": "batch-1"})
    assert first == await send(roomy, body, **{"Idempotency-Key": "batch-1"})
    other = await send(roomy, body, **{"Idempotency-Key": "batch-2"})
    same = [one["submission"] == two["submission"] for one, two in zip(first, other, strict=True)]
    assert [False, True, False] == same


async def test_a_key_is_not_used_for_two_patients(roomy: Client, sidecar: Rig) -> None:
    """Not even in one batch, whose lines come at once: what was not taken in is not acknowledged."""
    other = (b"\x05" * 32).hex()
    answers = await send(
        roomy, b"\n".join([line(key="same"), line(key="same", patient=other), line(key="same")])
    )
    assert ["received", "CONFLICT", "received"] == [
        answer["error"]["code"] if "error" in answer else answer["state"] for answer in answers
    ]
    assert answers[0]["submission"] == answers[2]["submission"]
    assert 1 == sum(each.items for each in await sidecar.bench.queue.tallies())


async def test_each_answer_comes_when_its_line_is_durable(roomy: Client) -> None:
    """A caller who sends slowly reads the first answer before he has sent the last line."""
    answered = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield line() + b"\n"
        async with asyncio.timeout(5):
            await answered.wait()
        yield line() + b"\n"

    async with roomy.post(PATH, data=body(), headers=NDJSON) as response:
        assert 1 == json.loads(await response.content.readline())["line"]
        answered.set()
        assert 2 == json.loads(await response.content.readline())["line"]


async def test_too_many_lines_end_the_batch(roomy: Client) -> None:
    """What came before the limit is taken in; the caller is told to send the rest in another."""
    answers = await send(roomy, b"\n".join([line()] * 25))
    assert [*range(1, 21)] == [answer["line"] for answer in answers if "error" not in answer]
    assert "INPUT_TOO_LARGE" == answers[-1]["error"]["code"]


async def test_a_full_queue_is_told_line_by_line(client: Client) -> None:
    """Back-pressure does not lose what was acknowledged before it."""
    answers = await send(client, b"\n".join([line()] * 80))
    accepted = [answer for answer in answers if "error" not in answer]
    assert 3 <= len(accepted) < 80
    assert {"QUEUE_FULL"} == {answer["error"]["code"] for answer in answers if "error" in answer}


async def test_a_cut_batch_takes_no_half_line(roomy: Client, sidecar: Rig) -> None:
    """The last line counts only when the request came to its end."""
    authorization = roomy.session.headers["Authorization"]
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n"
    head += "Content-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n"
    _, writer = await asyncio.open_connection(roomy.host, roomy.port)
    writer.write(head.encode() + line() + b"\n" + line())
    await writer.drain()
    async with asyncio.timeout(5):
        while not (tallies := await sidecar.bench.queue.tallies()):  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.02)
    assert 1 == sum(each.items for each in tallies)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.1)
    assert 1 == sum(each.items for each in await sidecar.bench.queue.tallies())


async def test_a_digest_is_checked_before_any_line_counts(roomy: Client, sidecar: Rig) -> None:
    """A signed batch is taken in whole or not at all, as far as its bytes go."""
    body = line() + b"\n" + line()
    from caregrid.chain import calls  # noqa: PLC0415 - only this test speaks to the chain

    operators = calls.set_operators([OPERATOR, CLINIC.account])
    await sidecar.world.chain.submitter(ORGANISATION).submit(operators)
    roomy.session.headers.pop("Authorization")
    headers = headers_for(roomy, CLINIC, "POST", PATH, content=body, headers=NDJSON)
    async with roomy.post(PATH, data=body.replace(b"Heart", b"Heard"), headers=headers) as response:
        assert (400, "CONTENT_ALTERED") == (response.status, (await response.json())["code"])
    assert [] == await sidecar.bench.queue.tallies()
    headers = headers_for(roomy, CLINIC, "POST", PATH, content=body, headers=NDJSON)
    assert 2 == len(await send(roomy, body, **headers))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Type": "application/json"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
        ({"Content-Type": "application/x-ndjson; fhirVersion=3.0"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
        ({"Idempotency-Key": "k" * 65}, (400, "INPUT_INVALID")),
        ({"Content-Encoding": "br"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
    ],
)
async def test_a_request_that_is_wrong_as_a_whole_has_one_answer(
    roomy: Client, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Nothing has begun then, so the status says it."""
    async with roomy.post(PATH, data=line(), headers=NDJSON | headers) as response:
        assert expected == (response.status, (await response.json())["code"])


async def test_a_bug_at_one_line_stops_no_other(
    roomy: Client, sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line has a neutral answer, and the log says where it was, not what it said."""
    seal, calls = sidecar.intake._seal, []

    async def broken(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("quotes content")
        return await seal(*arguments)

    monkeypatch.setattr(sidecar.intake, "_seal", broken)
    with capture_logs() as logs:
        answers = await send(roomy, line() + b"\n" + line())
    assert ["CAREGRID_ERROR", None] == [answer.get("error", {}).get("code") for answer in answers]
    assert "quotes content" not in json.dumps([answers, logs])
    assert ["RuntimeError"] == [entry["fault"] for entry in logs if entry["event"] == "request_failed"]


@given(st.lists(st.binary(max_size=30)), st.integers(1, 40))
def test_lines_are_cut_wherever_chunks_end(texts: list[bytes], size: int) -> None:
    """How the network cuts a batch up changes nothing."""
    whole = b"\n".join(texts)
    expected = [None if len(text) > 20 else text for text in whole.split(b"\n")]
    if not expected[-1] and expected[-1] is not None:
        expected = expected[:-1]
    chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert expected == asyncio.run(_cut(chunks))


async def _cut(chunks: Sequence[bytes]) -> list[bytes | None]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [text async for texts in lines(stream(), 20) for text in texts]


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_line_breaks_the_reader(text: bytes) -> None:
    """Whatever stands in a line, the answer is a line or one of ours."""
    with suppress(JsonBroken, InputInvalid, InputTooLarge):
        read_line(text, 1000)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=4), st.booleans())
def test_every_object_is_cut_out_as_it_stands(resource: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001
    """Braces and quotes inside strings mislead nobody."""
    text = json.dumps(resource, ensure_ascii=ascii_only, indent=None).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        return
    assert text == read_line(line(text), 10_000).resource

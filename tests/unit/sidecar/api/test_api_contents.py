"""Contents of requests: of every kind that is taken in, packed or not, and what is not what it says."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from caregrid import errors
from caregrid.chain import calls
from caregrid.content import MediaType
from caregrid.intake import SidecarClient
from caregrid.keys import Identity
from caregrid.records import RecordFormat
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT
from tests.unit.sidecar.api.calls import FHIR, OBSERVATION, confirmed, get, post, serving, token_for
from tests.unit.sidecar.api.signed import headers_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

PATH = "/v1/submissions"
CLINIC = Identity.generate()
CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>x</title></ClinicalDocument>'
MESSAGE = b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rPID|1||4711\r"
GZIP = {"Content-Encoding": "gzip"}
#: Between them and the content's end lies more than is looked at.
LONG = OBSERVATION[:-1] + b" " * 10_000 + b"}"


async def settled(client: Client, sidecar: Rig, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Bring a submission to its end and return its records."""
    await sidecar.drain()
    _, found = await get(client, f"{PATH}/{answer['submission']}")
    assert found["settled"]
    records: list[dict[str, Any]] = found["records"]
    return records


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/cda+xml", CDA),
        ("application/hl7-cda+xml; charset=utf-8", CDA),
        ("text/hl7v2", MESSAGE),
        ("x-application/hl7-v2+er7", MESSAGE),
        ("application/octet-stream", CDA),
        ("application/octet-stream", b"\x1f\x8b anything"),
    ],
)
async def test_other_kinds_are_taken_in(
    client: Client, sidecar: Rig, media_type: str, content: bytes
) -> None:
    """By each name that is in use; on the chain all of them are BINARY."""
    status, answer = await post(client, content, **{"Content-Type": media_type})
    assert 202 == status
    (record,) = await settled(client, sidecar, answer)
    assert "confirmed" == record["state"]
    anchored = await sidecar.world.chain.record(bytes.fromhex(record["record"]))
    assert anchored is not None
    assert RecordFormat.BINARY is anchored.format


@pytest.mark.parametrize(
    ("media_type", "content"),
    [("application/cda+xml", CDA.replace(b"</title>", b"")), ("text/hl7v2", b"MSH|^~\\&|x\rbroken")],
)
async def test_other_kinds_are_examined(
    client: Client, sidecar: Rig, media_type: str, content: bytes
) -> None:
    """What begins well and goes on badly is refused by the outcome, as FHIR is."""
    status, answer = await post(client, content, **{"Content-Type": media_type})
    assert 202 == status
    (record,) = await settled(client, sidecar, answer)
    assert ("rejected", "OperationOutcome") == (record["state"], record["outcome"]["resourceType"])


@pytest.mark.parametrize(
    ("media_type", "content", "rule"),
    [
        ("application/fhir+json", CDA, "media-type"),
        ("application/fhir+json", b"secret no JSON", "json-start"),
        ("application/fhir+json", gzip.compress(OBSERVATION, mtime=0), "packed"),
        ("application/fhir+json", b'{"a": "\0"}', "nul"),
        ("application/fhir+json", b"\xff\xfe{\0}\0", "utf-16"),
        ("application/cda+xml", b"<html/>", "media-type"),
        ("application/cda+xml", LONG, "media-type"),
        ("text/hl7v2", CDA, "media-type"),
        ("application/dicom", LONG, "media-type"),
        ("application/dicom", b"secret", "media-type"),
    ],
)
async def test_what_is_not_as_declared_is_refused_at_once(
    client: Client, sidecar: Rig, media_type: str, content: bytes, rule: str
) -> None:
    """With an outcome that says what it looks like, and nothing of the content; nothing is kept."""
    status, answer = await post(client, content, **{"Content-Type": media_type})
    assert (422, "VALIDATION_FAILED") == (status, answer["code"])
    (issue,) = answer["outcome"]["issue"]
    assert ("error", rule) == (issue["severity"], issue["diagnostics"])
    assert "secret" not in json.dumps(answer)
    assert [] == await sidecar.bench.queue.tallies()
    assert [] == list(sidecar.bench.settings.home.glob("spool/*"))


@pytest.mark.parametrize("content", [OBSERVATION, LONG])
@pytest.mark.parametrize("packed", [gzip.compress, lambda content: gzip.compress(content, 0, mtime=0)])
async def test_packed_content_is_unpacked(client: Client, sidecar: Rig, content: bytes, packed: Any) -> None:
    """The record is what was packed."""
    status, answer = await post(client, packed(content), **GZIP)
    assert 202 == status
    (record,) = await settled(client, sidecar, answer)
    assert "confirmed" == record["state"]
    anchored = await sidecar.world.chain.record(bytes.fromhex(record["record"]))
    assert anchored is not None
    assert len(content) < anchored.length < len(content) + 100


@pytest.mark.parametrize("chunked", [False, True])
async def test_bombs_do_not_go_off(client: Client, sidecar: Rig, *, chunked: bool) -> None:
    """What grows beyond the limit is refused as if it had come like that."""
    bomb = gzip.compress(b"{" + b" " * 50_000_000, mtime=0)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(bomb), 10_000):
            yield bomb[start : start + 10_000]

    assert len(bomb) < 100_000
    status, answer = await post(client, pieces() if chunked else bomb, **GZIP)
    assert (413, "INPUT_TOO_LARGE") == (status, answer["code"])
    assert [] == await sidecar.bench.queue.tallies()


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        (OBSERVATION, "gzip", (400, "INPUT_INVALID")),
        (gzip.compress(OBSERVATION, mtime=0)[:-5], "gzip", (400, "INPUT_INVALID")),
        (gzip.compress(OBSERVATION, mtime=0) + b"x", "gzip", (400, "INPUT_INVALID")),
        (gzip.compress(b"", mtime=0), "gzip", (400, "INPUT_EMPTY")),
        (gzip.compress(CDA, mtime=0), "gzip", (422, "VALIDATION_FAILED")),
        (OBSERVATION, "br", (415, "MEDIA_TYPE_UNSUPPORTED")),
        (gzip.compress(gzip.compress(OBSERVATION, mtime=0)), "gzip, gzip", (415, "MEDIA_TYPE_UNSUPPORTED")),
    ],
)
async def test_bad_packing_is_refused(
    client: Client, sidecar: Rig, content: bytes, encoding: str, expected: tuple[int, str]
) -> None:
    """Damaged, cut, followed by something, empty, of another kind, packed otherwise or twice."""
    status, answer = await post(client, content, **{"Content-Encoding": encoding})
    assert expected == (status, answer["code"])
    assert [] == await sidecar.bench.queue.tallies()


async def test_batches_may_be_packed(client: Client, sidecar: Rig) -> None:
    """A line for a line, also where the digest is of what was sent; a bomb ends it."""
    line = b'{"patient": "%s", "resource": %s}\n' % (PATIENT.hex().encode(), OBSERVATION)
    headers = {"Content-Type": "application/x-ndjson", **GZIP}
    async with client.post("/v1/batches", data=gzip.compress(line * 2, mtime=0), headers=headers) as response:
        assert 200 == response.status
        answers = [json.loads(text) for text in (await response.text()).splitlines()]
    assert ["received", "received"] == [answer["state"] for answer in answers]
    async with serving(sidecar, headers=await token_for(sidecar), batch_limit=10_000) as small:
        bomb = gzip.compress(b" " * 40_000_000, mtime=0)
        async with small.post("/v1/batches", data=bomb, headers=headers) as response:
            (answer,) = [json.loads(text) for text in (await response.text()).splitlines()]
    assert "INPUT_TOO_LARGE" == answer["error"]["code"]


async def test_a_signature_covers_the_packing(sidecar: Rig) -> None:
    """Nobody on the way can take the header off, and so change what is stored."""
    operators = calls.set_operators([OPERATOR, CLINIC.account])
    await sidecar.world.chain.submitter(ORGANISATION).submit(operators)
    packed = gzip.compress(OBSERVATION, mtime=0)
    async with serving(sidecar) as anyone:
        headers = headers_for(anyone, CLINIC, "POST", PATH, content=packed, headers=FHIR | GZIP)
        assert '"content-encoding"' in headers["Signature-Input"]
        without = {name: value for name, value in headers.items() if name != "Content-Encoding"}
        async with anyone.post(PATH, data=packed, headers=without) as response:
            assert 401 == response.status
        async with anyone.post(PATH, data=packed, headers=headers) as response:
            assert 202 == response.status


async def test_a_duplicate_names_its_original(client: Client, sidecar: Rig) -> None:
    """In the state of its submission and in lists; the state is one that can be asked for."""
    first = await confirmed(client, sidecar)
    _, again = await post(client)
    (record,) = await settled(client, sidecar, again)
    assert ("duplicate", first) == (record["state"], record["original"])
    assert "duplicate" == record["outcome"]["issue"][0]["code"]
    _, found = await get(client, "/v1/records?state=duplicate")
    assert [(record["record"], first)] == [(one["record"], one["original"]) for one in found["records"]]
    _, whole = await get(client, f"{PATH}/{first}")
    assert "original" not in whole["records"][0]


async def test_the_sdk_says_what_content_is(client: Client, sidecar: Rig) -> None:
    """A media type goes along; what comes back is an error of its class, or a duplicate's original."""
    token = (await token_for(sidecar))["Authorization"].removeprefix("Bearer ")
    sdk = SidecarClient(str(client.make_url("/")), token=token)
    as_binary: dict[str, Any] = {"patient_id": PATIENT, "format": RecordFormat.BINARY}
    try:
        taken = await sdk.submit(CDA, **as_binary, media_type=MediaType.CDA)
        kept = await sidecar.bench.queue.submission(taken)
        assert kept is not None
        assert MediaType.CDA is kept.media_type
        with pytest.raises(errors.ValidationFailed) as caught:
            await sdk.submit(MESSAGE, **as_binary, media_type=MediaType.CDA)
        assert caught.value.outcome is not None
        assert "media-type" == caught.value.outcome["issue"][0]["diagnostics"]
        with pytest.raises(errors.InputInvalid, match="BINARY"):
            await sdk.submit(CDA, patient_id=PATIENT, format=RecordFormat.DICOM, media_type=MediaType.CDA)
        fhir: dict[str, Any] = {"patient_id": PATIENT, "format": RecordFormat.FHIR_R4_JSON}
        first = await sdk.submit(OBSERVATION, **fhir)
        await sidecar.drain()
        again = await sdk.submit(OBSERVATION, **fhir)
        await sidecar.drain()
        (item,) = (await sdk.status(again)).items
        assert ("duplicate", first) == (item.state, item.original)
    finally:
        await sdk.close()

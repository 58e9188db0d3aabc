"""What becomes of content on its way: duplicates, other kinds than FHIR, pseudonyms, codes to ask about."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import calls
from caregrid.content import MediaType
from caregrid.errors import Conflict, InputTooLarge, WrongKey
from caregrid.fhir import Answer, FhirValidator, Terminology
from caregrid.preprocessing import PseudonymProfile, record_url
from caregrid.records import RecordFormat
from caregrid.sealed import open_sealed
from ocw_sidecar.pipeline.intake import Offer
from ocw_sidecar.pipeline.states import RecordState
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT, Rig, memory_world, rig
from tests.databases import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from caregrid.fhir import Question
    from ocw_sidecar.pipeline.items import RecordView
    from ocw_sidecar.testing import World
    from tests.postgres_server import PostgresServer

OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "Heart rate"}}
SAME = b'{"code": {"text": "Heart rate"}, "status": "final", "resourceType": "Observation"}'
URL = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
OTHER_PATIENT = b"\x04" * 32
CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
MESSAGE = b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rPID|1||4711\r"
ASKED = {
    "resourceType": "MolecularSequence",
    "coordinateSystem": 0,
    "structureVariant": [{"variantType": {"coding": [{"system": "http://loinc.org", "code": "LA9658-1"}]}}],
}
PROFILE = PseudonymProfile.from_mapping(
    {
        "uri": "urn:example:study-7",
        "rules": [
            {"path": "*.**.identifier.value", "do": "hmac"},
            {"path": "Patient.name", "do": "remove"},
            {"path": "Patient.link.type", "do": "remove"},
        ],
        "ids": ["Patient"],
    },
    bytes(range(32)),
)
PERSON = {"resourceType": "Patient", "identifier": [{"value": "MRN-4711"}], "name": [{"family": "Qxzjw"}]}


@pytest.fixture(autouse=True, params=["sqlite", "postgres"])
def _database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything here holds on either kind of database."""
    if request.param == "sqlite":
        yield
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create_database(template=TEMPLATE)
    monkeypatch.setenv("CAREGRID_DATABASE__URL", server.url(name))
    yield
    server.drop_database(name)


def settings_in(home: Path, **validation: Any) -> Settings:
    """Settings under which nothing waits."""
    return Settings.load(
        home=home,
        organisation=ORGANISATION,
        pack_age_limit_s=0.0,
        min_free_disk=0,
        max_payload=3_000_000,
        max_fhir_payload=100_000,
        workers={"validation": validation},
    )


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Rig]:
    """A sidecar driven by hand."""
    async with rig(settings_in(tmp_path)) as opened:
        yield opened


async def submit(sidecar: Rig, content: Any, **offer: Any) -> bytes:
    """Hand content in and bring it as far as it goes; return the submission's id."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def chunks() -> AsyncIterator[bytes]:
        yield text

    described = {"patient_id": PATIENT, "format": RecordFormat.FHIR_R4_JSON, "announced": None}
    taken = await sidecar.intake.take(Offer(**{**described, "idempotency": None, **offer}), chunks())
    await sidecar.drain()
    return taken.submission_id


async def records(sidecar: Rig, submission: bytes) -> list[RecordView]:
    """Return a submission's records."""
    return await sidecar.bench.queue.records_of(submission)


async def read_back(sidecar: Rig, record_id: bytes) -> Any:
    """Return the resource of a record as its reader gets it."""
    anchored = await sidecar.world.chain.record(record_id)
    wrapped = await sidecar.bench.queue.releasable_key(record_id)
    assert anchored is not None
    assert wrapped is not None
    sealed = await sidecar.world.store.read_range(anchored.object_id, anchored.offset, anchored.length)
    key = sidecar.bench.ports.key_store.unwrap(record_id, wrapped)
    return json.loads(open_sealed(key, record_id, sealed))


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    """Return a collection; its first entry has a URL that means something in it only."""
    entries: list[dict[str, Any]] = [{"resource": one} for one in resources]
    entries[0]["fullUrl"] = URL
    for entry in entries[1:]:
        entry["fullUrl"] = f"urn:uuid:{uuid.uuid4()}"
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


async def test_what_is_final_is_not_stored_again(sidecar: Rig) -> None:
    """The same content, in whatever layout, is a duplicate that names the record; nothing of it is kept."""
    first = await submit(sidecar, OBSERVATION)
    (record,) = await records(sidecar, again := await submit(sidecar, SAME))
    assert (RecordState.DUPLICATE, first) == (record.state, record.original)
    assert record.outcome is not None
    (issue,) = record.outcome["issue"]
    assert ("information", "duplicate") == (issue["severity"], issue["code"])
    assert record_url(first) in issue["details"]["text"]
    assert await sidecar.world.chain.record(again) is None
    assert {} == await sidecar.bench.queue.payloads([again])
    assert await sidecar.bench.queue.releasable_key(again) is None


@pytest.mark.parametrize(
    ("content", "offer"),
    [
        ({**OBSERVATION, "note": [{"text": "x"}]}, {}),
        (OBSERVATION, {"patient_id": OTHER_PATIENT}),
        (OBSERVATION, {"format": RecordFormat.FHIR_R5_JSON}),
        (json.dumps(OBSERVATION).encode(), {"format": RecordFormat.BINARY}),
    ],
)
async def test_what_differs_is_stored(sidecar: Rig, content: Any, offer: dict[str, Any]) -> None:
    """Other content, another patient's, another format's, and what is not looked into."""
    await sidecar.world.chain.submitter(OPERATOR).submit(calls.register_patient(ORGANISATION, OTHER_PATIENT))
    await submit(sidecar, OBSERVATION)
    (record,) = await records(sidecar, await submit(sidecar, content, **offer))
    assert RecordState.CONFIRMED is record.state


async def test_only_final_records_are_originals(sidecar: Rig) -> None:
    """What is still on its way may fail, so the second is kept; a third is a duplicate of the first."""

    async def chunks() -> AsyncIterator[bytes]:
        yield SAME

    offer = Offer(patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON, announced=None, idempotency=None)
    first = (await sidecar.intake.take(offer, chunks())).submission_id
    second = await submit(sidecar, SAME)
    states = [record.state for each in (first, second) for record in await records(sidecar, each)]
    assert [RecordState.CONFIRMED] * 2 == states
    (third,) = await records(sidecar, await submit(sidecar, SAME))
    assert third.original == min(first, second)


async def test_what_was_destroyed_may_come_again(sidecar: Rig) -> None:
    """A record whose key is gone can be read by nobody, so it is no original."""
    first = await submit(sidecar, OBSERVATION)
    from ocw_sidecar.adapters.sql.rows import SQL  # noqa: PLC0415 - only this test reaches past the queue

    await sidecar.database.write(lambda db: db.execute(SQL["delete_key"], {"id": first}) and None)
    (record,) = await records(sidecar, await submit(sidecar, OBSERVATION))
    assert RecordState.CONFIRMED is record.state


async def test_deduplication_may_be_left_off(tmp_path: Path) -> None:
    """Then each submission is a record, and no fingerprint is kept."""
    async with rig(settings_in(tmp_path, deduplicate=False)) as sidecar:
        found = [await records(sidecar, await submit(sidecar, OBSERVATION)) for _ in range(2)]
        assert [RecordState.CONFIRMED] * 2 == [record.state for (record,) in found]


async def test_entries_are_compared_too(sidecar: Rig) -> None:
    """An entry that is final already is none again, and references to it lead to the record that is."""
    first = await submit(sidecar, OBSERVATION)
    about = {**OBSERVATION, "code": {"text": "y"}, "derivedFrom": [{"reference": URL}]}
    found = await records(sidecar, await submit(sidecar, bundle(OBSERVATION, about, dict(about))))
    assert [
        RecordState.DUPLICATE,
        RecordState.CONFIRMED,
        RecordState.DUPLICATE,
        RecordState.CONFIRMED,
    ] == [each.state for each in found]
    assert [first, found[1].record_id] == [found[0].original, found[2].original]
    named = {
        one["identifier"]["value"]: one["reference"]
        for one in (await read_back(sidecar, found[3].record_id))["target"]
    }
    assert record_url(first) == named[URL]


async def test_fingerprints_outlive_a_restart(tmp_path: Path) -> None:
    """Their key lies wrapped in the database; processes that start later know what came before."""
    world = await memory_world()
    async with rig(settings_in(tmp_path), world) as sidecar:
        first = await submit(sidecar, OBSERVATION)
    async with rig(settings_in(tmp_path), world) as sidecar:
        (record,) = await records(sidecar, await submit(sidecar, OBSERVATION))
        assert first == record.original


class Rewrapped:
    """A key store whose master key is another one now."""

    blocks = False

    def __init__(self, inner: Any) -> None:
        self._inner, self._made = inner, set[bytes]()

    def wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        """Wrap."""
        wrapped: bytes = self._inner.wrap(record_id, data_key)
        self._made.add(wrapped)
        return wrapped

    def unwrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Open only what was wrapped here."""
        if wrapped not in self._made:
            raise WrongKey
        unwrapped: bytes = self._inner.unwrap(record_id, wrapped)
        return unwrapped


async def test_another_master_key_forgets_fingerprints(tmp_path: Path) -> None:
    """What was known by the old key is stored once more; from then on duplicates are found again."""
    world = await memory_world()
    async with rig(settings_in(tmp_path), world) as sidecar:
        await submit(sidecar, OBSERVATION)
    store: Any = Rewrapped(world.ports.key_store)
    changed = replace(world, ports=replace(world.ports, key_store=store))
    async with rig(settings_in(tmp_path), changed) as sidecar:
        (record,) = await records(sidecar, second := await submit(sidecar, OBSERVATION))
        assert RecordState.CONFIRMED is record.state
        (record,) = await records(sidecar, await submit(sidecar, OBSERVATION))
        assert second == record.original


@pytest.mark.parametrize(
    ("media_type", "good", "bad"),
    [
        (MediaType.CDA, CDA, CDA.replace(b"/>", b">")),
        (MediaType.CDA, CDA, b'<ClinicalDocument xmlns="urn:other"/>'),
        (MediaType.HL7_V2, MESSAGE, b"MSH|^~\\&"),
        (MediaType.HL7_V2, MESSAGE, CDA),
    ],
)
async def test_text_of_other_kinds_is_examined(
    sidecar: Rig, media_type: MediaType, good: bytes, bad: bytes
) -> None:
    """To its end, by the form that is declared; on the chain it is BINARY."""
    as_binary = {"format": RecordFormat.BINARY, "media_type": media_type}
    (sound,) = await records(sidecar, of_good := await submit(sidecar, good, **as_binary))
    (broken,) = await records(sidecar, await submit(sidecar, bad, **as_binary))
    (unseen,) = await records(sidecar, await submit(sidecar, bad, format=RecordFormat.BINARY))
    assert [RecordState.CONFIRMED, RecordState.REJECTED, RecordState.CONFIRMED] == [
        each.state for each in (sound, broken, unseen)
    ]
    assert broken.outcome is not None
    assert "error" == broken.outcome["issue"][0]["severity"]
    anchored = await sidecar.world.chain.record(of_good)
    assert anchored is not None
    assert RecordFormat.BINARY is anchored.format
    kept = await sidecar.bench.queue.submission(of_good)
    assert kept is not None
    assert media_type is kept.media_type


async def test_text_is_bounded_like_fhir(sidecar: Rig) -> None:
    """What is read whole may be as long as FHIR, what is not as long as any content."""
    long = CDA.replace(b"/>", b">" + b" " * 100_000 + b"</ClinicalDocument>")
    as_binary = {"format": RecordFormat.BINARY}
    with pytest.raises(InputTooLarge):
        await submit(sidecar, long, **as_binary, media_type=MediaType.CDA)
    await submit(sidecar, long, **as_binary)


async def test_a_key_stands_for_one_media_type(sidecar: Rig) -> None:
    """The same idempotency key with another one is a mistake."""
    given = {"format": RecordFormat.BINARY, "idempotency": b"i" * 32}
    await submit(sidecar, CDA, **given, media_type=MediaType.CDA)
    with pytest.raises(Conflict):
        await submit(sidecar, CDA, **given)


def with_ports(world: World, **ports: Any) -> World:
    """Return the world with other ports."""
    return replace(world, ports=replace(world.ports, **ports))


async def test_identifiers_are_replaced_before_anything_is_sealed(tmp_path: Path) -> None:
    """The record holds pseudonyms, a second one tells of it, and the outcome says where."""
    world = with_ports(await memory_world(), pseudonyms=PROFILE)
    async with rig(settings_in(tmp_path), world) as sidecar:
        submission = await submit(sidecar, PERSON)
        record, about = await records(sidecar, submission)
        kept, told = [await read_back(sidecar, each.record_id) for each in (record, about)]
        assert "name" not in kept
        assert "MRN-4711" not in json.dumps(kept)
        assert ("Provenance", ["urn:example:study-7"]) == (told["resourceType"], told["policy"])
        assert {"reference": record_url(record.record_id)} in told["target"]
        assert record.outcome is not None
        (issue,) = record.outcome["issue"]
        assert record_url(about.record_id) in issue["details"]["text"]
        assert FhirValidator().validate(json.dumps(told).encode(), RecordFormat.FHIR_R4_JSON).valid
        assert {} == await sidecar.bench.queue.payloads([submission])
        (again,) = await records(sidecar, await submit(sidecar, PERSON))
        assert (RecordState.DUPLICATE, record.record_id) == (again.state, again.original)
    kept_files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(canary in content for content in kept_files for canary in (b"MRN-4711", b"Qxzjw"))


async def test_entries_get_pseudonyms_together(tmp_path: Path) -> None:
    """Each record of a Bundle has them; refused entries are told as sent; one record tells of all."""
    world = with_ports(await memory_world(), pseudonyms=PROFILE)
    bad = {**PERSON, "gender": "no such"}
    about = {**OBSERVATION, "subject": {"reference": URL, "identifier": {"value": "MRN-4711"}}}
    async with rig(settings_in(tmp_path), world) as sidecar:
        found = await records(sidecar, await submit(sidecar, bundle(PERSON, bad, about)))
        assert [
            RecordState.CONFIRMED,
            RecordState.REJECTED,
            RecordState.CONFIRMED,
            RecordState.CONFIRMED,
            RecordState.CONFIRMED,
        ] == [each.state for each in found]
        kept = [await read_back(sidecar, found[place].record_id) for place in (0, 2, 3, 4)]
        assert "MRN-4711" not in json.dumps(kept)
        assert kept[0]["identifier"][0]["value"] == kept[1]["subject"]["identifier"]["value"]
        named = [one.get("reference") for one in kept[3]["target"]]
        assert [None, *(record_url(found[place].record_id) for place in (0, 2))] == named


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ({**PERSON, "link": [{"other": {"reference": "Patient/1"}, "type": "refer"}]}, "required"),
        ({**PERSON, "generalPractitioner": [{"reference": "Practitioner?identifier=1"}]}, "business-rule"),
    ],
)
async def test_what_pseudonyms_break_is_refused(tmp_path: Path, resource: dict[str, Any], code: str) -> None:
    """Where the profile takes what FHIR needs, or cannot be followed, nothing is stored."""
    world = with_ports(await memory_world(), pseudonyms=PROFILE)
    async with rig(settings_in(tmp_path), world) as sidecar:
        (record,) = await records(sidecar, await submit(sidecar, resource))
        assert RecordState.REJECTED is record.state
        assert record.outcome is not None
        assert code in {issue["code"] for issue in record.outcome["issue"]}
        assert "MRN-4711" not in json.dumps(record.outcome)


class Told(Terminology):
    """Answers as it is told to."""

    answer = Answer.MISSING

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer."""
        return [self.answer for _ in questions]


async def test_without_answer_a_code_is_not_checked(tmp_path: Path) -> None:
    """The record is accepted, and its outcome says which code nobody answered for."""
    world = with_ports(await memory_world(), validator=FhirValidator(terminology=Told()))
    async with rig(settings_in(tmp_path), world) as sidecar:
        (record,) = await records(sidecar, await submit(sidecar, ASKED))
        assert RecordState.CONFIRMED is record.state
        assert record.outcome is not None
        (issue,) = record.outcome["issue"]
        assert ("warning", "transient") == (issue["severity"], issue["code"])
        assert "not checked" in issue["details"]["text"]
        (plain,) = await records(sidecar, await submit(sidecar, OBSERVATION))
        assert plain.outcome is None


class Clock:
    """A wall clock that is set by hand."""

    now = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_required_answer_is_waited_for(tmp_path: Path, *, wrapped: bool) -> None:
    """Until the server answers the submission stays queued, alone or in a Bundle; others go on."""
    told, clock = Told(), Clock()
    world = with_ports(await memory_world(), validator=FhirValidator(terminology=told), now=clock)
    required = settings_in(tmp_path, terminology_url="https://tx.example", terminology_required=True)
    async with rig(required, world) as sidecar:
        waiting = await submit(sidecar, bundle(ASKED) if wrapped else ASKED)
        other = await submit(sidecar, OBSERVATION)
        assert [] == await records(sidecar, waiting)
        assert [RecordState.CONFIRMED] == [each.state for each in await records(sidecar, other)]
        (trouble,) = await sidecar.bench.queue.troubles()
        assert ("validate", "TERMINOLOGY_UNREACHABLE", 1) == (trouble.stage, trouble.reason, trouble.items)
        told.answer = Answer.INSIDE
        clock.now += timedelta(minutes=2)
        await sidecar.drain()
        assert [RecordState.CONFIRMED] == [each.state for each in await records(sidecar, waiting)]


async def test_what_the_server_will_never_know_is_not_waited_for(tmp_path: Path) -> None:
    """Otherwise a record would wait for ever."""
    told = Told()
    told.answer = Answer.UNKNOWN
    world = with_ports(await memory_world(), validator=FhirValidator(terminology=told))
    required = settings_in(tmp_path, terminology_url="https://tx.example", terminology_required=True)
    async with rig(required, world) as sidecar:
        (record,) = await records(sidecar, await submit(sidecar, ASKED))
        assert RecordState.CONFIRMED is record.state

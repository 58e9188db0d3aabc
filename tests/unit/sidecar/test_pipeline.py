"""Records from intake to confirmation, with the real queue and twins of chain and storage."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from caregrid.chain import calls
from caregrid.errors import (
    DatabaseUnreachable,
    DiskLow,
    InputEmpty,
    InputInvalid,
    InputTooLarge,
    QueueFull,
    StorageUnreachable,
)
from caregrid.fhir import Validator, Verdict
from caregrid.proofs import manifest_root
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from caregrid.sealed import open_sealed
from caregrid.storage import MemoryObjectStore, file_id_of
from caregrid.testing import SubmitFault
from example_data.imaging import dicom_header
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.pipeline.intake import Offer, idempotency_digest
from ocw_sidecar.pipeline.spool import INLINE_LIMIT
from ocw_sidecar.pipeline.states import RecordState, Stage, SubmissionState
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings import MIB, Settings
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT, Rig, World, memory_world, rig
from tests.databases import TEMPLATE
from tests.postgres_server import dump

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from caregrid.storage import Progress, Source
    from ocw_sidecar.pipeline.items import RecordView
    from tests.postgres_server import PostgresServer

FULL_URL = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "Heart rate"},
    "valueQuantity": {"value": 72, "unit": "/min"},
}
PUT_FIRST = {"method": "PUT", "url": "Observation/first"}
INVALID = {"resourceType": "Observation", "status": "no such status", "code": {"text": "x"}}


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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings under which nothing waits."""
    return Settings.load(
        home=tmp_path / "home", organisation=ORGANISATION, pack_age_limit_s=0.0, min_free_disk=0
    )


@pytest.fixture
async def sidecar(settings: Settings) -> AsyncIterator[Rig]:
    """A sidecar driven by hand."""
    async with rig(settings) as opened:
        yield opened


async def chunks(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """Yield content in pieces."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def as_json(value: Any) -> bytes:
    """Return JSON text."""
    return json.dumps(value).encode()


async def submit(
    sidecar: Rig, content: bytes, record_format: RecordFormat = RecordFormat.FHIR_R4_JSON, **offer: Any
) -> bytes:
    """Submit content and return the submission's id."""
    described = Offer(
        **{"patient_id": PATIENT, "format": record_format, "announced": None, "idempotency": None, **offer}
    )
    return (await sidecar.intake.take(described, chunks(content))).submission_id


async def records(sidecar: Rig, submission_id: bytes) -> list[RecordView]:
    """Return a submission's records."""
    return await sidecar.bench.queue.records_of(submission_id)


async def read_back(sidecar: Rig, record_id: bytes) -> bytes:
    """Return a record's plaintext as its reader gets it: place from the chain, bytes from storage."""
    anchored = await sidecar.world.chain.record(record_id)
    assert anchored is not None
    sealed = await sidecar.world.store.read_range(anchored.object_id, anchored.offset, anchored.length)
    assert anchored.digest == hashlib.sha256(sealed).digest()
    wrapped = await sidecar.bench.queue.releasable_key(record_id)
    assert wrapped is not None
    return open_sealed(sidecar.bench.ports.key_store.unwrap(record_id, wrapped), record_id, sealed)


def past_the_queue(settings: Settings, statement: str, *values: Any) -> list[Any]:
    """Run a statement on a connection of our own; return the first value of each row."""
    if settings.database.url is None:
        with closing(sqlite3.connect(settings.home / QUEUE_FILE)) as database:
            return [row[0] for row in database.execute(statement, values)]
    with psycopg.connect(settings.database.url.get_secret_value()) as server:
        return [row[0] for row in server.execute(statement.replace("?", "%s").encode(), values)]


def kept_keys(sidecar: Rig) -> set[bytes]:
    """Return the ids whose wrapped data keys are kept."""
    return set(past_the_queue(sidecar.bench.settings, "SELECT id FROM keys"))


def files(sidecar: Rig) -> list[str]:
    """Return what lies in the spool and pack folders, and large payloads in the database."""
    home = sidecar.bench.settings.home
    local = [path.name for folder in ("spool", "packs") for path in (home / folder).iterdir()]
    return local + past_the_queue(sidecar.bench.settings, "SELECT name FROM pieces WHERE ordinal = 0")


def damage(settings: Settings, change: Callable[[bytes], bytes]) -> None:
    """Change the end of the one large payload where it lies."""
    if settings.database.url is None:
        (path,) = (settings.home / "spool").iterdir()
        path.write_bytes(change(path.read_bytes()))
        return
    last = "(SELECT max(ordinal) FROM pieces)"
    (body,) = past_the_queue(settings, f"SELECT body FROM pieces WHERE ordinal = {last}")  # noqa: S608
    changed = f"UPDATE pieces SET body = ? WHERE ordinal = {last} RETURNING ordinal"  # noqa: S608
    past_the_queue(settings, changed, change(body))


async def test_resource_is_confirmed_and_reads_back(sidecar: Rig) -> None:
    """A resource goes from POST to chain and storage, and comes back byte for byte."""
    submission = await submit(sidecar, as_json(OBSERVATION))
    await sidecar.drain()
    (record,) = await records(sidecar, submission)
    assert (submission, RecordState.CONFIRMED) == (record.record_id, record.state)
    assert as_json(OBSERVATION) == await read_back(sidecar, record.record_id)
    anchored = await sidecar.world.chain.record(record.record_id)
    assert anchored is not None
    assert (PATIENT, record.object_id, record.block) == (
        anchored.patient_id,
        anchored.object_id,
        anchored.anchored_at,
    )


async def test_nothing_but_wrapped_keys_stays(sidecar: Rig) -> None:
    """After confirmation no payload and no file is left, and the custodian's key copy is."""
    submission = await submit(sidecar, as_json(OBSERVATION))
    large = await submit(sidecar, b"\x07" * (2 * INLINE_LIMIT), RecordFormat.BINARY)
    await sidecar.drain()
    assert {} == await sidecar.bench.queue.payloads([submission, large])
    assert [] == files(sidecar)
    assert {submission, large} == kept_keys(sidecar)


async def test_record_above_the_pack_limit_is_an_object_of_its_own(tmp_path: Path) -> None:
    """A large record is streamed through the spool file, uploaded as it lies, and reads back."""
    settings = Settings.load(
        home=tmp_path,
        organisation=ORGANISATION,
        pack_age_limit_s=0.0,
        min_free_disk=0,
        pack_size_limit="1MiB",
    )
    content = bytes(range(256)) * 8192
    async with rig(settings) as sidecar:
        large = await submit(sidecar, content, RecordFormat.BINARY)
        small = await submit(sidecar, b"small", RecordFormat.BINARY)
        await sidecar.drain()
        (of_large,), (of_small,) = await records(sidecar, large), await records(sidecar, small)
        assert of_large.object_id != of_small.object_id
        assert content == await read_back(sidecar, large)
        assert b"small" == await read_back(sidecar, small)


async def test_medium_records_are_packed_from_spool_files(sidecar: Rig) -> None:
    """Records too large for a row but below the pack limit share an object too."""
    contents = [bytes([number]) * (INLINE_LIMIT + number) for number in range(3)]
    submissions = [await submit(sidecar, content, RecordFormat.BINARY) for content in contents]
    assert 3 == len(files(sidecar))
    await sidecar.drain()
    assert contents == [await read_back(sidecar, submission) for submission in submissions]
    assert 1 == len({(await records(sidecar, submission))[0].object_id for submission in submissions})


async def test_invalid_resource_is_refused_with_its_outcome(sidecar: Rig) -> None:
    """An invalid record gets an OperationOutcome; payload, key and every trace of its values are gone."""
    submission = await submit(sidecar, as_json(INVALID))
    await sidecar.drain()
    (record,) = await records(sidecar, submission)
    assert RecordState.REJECTED is record.state
    assert record.outcome is not None
    assert "OperationOutcome" == record.outcome["resourceType"]
    assert "no such status" not in json.dumps(record.outcome)
    assert set() == kept_keys(sidecar)
    assert await sidecar.world.chain.record(submission) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"null"])
async def test_broken_json_is_one_rejected_record(sidecar: Rig, content: bytes) -> None:
    """Intake does not parse; what is no resource is refused at validation."""
    submission = await submit(sidecar, content)
    await sidecar.drain()
    assert [RecordState.REJECTED] == [record.state for record in await records(sidecar, submission)]


async def test_bundle_becomes_records_and_refusals(sidecar: Rig) -> None:
    """Each entry of a Bundle is a record of its own; the invalid one is refused, the others go on."""
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": {**OBSERVATION, "id": "first"}, "request": PUT_FIRST},
            {"resource": INVALID, "request": {"method": "POST", "url": "Observation"}},
            {"request": {"method": "DELETE", "url": "Observation/1"}},
            {"resource": {**OBSERVATION, "id": "last"}, "request": {**PUT_FIRST, "url": "Observation/last"}},
        ],
    }
    submission = await submit(sidecar, as_json(bundle))
    await sidecar.drain()
    found = await records(sidecar, submission)
    assert [0, 1, 2, 3] == [record.ordinal for record in found]
    assert [
        RecordState.CONFIRMED,
        RecordState.REJECTED,
        RecordState.REJECTED,
        RecordState.CONFIRMED,
    ] == [record.state for record in found]
    assert as_json({**OBSERVATION, "id": "last"}) == await read_back(sidecar, found[3].record_id)
    assert submission not in {record.record_id for record in found}
    assert {found[0].record_id, found[3].record_id} == kept_keys(sidecar)


@pytest.mark.parametrize(
    "bundle", [{"type": "batch", "entry": []}, {"type": "batch"}, {"type": "batch", "entry": 1}]
)
async def test_bundle_without_records_is_refused(sidecar: Rig, bundle: dict[str, Any]) -> None:
    """A Bundle that holds nothing to store is one refusal, not a silent success."""
    submission = await submit(sidecar, as_json({"resourceType": "Bundle", **bundle}))
    await sidecar.drain()
    assert [RecordState.REJECTED] == [record.state for record in await records(sidecar, submission)]


async def test_document_bundle_stays_whole(sidecar: Rig) -> None:
    """A Bundle that means something only as a whole is one record."""
    entry = {"fullUrl": FULL_URL, "resource": {**OBSERVATION, "id": "1"}}
    found = {"resourceType": "Bundle", "type": "searchset", "entry": [entry]}
    submission = await submit(sidecar, as_json(found))
    await sidecar.drain()
    (record,) = await records(sidecar, submission)
    assert (submission, RecordState.CONFIRMED) == (record.record_id, record.state)
    assert as_json(found) == await read_back(sidecar, submission)


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (dicom_header(1) + bytes(3_000_000), RecordState.CONFIRMED),
        (dicom_header(0), RecordState.CONFIRMED),
        (bytes(128) + b"DICM" + bytes(3_000_000), RecordState.REJECTED),
        (bytes(3_000_000), RecordState.REJECTED),
        (b"x", RecordState.REJECTED),
    ],
)
async def test_dicom_is_judged_by_its_first_bytes(sidecar: Rig, content: bytes, state: RecordState) -> None:
    """DICOM of any size is looked at without opening all of it."""
    submission = await submit(sidecar, content, RecordFormat.DICOM)
    await sidecar.drain()
    assert [state] == [record.state for record in await records(sidecar, submission)]
    assert [] == files(sidecar)


async def test_same_idempotency_key_is_one_submission(sidecar: Rig) -> None:
    """A POST that is sent again stores nothing new, before and after it is done."""
    key = idempotency_digest(b"caller", "order-1")
    first = await submit(sidecar, as_json(OBSERVATION), idempotency=key)
    assert first == await submit(sidecar, as_json(OBSERVATION), idempotency=key)
    await sidecar.drain()
    assert first == await submit(sidecar, as_json(OBSERVATION), idempotency=key)
    await sidecar.drain()
    assert 1 == sidecar.world.submitter.submitted


async def test_idempotency_key_of_another_patient_is_refused(sidecar: Rig) -> None:
    """A key that is used again for something else is a mistake, not a repetition."""
    key = idempotency_digest(b"caller", "order-1")
    await submit(sidecar, as_json(OBSERVATION), idempotency=key)
    with pytest.raises(InputInvalid, match="idempotency"):
        await submit(sidecar, as_json(OBSERVATION), idempotency=key, patient_id=b"\x09" * 32)


async def test_keys_of_two_callers_do_not_meet() -> None:
    """Two applications may count their orders alike."""
    assert idempotency_digest(b"a", "1") != idempotency_digest(b"b", "1")


@pytest.mark.parametrize(
    ("record_format", "limit"), [(RecordFormat.BINARY, 100_000), (RecordFormat.FHIR_R4_JSON, 50_000)]
)
async def test_content_above_the_limit_is_refused_and_leaves_nothing(
    tmp_path: Path, record_format: RecordFormat, limit: int
) -> None:
    """The limit holds to the byte, whether or not the size was announced."""
    settings = Settings.load(
        home=tmp_path,
        organisation=ORGANISATION,
        min_free_disk=0,
        max_payload=100_000,
        max_fhir_payload=50_000,
    )
    async with rig(settings) as sidecar:
        with pytest.raises(InputTooLarge):
            await submit(sidecar, bytes(limit + 1), record_format)
        with pytest.raises(InputTooLarge):
            await submit(sidecar, b"", record_format, announced=limit + 1)
        await submit(sidecar, bytes(limit), record_format, announced=limit)
        assert 1 == sum(each.items for each in await sidecar.bench.queue.tallies())


async def test_large_refused_content_leaves_no_file(tmp_path: Path) -> None:
    """A spool file of content that is too large goes with its refusal."""
    settings = Settings.load(
        home=tmp_path, organisation=ORGANISATION, min_free_disk=0, max_payload=2 * INLINE_LIMIT
    )
    async with rig(settings) as sidecar:
        with pytest.raises(InputTooLarge):
            await submit(sidecar, bytes(4 * INLINE_LIMIT), RecordFormat.BINARY)
        assert [] == files(sidecar)


async def test_empty_content_is_refused(sidecar: Rig) -> None:
    """There is nothing to store in nothing."""
    with pytest.raises(InputEmpty):
        await submit(sidecar, b"")


async def test_full_queue_refuses_until_it_drains(tmp_path: Path) -> None:
    """Back-pressure counts what is not confirmed, and ends by itself."""
    settings = Settings.load(
        home=tmp_path, organisation=ORGANISATION, pack_age_limit_s=0.0, min_free_disk=0, queue_limit=1
    )
    async with rig(settings) as sidecar:
        await submit(sidecar, as_json(OBSERVATION))
        with pytest.raises(QueueFull):
            await submit(sidecar, as_json(OBSERVATION))
        await sidecar.drain()
        await submit(sidecar, as_json(OBSERVATION))


async def test_low_disk_refuses_before_anything_is_kept(tmp_path: Path) -> None:
    """Below the minimum of free disk nothing is taken in, so what was taken in can be finished."""
    settings = Settings.load(home=tmp_path, organisation=ORGANISATION, min_free_disk=1 << 60)
    async with rig(settings) as sidecar:
        with pytest.raises(DiskLow):
            await submit(sidecar, as_json(OBSERVATION))
        assert [] == await sidecar.bench.queue.tallies()


async def test_unknown_patient_is_a_dead_letter_that_can_be_replayed(sidecar: Rig) -> None:
    """A record that the chain refuses says why, keeps its place, and goes through once the cause is gone."""
    stranger = b"\x0a" * 32
    good = await submit(sidecar, as_json(OBSERVATION))
    bad = await submit(sidecar, as_json(OBSERVATION), patient_id=stranger)
    await sidecar.drain()
    (confirmed,), (refused,) = await records(sidecar, good), await records(sidecar, bad)
    assert (RecordState.CONFIRMED, RecordState.FAILED, "PatientUnknown") == (
        confirmed.state,
        refused.state,
        refused.reason,
    )
    await sidecar.world.submitter.submit(calls.register_patient(ORGANISATION, stranger))
    assert 1 == await sidecar.bench.queue.replay_failed(now=sidecar.bench.ports.now())
    await sidecar.drain()
    assert [RecordState.CONFIRMED] == [record.state for record in await records(sidecar, bad)]
    assert as_json(OBSERVATION) == await read_back(sidecar, bad)


async def test_foreign_record_under_our_id_is_told_apart(sidecar: Rig) -> None:
    """An id that somebody else anchored is never reported as ours."""
    submission = await submit(sidecar, as_json(OBSERVATION))
    foreign = RecordEntry(
        record_id=submission,
        patient_id=PATIENT,
        offset=0,
        length=5,
        digest=b"f" * 32,
        format=RecordFormat.BINARY,
    )
    entry = ObjectEntry(object_id=b"f" * 32, size=5, record_count=1, manifest_root=b"f" * 32)
    await sidecar.world.submitter.submit(calls.store_emr_batch(ORGANISATION, entry, [foreign]))
    await sidecar.drain()
    (record,) = await records(sidecar, submission)
    assert (RecordState.FAILED, "FOREIGN_RECORD") == (record.state, record.reason)
    assert submission in await sidecar.bench.queue.payloads([submission])


class Clock:
    """A clock that tests set ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time."""
        return utc_now() + self.ahead


class FlakyStore(MemoryObjectStore):
    """A store whose gateway is down now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.puts = 0

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Store, unless the gateway is down."""
        if self.down:
            raise StorageUnreachable
        self.puts += 1
        return await super().put(source, progress=progress)


async def changed_world(**ports: Any) -> World:
    """Return a world with some ports exchanged."""
    world = await memory_world()
    return replace(world, ports=replace(world.ports, **ports))


async def test_storage_outage_is_waited_out(settings: Settings) -> None:
    """While the gateway is down records wait, for days if need be; then they go on."""
    clock, store = Clock(), FlakyStore()
    world = replace(await changed_world(now=clock, store=store), store=store)
    async with rig(settings, world) as sidecar:
        store.down = True
        submission = await submit(sidecar, as_json(OBSERVATION))
        for day in range(40):
            clock.ahead = timedelta(days=day)
            await sidecar.drain()
        assert [RecordState.PACKED] == [record.state for record in await records(sidecar, submission)]
        store.down = False
        clock.ahead = timedelta(days=41)
        await sidecar.drain()
        assert as_json(OBSERVATION) == await read_back(sidecar, submission)


async def test_chain_outage_is_waited_out(settings: Settings) -> None:
    """While no node answers records wait; then they are anchored once."""
    clock = Clock()
    async with rig(settings, await changed_world(now=clock)) as sidecar:
        sidecar.world.chain.reachable = False
        submission = await submit(sidecar, as_json(OBSERVATION))
        for minute in range(40):
            clock.ahead = timedelta(minutes=2 * minute)
            await sidecar.drain()
        assert [RecordState.STORED] == [record.state for record in await records(sidecar, submission)]
        sidecar.world.chain.reachable = True
        clock.ahead = timedelta(hours=2)
        await sidecar.drain()
        assert [RecordState.CONFIRMED] == [record.state for record in await records(sidecar, submission)]


@pytest.mark.parametrize(
    ("fault", "calls_sent"), [(SubmitFault.LOST, 2), (SubmitFault.UNHEARD, 1), (SubmitFault.UNREACHABLE, 1)]
)
async def test_unknown_outcome_is_looked_up_before_sending_again(
    settings: Settings, fault: SubmitFault, calls_sent: int
) -> None:
    """After a timeout a call is repeated only if its effect is not there."""
    clock = Clock()
    async with rig(settings, await changed_world(now=clock)) as sidecar:
        sidecar.world.submitter.faults.append(fault)
        submission = await submit(sidecar, as_json(OBSERVATION))
        await sidecar.drain()
        clock.ahead = timedelta(minutes=1)
        await sidecar.drain()
        assert [RecordState.CONFIRMED] == [record.state for record in await records(sidecar, submission)]
        assert calls_sent == sidecar.world.submitter.submitted


async def test_refused_calls_become_dead_letters_and_can_be_replayed(settings: Settings) -> None:
    """A refusal is tried a few times over some minutes, then waits for a person, losing nothing."""
    clock = Clock()
    async with rig(settings, await changed_world(now=clock)) as sidecar:
        organisation = sidecar.world.chain.submitter(ORGANISATION)
        await organisation.submit(calls.set_operators([]))
        submission = await submit(sidecar, as_json(OBSERVATION))
        for hour in range(20):
            clock.ahead = timedelta(hours=hour)
            await sidecar.drain()
        (record,) = await records(sidecar, submission)
        assert (RecordState.FAILED, "CALL_REJECTED:Emr.NotOperator") == (record.state, record.reason)

        await organisation.submit(calls.set_operators([OPERATOR]))
        await sidecar.bench.queue.replay_failed(now=clock())
        await sidecar.drain()
        assert as_json(OBSERVATION) == await read_back(sidecar, submission)


async def test_changed_payload_is_never_uploaded(settings: Settings) -> None:
    """A flipped bit on our own disk is found before anything leaves; the item becomes a dead letter."""
    clock = Clock()
    async with rig(settings, await changed_world(now=clock)) as sidecar:
        submission = await submit(sidecar, bytes(12 * INLINE_LIMIT), RecordFormat.BINARY)
        damage(settings, lambda body: body[:-1] + bytes([body[-1] ^ 1]))
        for hour in range(20):
            clock.ahead = timedelta(hours=hour)
            await sidecar.drain()
        (record,) = await records(sidecar, submission)
        assert (RecordState.FAILED, "DIGEST_MISMATCH") == (record.state, record.reason)
        assert await sidecar.world.chain.record(submission) is None


async def test_unreadable_submission_becomes_a_dead_letter(settings: Settings) -> None:
    """A payload that no longer opens is given up with its reason, and is kept."""
    clock = Clock()
    async with rig(settings, await changed_world(now=clock)) as sidecar:
        submission = await submit(
            sidecar, as_json({**OBSERVATION, "id": "x" * 64}) + b" " * (2 * INLINE_LIMIT)
        )
        damage(settings, lambda body: body[:-1])
        before = files(sidecar)
        for hour in range(20):
            clock.ahead = timedelta(hours=hour)
            await sidecar.drain()
        found = await sidecar.bench.queue.submission(submission)
        assert found is not None
        assert (SubmissionState.FAILED, "SEAL_FOREIGN") == (found.state, found.reason)
        assert before == files(sidecar)


async def test_poison_does_not_stop_its_neighbours(settings: Settings) -> None:
    """A validator that breaks on one record costs that record only, and its words are not kept."""
    clock = Clock()
    async with rig(settings, await changed_world(now=clock, validator=Touchy())) as sidecar:
        bad = await submit(sidecar, b"poison")
        good = await submit(sidecar, b"fine")
        for hour in range(20):
            clock.ahead = timedelta(hours=hour)
            await sidecar.drain()
        found = await sidecar.bench.queue.submission(bad)
        assert found is not None
        assert (SubmissionState.FAILED, "UNEXPECTED") == (found.state, found.reason)
        assert [RecordState.CONFIRMED] == [record.state for record in await records(sidecar, good)]


class Touchy(Validator):
    """A validator with a bug."""

    def validate(self, content: bytes, record_format: RecordFormat) -> Verdict:
        """Break on poison."""
        if content == b"poison":
            raise RuntimeError(f"cannot stand {content!r} in {record_format}")
        return Verdict(valid=True, outcome={}, resource_type=None)


async def test_restart_goes_on_and_sweeps_what_nobody_needs(settings: Settings) -> None:
    """A new process takes over, from a sole one at once, and removes files that no row names."""
    clock = Clock()
    world = await changed_world(now=clock)
    async with rig(settings, world) as sidecar:
        submission = await submit(sidecar, bytes(2 * INLINE_LIMIT), RecordFormat.BINARY)
        await sidecar.bench.leases.claim(Stage.VALIDATE, 1)
        (settings.home / "spool" / "orphan").write_bytes(b"left by a crash")
        (settings.home / "packs" / "orphan.part").write_bytes(b"left by a crash")
    if settings.database.url is not None:
        clock.ahead = timedelta(seconds=settings.lease_s)
    async with rig(settings, world) as sidecar:
        assert 1 == len(files(sidecar))
        await sidecar.drain()
        assert bytes(2 * INLINE_LIMIT) == await read_back(sidecar, submission)


async def test_records_wait_for_company_until_the_age_limit(tmp_path: Path) -> None:
    """Below the size limit a pack closes when its oldest record has waited long enough."""
    clock = Clock()
    settings = Settings.load(home=tmp_path, organisation=ORGANISATION, pack_age_limit_s=30.0, min_free_disk=0)
    async with rig(settings, await changed_world(now=clock)) as sidecar:
        first = await submit(sidecar, as_json(OBSERVATION))
        await sidecar.drain()
        clock.ahead = timedelta(seconds=20)
        second = await submit(sidecar, as_json(OBSERVATION))
        await sidecar.drain()
        assert [RecordState.SEALED] == [record.state for record in await records(sidecar, first)]
        clock.ahead = timedelta(seconds=31)
        await sidecar.drain()
        (of_first,), (of_second,) = await records(sidecar, first), await records(sidecar, second)
        assert RecordState.CONFIRMED is of_first.state
        assert of_first.object_id == of_second.object_id


async def test_many_records_share_an_object(tmp_path: Path) -> None:
    """Small records are packed, and the object's manifest root on chain is that of exactly these records."""
    clock = Clock()
    settings = Settings.load(home=tmp_path, organisation=ORGANISATION, pack_age_limit_s=30.0, min_free_disk=0)
    async with rig(settings, await changed_world(now=clock)) as sidecar:
        submissions = [
            await submit(sidecar, as_json({**OBSERVATION, "id": f"o{number}"})) for number in range(150)
        ]
        await sidecar.drain()
        clock.ahead = timedelta(seconds=31)
        await sidecar.drain()
        views = [(await records(sidecar, submission))[0] for submission in submissions]
        (object_id,) = {view.object_id for view in views}
        assert object_id is not None
        stored = await sidecar.world.chain.stored_object(object_id)
        assert stored is not None
        assert (150, 150) == (stored.anchored_records, stored.entry.record_count)
        assert stored.entry.manifest_root == manifest_root(await entries_of(sidecar, submissions))
        assert 2 == sidecar.world.submitter.submitted
        assert as_json({**OBSERVATION, "id": "o149"}) == await read_back(sidecar, submissions[149])


async def entries_of(sidecar: Rig, record_ids: list[bytes]) -> list[RecordEntry]:
    """Return manifest entries as an outsider reads them from the chain, in their object's order."""
    anchored = await sidecar.world.chain.records(record_ids)
    return [
        RecordEntry(
            record_id=each.record_id,
            patient_id=each.patient_id,
            offset=each.offset,
            length=each.length,
            digest=each.digest,
            format=each.format,
        )
        for each in sorted(anchored.values(), key=lambda record: record.offset)
    ]


async def test_large_record_takes_constant_memory(tmp_path: Path) -> None:
    """Content of any size passes through in pieces: 64 MiB need no more memory than a few of them."""
    settings = Settings.load(home=tmp_path, organisation=ORGANISATION, pack_age_limit_s=0.0, min_free_disk=0)
    piece, count = bytes(256 * 1024), 256

    async def content() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece

    world = await changed_world(store=Bottomless())
    async with rig(settings, world) as sidecar:
        offer = Offer(patient_id=PATIENT, format=RecordFormat.BINARY, announced=None, idempotency=None)
        tracemalloc.start()
        try:
            submission = (await sidecar.intake.take(offer, content())).submission_id
            await sidecar.drain()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert [RecordState.CONFIRMED] == [record.state for record in await records(sidecar, submission)]
        assert peak < 16 * MIB


class Bottomless(MemoryObjectStore):
    """A store that takes objects of any size and keeps none."""

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Return the id only."""
        assert isinstance(source, Path)
        assert progress is None
        return await asyncio.to_thread(file_id_of, source)


async def test_rows_hold_no_plaintext(sidecar: Rig) -> None:
    """Neither database nor spool ever holds a readable byte of a record, from the first commit on."""
    canary = b"canary-7f3d9a"
    observation = {**OBSERVATION, "note": [{"text": canary.decode()}]}
    await submit(sidecar, as_json(observation))
    await submit(sidecar, canary * 100_000, RecordFormat.BINARY)
    await submit(sidecar, as_json({**observation, "status": canary.decode()}))

    def search() -> list[str]:
        settings = sidecar.bench.settings
        texts = {path.name: path.read_bytes() for path in settings.home.rglob("*") if path.is_file()}
        if settings.database.url is not None:
            texts["dump"] = dump(settings.database.url.get_secret_value())
        return [name for name, text in texts.items() if canary in text or canary.hex().encode() in text]

    assert [] == search()
    await sidecar.drain()
    assert [] == search()


async def test_commit_whose_answer_is_lost_keeps_its_bytes(
    sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that goes away while it commits may have committed: such a submission's payload stays."""
    monkeypatch.setattr(sidecar.bench.queue, "add", losing_the_answer(sidecar.bench.queue.add))
    content = bytes(4 * INLINE_LIMIT)
    with pytest.raises(DatabaseUnreachable):
        await submit(sidecar, content, RecordFormat.BINARY, idempotency=b"k" * 32)
    taken = await submit(sidecar, content, RecordFormat.BINARY, idempotency=b"k" * 32)
    await sidecar.drain()
    assert content == await read_back(sidecar, taken)


async def test_verdict_whose_answer_is_lost_keeps_its_parts(
    sidecar: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the parts of a Bundle, whose own bytes are gone by then."""
    queue = sidecar.bench.queue
    monkeypatch.setattr(queue, "finish_validation", losing_the_answer(queue.finish_validation))
    text = {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"x" * 2 * INLINE_LIMIT}</div>',
    }
    entry = {"fullUrl": FULL_URL, "resource": {**OBSERVATION, "text": text}}
    submission = await submit(
        sidecar, as_json({"resourceType": "Bundle", "type": "collection", "entry": [entry]})
    )
    await sidecar.drain()
    (record,) = await records(sidecar, submission)
    assert RecordState.CONFIRMED is record.state
    assert as_json(entry["resource"]) == await read_back(sidecar, record.record_id)


def losing_the_answer(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a method that commits, and then says that it does not know."""

    async def lose(*arguments: Any, **named: Any) -> Any:
        await method(*arguments, **named)
        raise DatabaseUnreachable

    return lose

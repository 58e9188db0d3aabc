"""What every queue must do, whatever it stands on."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.content import MediaType
from caregrid.records import RecordFormat
from caregrid.sealed import new_record_id
from ocw_sidecar.adapters.sql import SqlQueue, packs, submissions
from ocw_sidecar.pipeline.items import (
    AcceptedWhole,
    Anchoring,
    Confirmation,
    DuplicatePart,
    DuplicateWhole,
    InRow,
    InSpool,
    Job,
    NewSubmission,
    PackLimits,
    Parts,
    RejectedPart,
    RejectedWhole,
    SealedPart,
    SealedSubmission,
)
from ocw_sidecar.pipeline.queue import LeaseLost, Queue
from ocw_sidecar.pipeline.releases import Ground
from ocw_sidecar.pipeline.states import PackState, RecordState, Stage, SubmissionState

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database, Session
    from ocw_sidecar.pipeline.items import Payload

T0 = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = timedelta(minutes=1)
PATIENT = bytes(range(32))
OBJECT = b"o" * 32
ROOT = b"r" * 32
ACCOUNT = b"a" * 32
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}]}
NO_WAIT = PackLimits(size=1000, records=100, oldest_before=T0 + timedelta(days=1))


@pytest.fixture
def queue(database: Database) -> Queue:
    """The queue on each kind of database, empty."""
    return SqlQueue(database)


def submission(
    *, length: int = 100, key: bytes | None = None, payload: Payload | None = None, at: datetime = T0
) -> NewSubmission:
    """Return a submission whose payload is random bytes."""
    body = secrets.token_bytes(length)
    return NewSubmission(
        submission_id=new_record_id(),
        patient_id=PATIENT,
        format=RecordFormat.FHIR_R4_JSON,
        length=length,
        digest=hashlib.sha256(body).digest(),
        payload=payload or InRow(body),
        wrapped_key=secrets.token_bytes(61),
        idempotency=key,
        received_at=at,
    )


async def claim_one(queue: Queue, stage: Stage, now: datetime = T0) -> Job:
    """Lease the one job that is due."""
    (job,) = await queue.claim(stage, 10, now=now, until=now + LEASE)
    return job


async def accept(
    queue: Queue, *, length: int = 100, at: datetime = T0, payload: Payload | None = None
) -> bytes:
    """Bring a submission to a sealed record, and return its id."""
    added = await queue.add(submission(length=length, at=at, payload=payload))
    job = await claim_one(queue, Stage.VALIDATE, at)
    await queue.finish_validation(job, AcceptedWhole(), now=at)
    return added.submission_id


async def to_stage(queue: Queue, stage: Stage, records: int = 1) -> tuple[list[bytes], Job]:
    """Bring records in one pack to a stage; return their ids by place, and the leased job."""
    for _ in range(records):
        await accept(queue)
    await queue.plan_pack(NO_WAIT, now=T0)
    job = await claim_one(queue, Stage.ASSEMBLE)
    ids = [record.entry.record_id for record in await queue.pack_records(job.item)]
    for here, advance in ADVANCES:
        if here is stage:
            return ids, job
        await advance(queue, job, ids)
        job = await claim_one(queue, NEXT[here])
    return ids, job


async def _assembled(queue: Queue, job: Job, _ids: list[bytes]) -> None:
    await queue.finish_assembly(job, object_id=OBJECT, manifest_root=ROOT, now=T0)


async def _stored(queue: Queue, job: Job, _ids: list[bytes]) -> None:
    await queue.finish_storing(job, now=T0)


async def _anchored(queue: Queue, job: Job, ids: list[bytes]) -> None:
    await queue.note_anchoring(job, Anchoring(anchored=dict.fromkeys(ids, 7), refused={}), now=T0)


ADVANCES = ((Stage.ASSEMBLE, _assembled), (Stage.STORE, _stored), (Stage.ANCHOR, _anchored))
NEXT = {Stage.ASSEMBLE: Stage.STORE, Stage.STORE: Stage.ANCHOR, Stage.ANCHOR: Stage.CONFIRM}


async def states(queue: Queue, record_ids: list[bytes]) -> list[RecordState]:
    """Return the states of records that each are their own submission."""
    return [(await queue.records_of(record_id))[0].state for record_id in record_ids]


async def test_added_submission_is_found_with_payload_key_and_job(queue: Queue) -> None:
    """What was added can be read back whole, and waits for validation."""
    new = submission()
    added = await queue.add(new)
    assert SubmissionState.RECEIVED is added.state
    assert added == await queue.submission(new.submission_id)
    assert {new.submission_id: new.payload} == await queue.payloads([new.submission_id, b"?" * 16])
    sealed = SealedSubmission(submission=added, payload=new.payload, wrapped_key=new.wrapped_key)
    assert {new.submission_id: sealed} == await queue.sealed_submissions([new.submission_id, bytes(16)])
    assert new.submission_id == (await claim_one(queue, Stage.VALIDATE)).item


async def test_same_idempotency_key_gives_the_first_submission(queue: Queue) -> None:
    """A POST that is sent again is the same submission, also when both arrive at once."""
    first, second = await asyncio.gather(
        queue.add(submission(key=b"k" * 32)), queue.add(submission(key=b"k" * 32))
    )
    assert first == second
    assert {b"k" * 32: first} == await queue.find_by_keys([b"k" * 32, b"other" * 6 + b"ky"])
    assert 1 == len(await queue.claim(Stage.VALIDATE, 10, now=T0, until=T0 + LEASE))


async def test_several_are_added_at_once(queue: Queue) -> None:
    """In one transaction, each as by itself: with its payload and its job, or as what has its key already."""
    known = await queue.add(submission(key=b"k" * 32))
    news = [submission(), submission(key=b"k" * 32), submission(key=b"n" * 32), submission(key=b"n" * 32)]
    news[0] = replace(news[0], payload=InSpool("a" * 32), submitter=ACCOUNT)
    added = await queue.add_all(news)
    assert [news[0].submission_id, known.submission_id, *[news[2].submission_id] * 2] == [
        each.submission_id for each in added
    ]
    fresh = {news[0].submission_id: news[0].payload, news[2].submission_id: news[2].payload}
    assert fresh == await queue.payloads([new.submission_id for new in news])
    waiting = {known.submission_id, *fresh}
    assert waiting == {job.item for job in await queue.claim(Stage.VALIDATE, 10, now=T0, until=T0 + LEASE)}
    assert [] == await queue.add_all([])


async def test_several_are_added_all_or_none(queue: Queue) -> None:
    """When one of them cannot be, nothing is left of the others."""
    taken, other = submission(), submission()
    await queue.add(taken)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await queue.add_all([other, taken])
    assert await queue.submission(other.submission_id) is None
    assert 1 == sum(each.items for each in await queue.tallies())


async def test_claims_are_exclusive_oldest_first_and_bounded(queue: Queue) -> None:
    """Two workers never hold the same job, and nobody gets more than he asked for."""
    ids = [(await queue.add(submission())).submission_id for _ in range(3)]
    first = await queue.claim(Stage.VALIDATE, 2, now=T0, until=T0 + LEASE)
    second = await queue.claim(Stage.VALIDATE, 2, now=T0, until=T0 + LEASE)
    assert ids == [job.item for job in (*first, *second)]
    assert [] == await queue.claim(Stage.VALIDATE, 2, now=T0, until=T0 + LEASE)


async def test_lease_that_runs_out_passes_on(queue: Queue) -> None:
    """A worker that died loses its job to the next one, and can do no more harm when it comes back."""
    await queue.add(submission())
    stale = await claim_one(queue, Stage.VALIDATE)
    fresh = await claim_one(queue, Stage.VALIDATE, T0 + LEASE)
    assert (1, 2) == (stale.attempt, fresh.attempt)
    with pytest.raises(LeaseLost):
        await queue.finish_validation(stale, AcceptedWhole(), now=T0)
    with pytest.raises(LeaseLost):
        await queue.retry(stale, due=T0, reason="X")
    with pytest.raises(LeaseLost):
        await queue.fail(stale, reason="X")
    await queue.finish_validation(fresh, AcceptedWhole(), now=T0)


async def test_heartbeat_keeps_a_lease(queue: Queue) -> None:
    """Extending moves a lease's end, but only for whoever holds it."""
    await queue.add(submission())
    job = await claim_one(queue, Stage.VALIDATE)
    await queue.extend([job], until=T0 + 2 * LEASE)
    assert [] == await queue.claim(Stage.VALIDATE, 1, now=T0 + LEASE, until=T0 + 3 * LEASE)
    fresh = await claim_one(queue, Stage.VALIDATE, T0 + 2 * LEASE)
    await queue.extend([job], until=T0 + 100 * LEASE)
    assert fresh.item == (await claim_one(queue, Stage.VALIDATE, T0 + 3 * LEASE)).item


async def test_retry_counts_and_tells_why(queue: Queue) -> None:
    """A failed attempt is counted, waits for its time, and its reason shows until one succeeds."""
    await queue.add(submission())
    await queue.retry(await claim_one(queue, Stage.VALIDATE), due=T0 + SECOND, reason="DISK_LOW")
    assert [(Stage.VALIDATE, "DISK_LOW", 1)] == [
        (each.stage, each.reason, each.items) for each in await queue.troubles()
    ]
    job = await claim_one(queue, Stage.VALIDATE, T0 + SECOND)
    assert 2 == job.attempt
    await queue.finish_validation(job, AcceptedWhole(), now=T0)
    assert [] == await queue.troubles()


async def test_release_all_frees_every_lease_at_once(queue: Queue) -> None:
    """At a restart nobody waits for the leases of the dead, and the cut attempt does not count."""
    await queue.add(submission())
    await claim_one(queue, Stage.VALIDATE)
    assert 1 == await queue.release_all(now=T0)
    assert 1 == (await claim_one(queue, Stage.VALIDATE)).attempt


async def test_accepted_whole_becomes_the_record(queue: Queue) -> None:
    """A single resource keeps its id, bytes and key."""
    new = submission()
    await queue.add(new)
    job = await claim_one(queue, Stage.VALIDATE)
    assert [] == await queue.finish_validation(job, AcceptedWhole(), now=T0)
    (record,) = await queue.records_of(new.submission_id)
    assert (new.submission_id, 0, RecordState.SEALED) == (record.record_id, record.ordinal, record.state)
    assert {new.submission_id: new.payload} == await queue.payloads([new.submission_id])
    assert new.wrapped_key == await queue.releasable_key(new.submission_id)


async def test_rejected_whole_leaves_only_the_outcome(queue: Queue) -> None:
    """An invalid submission's payload and key are gone; why it was refused stays."""
    new = submission(payload=InSpool("file"))
    await queue.add(new)
    job = await claim_one(queue, Stage.VALIDATE)
    assert ["file"] == await queue.finish_validation(job, RejectedWhole(outcome=OUTCOME), now=T0)
    (record,) = await queue.records_of(new.submission_id)
    assert (RecordState.REJECTED, OUTCOME) == (record.state, record.outcome)
    assert {} == await queue.payloads([new.submission_id])
    assert {} == await queue.sealed_submissions([new.submission_id])
    assert await queue.releasable_key(new.submission_id) is None


async def test_bundle_becomes_its_parts(queue: Queue) -> None:
    """A Bundle's own bytes and key go; each part has its own, in the Bundle's order."""
    new = submission()
    await queue.add(new)
    part = SealedPart(
        record_id=new_record_id(), length=3, digest=b"d" * 32, payload=InRow(b"abc"), wrapped_key=b"w"
    )
    rejected = RejectedPart(record_id=new_record_id(), outcome=OUTCOME)
    job = await claim_one(queue, Stage.VALIDATE)
    await queue.finish_validation(job, Parts(parts=[rejected, part]), now=T0)
    found = await queue.records_of(new.submission_id)
    assert [(rejected.record_id, 0, RecordState.REJECTED), (part.record_id, 1, RecordState.SEALED)] == [
        (record.record_id, record.ordinal, record.state) for record in found
    ]
    assert {part.record_id: part.payload} == await queue.payloads([new.submission_id, part.record_id])
    assert {} == await queue.sealed_submissions([new.submission_id])
    assert b"w" == await queue.releasable_key(part.record_id)


async def test_no_pack_before_it_is_due(queue: Queue) -> None:
    """Records wait for company until the oldest has waited long enough."""
    await accept(queue, at=T0)
    waiting = PackLimits(size=1000, records=100, oldest_before=T0 - SECOND)
    assert await queue.plan_pack(waiting, now=T0) is None
    due = PackLimits(size=1000, records=100, oldest_before=T0)
    assert await queue.plan_pack(due, now=T0) is not None
    assert await queue.plan_pack(due, now=T0) is None


@pytest.mark.parametrize("limits", [{"size": 200, "records": 100}, {"size": 1000, "records": 2}])
async def test_full_pack_does_not_wait(queue: Queue, limits: dict[str, int]) -> None:
    """Enough bytes or enough records close a pack at once."""
    early = PackLimits(oldest_before=T0 - SECOND, **limits)
    await accept(queue)
    assert await queue.plan_pack(early, now=T0) is None
    await accept(queue)
    pack_id = await queue.plan_pack(early, now=T0)
    assert pack_id is not None
    assert 2 == len(await queue.pack_records(pack_id))


async def test_records_lie_one_after_the_other_and_within_the_limit(queue: Queue) -> None:
    """Offsets have no gap and no overlap; what does not fit waits, what fits further back goes along."""
    ids = [await accept(queue, length=length) for length in (600, 500, 300)]
    pack_id = await queue.plan_pack(NO_WAIT, now=T0)
    assert pack_id is not None
    placed = [(r.entry.record_id, r.entry.offset, r.entry.length) for r in await queue.pack_records(pack_id)]
    assert [(ids[0], 0, 600), (ids[2], 600, 300)] == placed
    pack = await queue.pack(pack_id)
    assert pack is not None
    assert (PackState.PLANNED, 900, 2, None) == (pack.state, pack.size, pack.record_count, pack.object_id)
    assert [RecordState.PACKED, RecordState.SEALED, RecordState.PACKED] == await states(queue, ids)


async def test_large_record_gets_its_own_object_at_once(queue: Queue) -> None:
    """A record above the limit waits for nobody and nobody rides along."""
    small, large = await accept(queue, length=10), await accept(queue, length=1001)
    early = PackLimits(size=1000, records=100, oldest_before=T0 - SECOND)
    pack_id = await queue.plan_pack(early, now=T0)
    assert pack_id is not None
    assert [large] == [record.entry.record_id for record in await queue.pack_records(pack_id)]
    assert await queue.plan_pack(early, now=T0) is None
    assert [RecordState.SEALED] == await states(queue, [small])


async def test_pack_passes_through_its_stages(queue: Queue) -> None:
    """From plan to confirmation each stage hands on to the next, and the payload goes at the end only."""
    ids, job = await to_stage(queue, Stage.CONFIRM, records=2)
    pack = await queue.pack(job.item)
    assert pack is not None
    assert (PackState.ANCHORED, OBJECT, ROOT) == (pack.state, pack.object_id, pack.manifest_root)
    assert [RecordState.ANCHORED] * 2 == await states(queue, ids)
    assert 2 == len(await queue.payloads(ids))
    outcome = Confirmation(confirmed=dict.fromkeys(ids, 8), refused={}, lost=[])
    assert [] == await queue.finish_confirmation(job, outcome, now=T0)
    (view,) = await queue.records_of(ids[0])
    assert (RecordState.CONFIRMED, OBJECT, 8) == (view.state, view.object_id, view.block)
    assert {} == await queue.payloads(ids)
    assert await queue.releasable_key(ids[0]) is not None
    assert set() == await queue.open_packs()


async def test_spool_files_are_named_until_confirmed(queue: Queue) -> None:
    """A spool file belongs to somebody from its commit to its record's confirmation."""
    record_id = await accept(queue, payload=InSpool("file"))
    assert {"file"} == await queue.spool_files()
    await queue.plan_pack(NO_WAIT, now=T0)
    job = await claim_one(queue, Stage.ASSEMBLE)
    for here, advance in ADVANCES:
        await advance(queue, job, [record_id])
        job = await claim_one(queue, NEXT[here])
    freed = await queue.finish_confirmation(
        job, Confirmation(confirmed={record_id: 8}, refused={}, lost=[]), now=T0
    )
    assert ["file"] == freed
    assert set() == await queue.spool_files()


async def test_partly_anchored_pack_stays_for_the_rest(queue: Queue) -> None:
    """What was anchored is noted at once; the job goes on with what is left."""
    ids, job = await to_stage(queue, Stage.ANCHOR, records=3)
    partly = Anchoring(anchored={ids[0]: 5}, refused={ids[1]: "PatientUnknown"})
    assert 1 == await queue.note_anchoring(job, partly, now=T0)
    assert [RecordState.ANCHORED, RecordState.FAILED, RecordState.STORED] == await states(queue, ids)
    waiting = await queue.pack_records(job.item, RecordState.STORED)
    assert [ids[2]] == [record.entry.record_id for record in waiting]
    assert 0 == await queue.note_anchoring(job, Anchoring(anchored={ids[2]: 6}, refused={}), now=T0)
    assert job.item == (await claim_one(queue, Stage.CONFIRM)).item


async def test_noting_the_same_answer_again_changes_nothing(queue: Queue) -> None:
    """An answer that is read twice does not move a record twice."""
    ids, job = await to_stage(queue, Stage.ANCHOR, records=2)
    once = Anchoring(anchored={ids[0]: 5}, refused={})
    assert 1 == await queue.note_anchoring(job, once, now=T0)
    assert 1 == await queue.note_anchoring(job, once, now=T0)
    assert [RecordState.ANCHORED, RecordState.STORED] == await states(queue, ids)


async def test_lost_record_goes_back_to_anchoring(queue: Queue) -> None:
    """A record that is not at the finalized head keeps its payload and is anchored anew."""
    ids, job = await to_stage(queue, Stage.CONFIRM, records=2)
    outcome = Confirmation(confirmed={ids[0]: 8}, refused={}, lost=[ids[1]])
    await queue.finish_confirmation(job, outcome, now=T0)
    again = await claim_one(queue, Stage.ANCHOR)
    waiting = await queue.pack_records(again.item, RecordState.STORED)
    assert [ids[1]] == [record.entry.record_id for record in waiting]
    assert {ids[1]} == set(await queue.payloads(ids))


async def test_failed_submission_can_be_replayed(queue: Queue) -> None:
    """A submission that was given up keeps its bytes and starts over."""
    new = submission()
    await queue.add(new)
    await queue.fail(await claim_one(queue, Stage.VALIDATE), reason="SEAL_BROKEN")
    failed = await queue.submission(new.submission_id)
    assert failed is not None
    assert (SubmissionState.FAILED, "SEAL_BROKEN") == (failed.state, failed.reason)
    assert [] == await queue.claim(Stage.VALIDATE, 1, now=T0 + LEASE, until=T0 + 2 * LEASE)
    assert 1 == await queue.replay_failed(now=T0)
    assert 1 == (await claim_one(queue, Stage.VALIDATE)).attempt
    assert 1 == len(await queue.payloads([new.submission_id]))


@pytest.mark.parametrize("stage", [Stage.ASSEMBLE, Stage.STORE, Stage.ANCHOR, Stage.CONFIRM])
async def test_failed_pack_is_replayed_from_where_it_failed(queue: Queue, stage: Stage) -> None:
    """Giving a pack up loses nothing, and a replay repeats no stage that was done."""
    ids, job = await to_stage(queue, stage, records=2)
    before = await states(queue, ids)
    await queue.fail(job, reason="CALL_REJECTED")
    assert [RecordState.FAILED] * 2 == await states(queue, ids)
    assert {job.item} == await queue.open_packs()
    assert 1 == await queue.replay_failed(now=T0)
    assert before == await states(queue, ids)
    assert job.item == (await claim_one(queue, stage)).item
    assert 2 == len(await queue.payloads(ids))


@pytest.mark.parametrize("where", ["anchoring", "confirming"])
async def test_refused_record_is_replayed_alone(queue: Queue, where: str) -> None:
    """A record that the chain refused is anchored anew; its confirmed neighbours stay as they are."""
    ids, job = await to_stage(queue, Stage.ANCHOR, records=2)
    refused = {ids[1]: "PatientUnknown"}
    if where == "anchoring":
        await queue.note_anchoring(job, Anchoring(anchored={ids[0]: 7}, refused=refused), now=T0)
    else:
        await _anchored(queue, job, ids)
    outcome = Confirmation(confirmed={ids[0]: 7}, refused=refused if where == "confirming" else {}, lost=[])
    await queue.finish_confirmation(await claim_one(queue, Stage.CONFIRM), outcome, now=T0)
    assert [RecordState.CONFIRMED, RecordState.FAILED] == await states(queue, ids)
    assert {ids[1]} == set(await queue.payloads(ids))

    assert 1 == await queue.replay_failed(now=T0)
    again = await claim_one(queue, Stage.ANCHOR)
    await queue.note_anchoring(again, Anchoring(anchored={ids[1]: 9}, refused={}), now=T0)
    await queue.finish_confirmation(
        await claim_one(queue, Stage.CONFIRM),
        Confirmation(confirmed={ids[1]: 9}, refused={}, lost=[]),
        now=T0,
    )
    assert [RecordState.CONFIRMED] * 2 == await states(queue, ids)


async def confirm(queue: Queue, *, fingerprint: bytes) -> bytes:
    """Bring a record with a fingerprint to confirmation, and return its id."""
    added = await queue.add(submission())
    job = await claim_one(queue, Stage.VALIDATE)
    await queue.finish_validation(job, AcceptedWhole(fingerprint=fingerprint, outcome=OUTCOME), now=T0)
    await queue.plan_pack(NO_WAIT, now=T0)
    job = await claim_one(queue, Stage.ASSEMBLE)
    for here, advance in ADVANCES:
        await advance(queue, job, [added.submission_id])
        job = await claim_one(queue, NEXT[here])
    outcome = Confirmation(confirmed={added.submission_id: 7}, refused={}, lost=[])
    await queue.finish_confirmation(job, outcome, now=T0)
    return added.submission_id


async def test_final_records_are_found_by_fingerprint(queue: Queue) -> None:
    """The first that is confirmed; one on its way is none."""
    mark, other = b"f" * 32, b"g" * 32
    assert {} == await queue.originals([])
    added = await queue.add(submission())
    job = await claim_one(queue, Stage.VALIDATE)
    await queue.finish_validation(job, AcceptedWhole(fingerprint=other), now=T0)
    assert {} == await queue.originals([mark, other])
    await queue.plan_pack(NO_WAIT, now=T0)
    await queue.fail(await claim_one(queue, Stage.ASSEMBLE), reason="X")
    first, _ = [await confirm(queue, fingerprint=mark) for _ in range(2)]
    assert {mark: first} == await queue.originals([mark, other])
    (kept,) = await queue.records_of(first)
    assert (RecordState.CONFIRMED, OUTCOME) == (kept.state, kept.outcome)
    assert added.submission_id != first


async def test_a_duplicate_names_its_original_and_keeps_nothing(queue: Queue) -> None:
    """As a whole submission and as an entry; it is final, and no failure that anybody is told of."""
    original = await confirm(queue, fingerprint=b"f" * 32)
    whole = await queue.add(submission())
    job = await claim_one(queue, Stage.VALIDATE)
    await queue.finish_validation(job, DuplicateWhole(original=original, outcome=OUTCOME), now=T0)
    bundle = await queue.add(submission())
    part = DuplicatePart(record_id=new_record_id(), original=original, outcome=OUTCOME)
    job = await claim_one(queue, Stage.VALIDATE)
    await queue.finish_validation(job, Parts(parts=[part]), now=T0)
    for submitted, record_id in ((whole, whole.submission_id), (bundle, part.record_id)):
        (record,) = await queue.records_of(submitted.submission_id)
        assert (record_id, RecordState.DUPLICATE, original, OUTCOME) == (
            record.record_id,
            record.state,
            record.original,
            record.outcome,
        )
        assert {} == await queue.payloads([submitted.submission_id])
        assert await queue.releasable_key(record_id) is None
    assert 0 == await queue.replay_failed(now=T0)


async def test_processes_agree_on_one_key_of_fingerprints(queue: Queue) -> None:
    """Who comes second gets what the first kept; a key that does not open is replaced once."""
    assert b"first" == await queue.fingerprint_key(b"first")
    assert b"first" == await queue.fingerprint_key(b"second")
    assert b"third" == await queue.fingerprint_key(b"third", instead_of=b"first")
    assert b"third" == await queue.fingerprint_key(b"fourth", instead_of=b"first")


async def test_a_media_type_is_kept(queue: Queue) -> None:
    """Of a submission and of what is found by its idempotency key; without one there is none."""
    added = await queue.add(replace(submission(key=b"k" * 32), media_type=MediaType.HL7_V2))
    assert MediaType.HL7_V2 is added.media_type
    assert added == await queue.submission(added.submission_id)
    assert {b"k" * 32: added} == await queue.find_by_keys([b"k" * 32])
    plain = await queue.add(submission())
    assert plain.media_type is None
    assert plain == await queue.submission(plain.submission_id)


async def test_key_releases_need_an_accepted_record(queue: Queue) -> None:
    """A submission that nobody has judged yet gives no key away."""
    new = submission()
    await queue.add(new)
    assert await queue.releasable_key(new.submission_id) is None
    job = await claim_one(queue, Stage.VALIDATE)
    await queue.finish_validation(job, AcceptedWhole(), now=T0)
    assert new.wrapped_key == await queue.releasable_key(new.submission_id)
    await queue.note_release(new.submission_id, ACCOUNT, ground=Ground.OWN, now=T0)


async def test_tallies_follow_every_move(queue: Queue) -> None:
    """The counts by state are exact after any mixture of moves, without counting."""
    await to_stage(queue, Stage.STORE, records=2)
    await accept(queue, length=7)
    await queue.add(submission(length=11))
    found = {
        (each.kind, each.state): (each.items, each.bytes) for each in await queue.tallies() if each.items
    }
    assert {
        ("submission", "received"): (1, 11),
        ("submission", "validated"): (3, 207),
        ("record", "sealed"): (1, 7),
        ("record", "packed"): (2, 200),
        ("pack", "assembled"): (1, 200),
    } == found


async def test_a_transaction_sees_its_own_counts(database: Database) -> None:
    """What was sealed a moment ago fills a pack, though nobody has committed it yet."""
    queue = SqlQueue(database)
    await queue.add(submission())
    job = await claim_one(queue, Stage.VALIDATE)
    full = PackLimits(size=100, records=1, oldest_before=T0 - SECOND)

    def seal_and_plan(db: Session) -> bytes | None:
        submissions.finish_validation(db, job, AcceptedWhole(), T0)
        return packs.plan(db, full, T0)

    assert await database.write(seal_and_plan) is not None


async def test_oldest_open_is_the_longest_wait(queue: Queue) -> None:
    """The age of the oldest unconfirmed item is known in every stage, and ends with the last one."""
    assert await queue.oldest_open() is None
    await queue.add(submission(at=T0 + 5 * SECOND))
    assert T0 + 5 * SECOND == await queue.oldest_open()
    await queue.finish_validation(
        await claim_one(queue, Stage.VALIDATE, T0 + 5 * SECOND), AcceptedWhole(), now=T0 + 6 * SECOND
    )
    assert T0 + 6 * SECOND == await queue.oldest_open()
    await queue.plan_pack(NO_WAIT, now=T0 + 7 * SECOND)
    assert T0 + 6 * SECOND == await queue.oldest_open()


async def test_one_bad_write_does_not_undo_its_neighbours(queue: Queue) -> None:
    """Writes that share a transaction succeed and fail each for itself."""
    good = [submission() for _ in range(5)]
    results: list[Any] = await asyncio.gather(
        *(queue.add(each) for each in good), queue.add(good[0]), return_exceptions=True
    )
    assert isinstance(results[-1], Exception)
    found = [await queue.submission(each.submission_id) for each in good]
    assert found == results[:-1]

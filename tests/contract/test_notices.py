"""What the kept notices, channels and deliveries must do, on each kind of database."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.chain.port import BlockRef, Event, FinalizedBlock
from caregrid.records import RecordFormat
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.adapters.sql import notices as sql_notices
from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.deliveries import SqlOutbox
from ocw_sidecar.adapters.sql.notices import MAX_KEPT, SqlNotices, fold, tell_failed
from ocw_sidecar.notifications.delivery import Fault
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.notifications.preferences import SealedChannel, channel_id_of
from ocw_sidecar.notifications.targets import Origin
from ocw_sidecar.pipeline.items import (
    AcceptedWhole,
    Anchoring,
    InRow,
    NewSubmission,
    PackLimits,
    RejectedWhole,
)
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.ports import utc_now

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database, Session
    from ocw_sidecar.notifications.delivery import Turn
    from ocw_sidecar.notifications.items import Notice

T0 = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = timedelta(minutes=1)
ALICE, BOB, ORGANISATION = b"\x0a" * 32, b"\x0b" * 32, b"\x01" * 32
ALL = frozenset(NoticeKind)


@dataclass(frozen=True, kw_only=True)
class Room:
    """Everything that is kept of notifications."""

    database: Database
    notices: SqlNotices
    outbox: SqlOutbox
    book: SqlChannelBook

    async def claim(self, at: datetime = T0, *, sound: int = 10, troubled: int = 10) -> list[Turn]:
        """Lease what is due."""
        return await self.outbox.claim(sound=sound, troubled=troubled, batch=10, now=at, until=at + LEASE)


@pytest.fixture
def room(database: Database) -> Room:
    """The room, empty, on each kind of database."""
    book = SqlChannelBook(database, lambda: T0)
    return Room(database=database, notices=SqlNotices(database), outbox=SqlOutbox(database), book=book)


def told(number: int = 1, recipient: bytes = ALICE, *, at: datetime = T0) -> Notice:
    """Return a notice; another number is another notice."""
    return notice(NoticeKind.ACCESS_GRANTED, recipient, at, block=number)


def channel(
    slot: int = 0,
    recipient: bytes = ALICE,
    *,
    kinds: frozenset[NoticeKind] = ALL,
    digest_minute: int | None = None,
    origin: Origin = Origin.OWN,
) -> SealedChannel:
    """Return a channel; what is sealed is random."""
    return SealedChannel(
        id=channel_id_of(recipient, origin, slot),
        slot=slot,
        sealed=secrets.token_bytes(100),
        wrapped_key=secrets.token_bytes(61),
        kinds=kinds,
        digest_minute=digest_minute,
    )


def failed_record(number: int = 9, *, submitter: bytes | None = None) -> dict[str, bytes | None]:
    """Return a record that failed, as a statement returns it."""
    return {"submission": bytes([number]) * 16, "submitter": submitter}


def numbers(turn: Turn) -> list[str | int]:
    """Return which notices a turn has."""
    return [each.posted.notice.facts["block"] for each in turn.deliveries]


async def test_notice_is_told_once(room: Room) -> None:
    """The same kind and facts are one notice to each recipient, however often and at once they come."""
    counts = await asyncio.gather(*(room.notices.add([told(), told(2)]) for _ in range(4)))
    assert 2 == sum(counts)
    assert 1 == await room.notices.add([told(recipient=BOB)])
    page = await room.notices.after(ALICE, None, 10)
    assert {told().key, told(2).key} == {each.notice.key for each in page.items}
    assert [1, 2] == [each.position for each in page.items]
    assert [1] == [each.position for each in (await room.notices.after(BOB, None, 10)).items]


async def test_page_goes_on_behind_a_position(room: Room) -> None:
    """A reader gets everything once, in order, and whole."""
    await room.notices.add([told(number) for number in range(5)])
    first = await room.notices.after(ALICE, None, 3)
    second = await room.notices.after(ALICE, first.items[-1].position, 3)
    found = [*first.items, *second.items]
    assert [told(number) for number in range(5)] == [each.notice for each in found]
    assert (5, None) == (second.newest, second.gap)
    assert (0, []) == ((nobody := await room.notices.after(BOB, None, 3)).newest, list(nobody.items))


async def test_backlog_is_bounded_and_says_what_is_gone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest delivered notices go first; a reader who has not seen them is told of the gap."""
    monkeypatch.setattr(sql_notices, "MAX_KEPT", 5)
    monkeypatch.setattr(sql_notices, "DROP_BATCH", 2)
    assert MAX_KEPT > 5
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.notices.add([told(0)])  # waits for its channel
    await room.book.replace(ALICE, Origin.OWN, [channel(kinds=frozenset())])
    await room.notices.add([told(number) for number in range(1, 7)])
    page = await room.notices.after(ALICE, 0, 100)
    assert [1, 4, 5, 6, 7] == [each.position for each in page.items]
    assert (7, 3) == (page.newest, page.gap)
    assert (await room.notices.after(ALICE, 3, 100)).gap is None
    assert (await room.notices.after(ALICE, None, 100)).gap is None


async def test_backlog_is_bounded_when_nothing_is_delivered(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead channel does not keep notices for ever."""
    monkeypatch.setattr(sql_notices, "MAX_KEPT", 5)
    monkeypatch.setattr(sql_notices, "DROP_BATCH", 2)
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    for number in range(20):
        await room.notices.add([told(number)])
    assert len((await room.notices.after(ALICE, None, 100)).items) < 7
    assert (await room.outbox.tallies())["waiting"] < 7


async def test_old_notices_are_purged(room: Room) -> None:
    """What is older than the retention goes, with its deliveries, a bounded number at a time."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.notices.add([told(number, at=T0 + number * SECOND) for number in range(4)])
    assert 2 == await room.notices.purge(T0 + 3 * SECOND, 2)
    assert 1 == await room.notices.purge(T0 + 3 * SECOND, 2)
    assert 0 == await room.notices.purge(T0 + 3 * SECOND, 2)
    page = await room.notices.after(ALICE, 0, 10)
    assert ([4], 3) == ([each.position for each in page.items], page.gap)
    assert 1 == (await room.outbox.tallies())["waiting"]


async def test_fold_keeps_a_blocks_notices_once(room: Room) -> None:
    """The clock may take a block in twice; nobody is told twice."""
    fields = {"record": b"r" * 16, "requester": BOB, "custodian": ORGANISATION}
    event = Event(pallet="Emr", name="RequestDenied", fields=fields)
    block = FinalizedBlock(ref=BlockRef(number=7, hash=b"h" * 32), events=[event])
    for _ in range(2):
        await room.database.write(lambda db: fold(db, block, ORGANISATION, T0))
    (posted,) = (await room.notices.after(BOB, None, 10)).items
    assert NoticeKind.ACCESS_DENIED is posted.notice.kind
    assert {"record": "72" * 16, "requester": BOB.hex(), "block": 7} == posted.notice.facts


async def test_fold_knows_new_controllers(room: Room) -> None:
    """An account that decides for a patient is known before it is told anything; others are not."""
    fields = {"patient": b"p" * 32, "organisation": ORGANISATION, "controller": ALICE}
    event = Event(pallet="Emr", name="PatientClaimed", fields=fields)
    block = FinalizedBlock(ref=BlockRef(number=7, hash=b"h" * 32), events=[event])
    await room.database.write(lambda db: fold(db, block, ORGANISATION, T0))
    assert (True, False) == (await room.book.knows(ALICE), await room.book.knows(BOB))
    await room.notices.add([told(recipient=BOB)])
    assert await room.book.knows(BOB)


async def test_a_fold_that_is_undone_tells_nobody(room: Room) -> None:
    """Notices belong to the transaction that they came in."""

    def interrupted(db: Session) -> None:
        sql_notices.add(db, [told()])
        raise LookupError

    with pytest.raises(LookupError):
        await room.database.write(interrupted)
    assert 0 == (await room.notices.after(ALICE, None, 10)).newest


async def test_whoever_oversees_is_told_of_failures(room: Room) -> None:
    """A step says what failed in its own transaction, and need not know to whom."""

    def fail(db: Session) -> None:
        tell_failed(db, "submission", b"s" * 16, [failed_record(0x73)] * 2, reason="A_CODE")
        tell_failed(db, "pack", b"p" * 16, [failed_record()], reason="Jane Doe's record")
        tell_failed(db, "pack", b"q" * 16, [], reason="A_CODE")

    await room.database.write(fail)
    await room.notices.oversee(BOB)
    await room.notices.oversee(ORGANISATION)
    await room.database.write(fail)
    assert 0 == (await room.notices.after(BOB, None, 10)).newest
    first, second = (await room.notices.after(ORGANISATION, None, 10)).items
    assert ("73" * 16, 2, "A_CODE") == tuple(
        first.notice.facts[name] for name in ("submission", "records", "code")
    )
    assert ("70" * 16, 1, "UNNAMED") == tuple(
        second.notice.facts[name] for name in ("pack", "records", "code")
    )


async def test_submitters_are_told_of_their_own_failures(room: Room) -> None:
    """Each is told how many of his failed, and of which submission if it is one; nobody of others'."""
    ours = [failed_record(1, submitter=ALICE), failed_record(2, submitter=ALICE)]
    others = [failed_record(3, submitter=BOB), failed_record(4), failed_record(5, submitter=ORGANISATION)]
    await room.notices.oversee(ORGANISATION)
    await room.database.write(lambda db: tell_failed(db, "pack", b"p" * 16, ours + others, reason="A_CODE"))
    facts = {
        account: [each.notice.facts for each in (await room.notices.after(account, None, 10)).items]
        for account in (ALICE, BOB, ORGANISATION)
    }
    assert [(2, None)] == [(each["records"], each.get("submission")) for each in facts[ALICE]]
    assert [(1, "03" * 16)] == [(each["records"], each.get("submission")) for each in facts[BOB]]
    assert [(5, None)] == [(each["records"], each.get("submission")) for each in facts[ORGANISATION]]


@pytest.mark.parametrize("how", ["rejected", "given up", "given up in a pack", "refused by the chain"])
async def test_every_failure_reaches_its_submitter(room: Room, how: str) -> None:
    """Over the channels that he chose, however his record failed; nothing over others'."""
    await room.notices.oversee(ORGANISATION)
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.book.replace(BOB, Origin.OWN, [channel(recipient=BOB)])
    await _fail(SqlQueue(room.database), replace(_submission(0), submitter=ALICE), how)
    (turn,) = await room.claim(utc_now() + SECOND)
    assert channel_id_of(ALICE, Origin.OWN, 0) == turn.channel
    (delivery,) = turn.deliveries
    told_of = delivery.posted.notice
    assert (NoticeKind.RECORD_FAILED, "01" * 16) == (told_of.kind, told_of.facts["submission"])


async def _fail(queue: SqlQueue, new: NewSubmission, how: str) -> None:
    await queue.add(new)
    (job,) = await queue.claim(Stage.VALIDATE, 1, now=T0, until=T0 + LEASE)
    if how == "rejected":
        await queue.finish_validation(job, RejectedWhole(outcome={}), now=T0)
    elif how == "given up":
        await queue.fail(job, reason="UNEXPECTED")
    else:
        await queue.finish_validation(job, AcceptedWhole(), now=T0)
        await queue.plan_pack(PackLimits(size=1, records=1, oldest_before=T0), now=T0)
        (job,) = await queue.claim(Stage.ASSEMBLE, 1, now=T0, until=T0 + LEASE)
        if how == "given up in a pack":
            await queue.fail(job, reason="DISK_LOW")
            return
        await queue.finish_assembly(job, object_id=b"o" * 32, manifest_root=b"r" * 32, now=T0)
        (job,) = await queue.claim(Stage.STORE, 1, now=T0, until=T0 + LEASE)
        await queue.finish_storing(job, now=T0)
        (job,) = await queue.claim(Stage.ANCHOR, 1, now=T0, until=T0 + LEASE)
        refused = {new.submission_id: "PatientUnknown"}
        await queue.note_anchoring(job, Anchoring(anchored={}, refused=refused), now=T0)


async def test_failing_steps_tell(room: Room) -> None:
    """Invalid content, a step that is given up and a refused call are told; what goes well is not."""
    await room.notices.oversee(ORGANISATION)
    queue = SqlQueue(room.database)
    outcome = {"resourceType": "OperationOutcome"}
    for number, verdict in enumerate((RejectedWhole(outcome=outcome), AcceptedWhole(), None)):
        await queue.add(_submission(number))
        (job,) = await queue.claim(Stage.VALIDATE, 1, now=T0, until=T0 + LEASE)
        if verdict is None:
            await queue.fail(job, reason="UNEXPECTED")
        else:
            await queue.finish_validation(job, verdict, now=T0)
    await queue.plan_pack(PackLimits(size=1, records=1, oldest_before=T0), now=T0)
    (job,) = await queue.claim(Stage.ASSEMBLE, 1, now=T0, until=T0 + LEASE)
    await queue.fail(job, reason="DISK_LOW")
    found = [each.notice.facts for each in (await room.notices.after(ORGANISATION, None, 10)).items]
    assert ["VALIDATION_FAILED", "UNEXPECTED", "DISK_LOW"] == [facts["code"] for facts in found]
    assert [1, 1, 1] == [facts["records"] for facts in found]
    assert job.item.hex() == found[2]["pack"]


async def test_refused_records_tell(room: Room) -> None:
    """Records that the chain refuses are told by reason."""
    queue = SqlQueue(room.database)
    ids = []
    for number in range(3):
        ids.append((await queue.add(_submission(number))).submission_id)
        (job,) = await queue.claim(Stage.VALIDATE, 1, now=T0, until=T0 + LEASE)
        await queue.finish_validation(job, AcceptedWhole(), now=T0)
    await queue.plan_pack(PackLimits(size=10_000, records=3, oldest_before=T0), now=T0)
    (job,) = await queue.claim(Stage.ASSEMBLE, 1, now=T0, until=T0 + LEASE)
    await queue.finish_assembly(job, object_id=b"o" * 32, manifest_root=b"r" * 32, now=T0)
    (job,) = await queue.claim(Stage.STORE, 1, now=T0, until=T0 + LEASE)
    await queue.finish_storing(job, now=T0)
    (job,) = await queue.claim(Stage.ANCHOR, 1, now=T0, until=T0 + LEASE)
    await room.notices.oversee(ORGANISATION)
    refused = dict.fromkeys(ids[:2], "RecordExists") | {ids[2]: "PatientUnknown"}
    await queue.note_anchoring(job, Anchoring(anchored={}, refused=refused), now=T0)
    found = [each.notice.facts for each in (await room.notices.after(ORGANISATION, None, 10)).items]
    assert {("RecordExists", 2), ("PatientUnknown", 1)} == {(each["code"], each["records"]) for each in found}


def _submission(number: int) -> NewSubmission:
    return NewSubmission(
        submission_id=bytes([number + 1]) * 16,
        patient_id=b"p" * 32,
        format=RecordFormat.FHIR_R4_JSON,
        length=100,
        digest=b"d" * 32,
        payload=InRow(b"x" * 100),
        wrapped_key=b"w" * 61,
        idempotency=None,
        received_at=T0,
    )


async def test_deliveries_go_to_subscribed_channels(room: Room) -> None:
    """Each channel gets the kinds that it is for, of its own recipient."""
    await room.book.replace(
        ALICE, Origin.OWN, [channel(0), channel(1, kinds=frozenset({NoticeKind.ACCESS_DENIED}))]
    )
    await room.book.replace(BOB, Origin.OWN, [channel(0, BOB)])
    assert [] == await room.claim()
    assert not await room.outbox.has_due(T0 + LEASE)
    await room.notices.add([told(1), told(2, BOB)])
    assert await room.outbox.has_due(T0)
    turns = {turn.channel: numbers(turn) for turn in await room.claim()}
    assert {channel_id_of(ALICE, Origin.OWN, 0): [1], channel_id_of(BOB, Origin.OWN, 0): [2]} == turns


async def test_one_lane_holds_a_channel(room: Room) -> None:
    """Two processes never serve one channel at once; a lease that runs out passes on."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.notices.add([told(1)])
    first, second = await asyncio.gather(room.claim(), room.claim())
    (stale,) = [*first, *second]
    await room.notices.add([told(2)])
    assert [] == await room.claim(T0 + SECOND)
    (fresh,) = await room.claim(T0 + LEASE)
    assert [1, 2] == numbers(fresh)
    await room.outbox.finish(stale)  # has no lease any more, so it frees nothing
    assert [] == await room.claim(T0 + LEASE + SECOND)


async def test_what_was_sent_is_not_sent_again(room: Room) -> None:
    """A noted delivery is over, also when whoever noted it has lost the lease."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.notices.add([told(1), told(2)])
    (turn,) = await room.claim()
    (later,) = await room.claim(T0 + LEASE)
    await room.outbox.note_sent(turn, [turn.deliveries[0].id], until=T0)
    await room.outbox.finish(later)
    (again,) = await room.claim(T0 + LEASE)
    assert [2] == numbers(again)
    await room.outbox.note_sent(again, [again.deliveries[0].id], until=T0 + 2 * LEASE)
    await room.outbox.finish(again)
    assert not await room.outbox.has_due(T0 + 10 * LEASE)


async def test_nothing_is_forgotten_when_a_lane_ends_as_something_comes(room: Room) -> None:
    """However notices and the ends of lanes fall together, the channel wakes for what is left."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    comes = [asyncio.Event() for _ in range(100)]

    async def tell() -> None:
        for number, come in enumerate(comes):
            await room.notices.add([told(number)])
            come.set()

    async def serve() -> int:
        turns = await room.claim()
        for turn in turns:
            await room.outbox.note_sent(turn, [each.id for each in turn.deliveries], until=T0 + LEASE)
            await room.outbox.finish(turn)
        return len(turns)

    async with asyncio.TaskGroup() as group:
        group.create_task(tell())
        while not comes[-1].is_set():
            await serve()
    while await serve():
        pass
    assert {"waiting": 0, "failed": 0} == await room.outbox.tallies()


async def test_failing_channel_rests_and_loses_nothing(room: Room) -> None:
    """Until it has rested nothing goes over it, not even what is new; then it counts as troubled."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.notices.add([told(1)])
    (turn,) = await room.claim()
    rested = T0 + 5 * SECOND
    failed = [turn.deliveries[0].id]
    await room.outbox.note_fault(turn, Fault(retried=failed, given_up=[], code="X", due=rested))
    await room.notices.add([told(2)])
    assert [] == await room.claim(rested - SECOND)
    assert [] == await room.claim(rested, troubled=0)
    (again,) = await room.claim(rested, sound=0)
    assert ([2, 1], 1) == (numbers(again), again.failures)  # what failed comes last
    assert [0, 1] == [each.attempts for each in again.deliveries]
    await room.outbox.note_sent(again, [each.id for each in again.deliveries], until=rested + LEASE)
    await room.outbox.finish(again)
    await room.notices.add([told(3)])
    assert [0] == [turn.failures for turn in await room.claim(rested + SECOND)]


async def test_given_up_is_seen_and_replayed(room: Room) -> None:
    """What could not be delivered stays visible, and one word tries it again."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.notices.add([told(1)])
    (turn,) = await room.claim()
    lost = [turn.deliveries[0].id]
    await room.outbox.note_fault(turn, Fault(retried=[], given_up=lost, code="REFUSED", due=T0 + SECOND))
    assert {"waiting": 0, "failed": 1} == await room.outbox.tallies()
    (stored,) = await room.book.channels(ALICE, Origin.OWN)
    assert (1, 0, 1) == (stored.failures, stored.waiting, stored.given_up)
    assert not await room.outbox.has_due(T0 + LEASE)
    assert 0 == await room.outbox.replay_failed(BOB, T0 + LEASE)
    assert 1 == await room.outbox.replay_failed(ALICE, T0 + LEASE)
    assert [[1]] == [numbers(turn) for turn in await room.claim(T0 + LEASE)]
    assert 0 == await room.outbox.replay_failed(None, T0 + LEASE)


async def test_digest_waits_for_its_hour_and_urgent_does_not(room: Room) -> None:
    """What is not urgent comes at the time of day that was chosen, the next day if that is over."""
    today, tomorrow = 13 * 60, 11 * 60
    await room.book.replace(
        ALICE, Origin.OWN, [channel(0, digest_minute=today), channel(1, digest_minute=tomorrow)]
    )
    await room.notices.add([told(1)])
    assert [] == await room.claim(T0 + timedelta(minutes=59))
    (first,) = await room.claim(T0 + timedelta(hours=1))
    assert (True, [1]) == (first.digest, numbers(first))
    await room.outbox.note_sent(first, [first.deliveries[0].id], until=T0)
    await room.outbox.finish(first)
    await room.notices.add([notice(NoticeKind.EMERGENCY_ACCESS, ALICE, T0, block=9)])
    assert [[9], [9]] == [numbers(turn) for turn in await room.claim(T0 + timedelta(hours=2))]
    second = {turn.channel: numbers(turn) for turn in await room.claim(T0 + timedelta(hours=23))}
    assert {1, 9} == set(second[channel_id_of(ALICE, Origin.OWN, 1)])


async def test_replaced_channel_takes_over_what_waits(room: Room) -> None:
    """A corrected address gets what the wrong one did not take, at once; a removed one, nothing."""
    await room.book.replace(ALICE, Origin.OWN, [channel(0), channel(1)])
    await room.notices.add([told(1)])
    for turn in await room.claim():
        failed = [turn.deliveries[0].id]
        await room.outbox.note_fault(turn, Fault(retried=failed, given_up=[], code="X", due=T0))
    renewed = channel(0)
    await room.book.replace(ALICE, Origin.OWN, [renewed])
    (turn,) = await room.claim(T0, troubled=0)
    assert (renewed.sealed, [1]) == (turn.sealed, numbers(turn))
    assert {"waiting": 1, "failed": 0} == await room.outbox.tallies()
    await room.book.replace(ALICE, Origin.OWN, [])
    assert [] == await room.book.channels(ALICE, Origin.OWN)
    assert {"waiting": 0, "failed": 0} == await room.outbox.tallies()
    await room.outbox.note_sent(turn, [turn.deliveries[0].id], until=T0)
    await room.outbox.finish(turn)


async def test_channels_change_while_notices_come(room: Room) -> None:
    """Somebody who sets up and removes channels all the time hinders no notice."""

    async def change() -> None:
        for number in range(60):
            await room.book.replace(ALICE, Origin.OWN, [channel()] if number % 2 else [])

    async with asyncio.TaskGroup() as group:
        group.create_task(change())
        for number in range(60):
            group.create_task(room.notices.add([told(number)]))
            group.create_task(room.claim())
    assert 60 == (await room.notices.after(ALICE, None, 1)).newest
    assert 1 == len(await room.book.channels(ALICE, Origin.OWN))


async def test_removing_nothing_leaves_no_trace(room: Room) -> None:
    """Anybody may ask for it, so it must not fill the database."""
    await room.book.replace(ALICE, Origin.OWN, [])
    assert not await room.book.knows(ALICE)


async def test_operators_channels_are_their_own(room: Room) -> None:
    """What the settings name and what the account chose do not touch each other."""
    own, named = channel(0), channel(0, origin=Origin.SETTINGS)
    await room.book.replace(ALICE, Origin.OWN, [own])
    await room.book.replace(ALICE, Origin.SETTINGS, [named])
    await room.book.replace(ALICE, Origin.OWN, [])
    (stored,) = await room.book.channels(ALICE, Origin.SETTINGS)
    assert named == stored.channel


async def pull(room: Room, at: datetime) -> int:
    """Put right what the clock left in the future."""
    return await room.outbox.pull(now=at, leased=at + LEASE, rested=at + 10 * LEASE)


async def test_a_clock_set_back_holds_up_no_delivery(room: Room) -> None:
    """Neither one that is new, nor one that failed; a second look finds nothing to do."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.book.replace(BOB, Origin.OWN, [channel(recipient=BOB)])
    await room.notices.add([told(), told(recipient=BOB)])
    first, _ = await room.claim()
    lost = Fault(retried=[first.deliveries[0].id], given_up=[], code="A_CODE", due=T0 + 5 * LEASE)
    await room.outbox.note_fault(first, lost)
    before = T0 - timedelta(hours=2)
    assert [] == await room.claim(before)
    assert 0 < await pull(room, before)
    assert first.channel in {turn.channel for turn in await room.claim(before)}
    # The other one is leased: whoever holds it has a lease's time to say so.
    assert 1 == len(await room.claim(before + LEASE, troubled=0))
    assert 0 == await pull(room, before + LEASE)


async def test_a_clock_set_back_leaves_digests_to_their_hour(room: Room) -> None:
    """What waits for a time of day waits for it still; what is urgent does not wait."""
    await room.book.replace(ALICE, Origin.OWN, [channel(digest_minute=18 * 60)])
    await room.notices.add([told(), notice(NoticeKind.EMERGENCY_ACCESS, ALICE, T0, block=2)])
    before = T0 - timedelta(hours=2)
    await pull(room, before)
    (turn,) = await room.claim(before)
    assert [NoticeKind.EMERGENCY_ACCESS] == [each.posted.notice.kind for each in turn.deliveries]
    await room.outbox.note_sent(turn, [each.id for each in turn.deliveries], until=before + LEASE)
    await room.outbox.finish(turn)
    await pull(room, before)
    assert [] == await room.claim(before)
    (turn,) = await room.claim(T0.replace(hour=18))
    assert [NoticeKind.ACCESS_GRANTED] == [each.posted.notice.kind for each in turn.deliveries]


async def test_leases_of_the_dead(room: Room) -> None:
    """Where we are alone nobody waits for them after a start; beside others they run out."""
    await room.book.replace(ALICE, Origin.OWN, [channel()])
    await room.notices.add([told(1)])
    assert 1 == len(await room.claim())
    assert int(room.database.sole) == await room.outbox.recover(T0)
    assert int(room.database.sole) == len(await room.claim())
    assert 1 == len(await room.claim(T0 + LEASE))

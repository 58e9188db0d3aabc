"""The clock's cursor and the ledger, on each kind of database."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain.port import (
    BlockRef,
    Escrowed,
    Event,
    ExpirableGrant,
    ExpirableRequest,
    FinalizedBlock,
    Grant,
    PatientScope,
    Pending,
    RecordScope,
)
from ocw_sidecar.adapters.sql import ledger
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.adapters.sql.ledger import SqlLedger
from ocw_sidecar.adapters.sql.ledger_fold import SILENT, TAKERS
from ocw_sidecar.ledger.items import Bundle, EscrowedKey, Snapshot

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.adapters.sql.database import Session

US, THEM = b"\x01" * 32, b"\x02" * 32
ANN, BOB = b"\x0a" * 32, b"\x0b" * 32
RECORD, OTHER_RECORD = b"\x10" * 16, b"\x11" * 16
PATIENT, OBJECT = b"\x20" * 32, b"\x30" * 32
NOW = datetime(2026, 6, 1, tzinfo=UTC)
GENESIS = b"\x99" * 32
SCOPE = RecordScope(record_id=RECORD)


def block(number: int, *events: Event) -> FinalizedBlock:
    """Return a block."""
    ref = BlockRef(number=number, hash=hashlib.sha256(str(number).encode()).digest())
    return FinalizedBlock(ref=ref, events=events)


def emr(name: str, **fields: Any) -> Event:
    """Return an event of ours."""
    return Event(pallet="Emr", name=name, fields={"custodian": US, **fields})


def granted(grantee: bytes = ANN, *, expires_at: int = 100, **fields: Any) -> Event:
    """Return a grant without a key on the record."""
    plain = {"scope": {"Record": RECORD}, "patient": PATIENT, "purpose": "Treatment", "key_version": None}
    return emr("AccessGranted", grantee=grantee, expires_at=expires_at, **{**plain, **fields})


class Book:
    """A cursor and a ledger on one database."""

    def __init__(self, database: Database) -> None:
        self.log = SqlBlockLog(
            database, organisation=US, now=lambda: NOW, folds=[ledger.fold], forgets=[ledger.forget]
        )
        self.ledger = SqlLedger(database)
        self.height = 0

    async def take(self, *events: Event) -> None:
        """Take a block with these events in."""
        if await self.log.position() is None:
            await self.log.begin(block(0).ref, GENESIS)
        self.height += 1
        assert await self.log.advance(block(self.height, *events))

    async def pending(self, *, later_s: float = 0) -> list[tuple[Any, bytes]]:
        """Return whose keys are due."""
        due = await self.ledger.pending(now=NOW + timedelta(seconds=later_s), limit=10)
        return [(each.scope, each.grantee) for each in due]


@pytest.fixture
def book(database: Database) -> Book:
    """An empty one."""
    return Book(database)


async def test_each_block_is_taken_in_once(book: Book) -> None:
    """The cursor moves by one, and only from where it stands; a block beside that changes nothing."""
    assert await book.log.cursor() is None
    assert await book.log.begin(block(5).ref, GENESIS)
    assert not await book.log.begin(block(9).ref, GENESIS)
    assert not await book.log.advance(block(5, granted()))
    assert not await book.log.advance(block(7, granted()))
    assert [] == await book.pending()
    assert await book.log.advance(block(6, granted()))
    assert not await book.log.advance(block(6))
    position = await book.log.position()
    assert position is not None
    assert (GENESIS, block(6).ref, NOW) == (position.genesis, position.block, position.moved_at)
    assert [(SCOPE, ANN)] == await book.pending()


async def test_a_fold_that_fails_moves_nothing(database: Database) -> None:
    """Cursor and facts are one transaction."""

    def broken(_db: Session, _block: FinalizedBlock, _organisation: bytes, _now: datetime) -> None:
        raise ZeroDivisionError

    folds = [ledger.fold, broken]
    log = SqlBlockLog(database, organisation=US, now=lambda: NOW, folds=folds)
    await log.begin(block(0).ref, GENESIS)
    with pytest.raises(ZeroDivisionError):
        await log.advance(block(1, granted()))
    assert 0 == await log.cursor()
    assert [] == await SqlLedger(database).pending(now=NOW, limit=10)


async def test_done_heights_only_grow(book: Book) -> None:
    """A late word of an earlier run changes nothing."""
    for height in (100, 50, 150):
        await book.log.note_done("integrity", height)
    assert {"integrity": 150} == await book.log.done_heights()


async def test_to_forget_is_to_begin_anew(book: Book) -> None:
    """Cursor, heights and ledger go; escrowed keys stay until the ledger is filled again."""
    await book.take(granted())
    await book.log.note_done("integrity", 50)
    key = EscrowedKey(record_id=RECORD, wrapped=b"w", key_version=1)
    await book.ledger.keep_escrow(SCOPE, ANN, [key])
    await book.ledger.keep_escrow(SCOPE, BOB, [key])
    await book.log.forget()
    assert (None, {}, []) == (
        await book.log.cursor(),
        await book.log.done_heights(),
        await book.pending(),
    )
    grant = Grant(
        scope=SCOPE,
        grantee=ANN,
        granted_at=3,
        expires_at=50,
        purpose="Treatment",
        key=Pending(),
        payer=US,
    )
    await book.ledger.restore(Snapshot(grants=[grant]), height=9, now=NOW)
    await book.ledger.drop_orphans()
    assert [key] == await book.ledger.escrow(SCOPE, ANN)
    assert [] == await book.ledger.escrow(SCOPE, BOB)
    assert [(SCOPE, ANN)] == await book.pending()


async def test_other_custodians_concern_us_not(book: Book) -> None:
    """Only what names our organisation is kept."""
    await book.take(granted(custodian=THEM), emr("ObjectStored", object=OBJECT, custodian=THEM))
    assert [] == await book.pending()
    assert [] == await book.ledger.longest_unlooked(10)


async def test_a_grant_from_beginning_to_end(book: Book) -> None:
    """Pending until delivered; a renewal is pending anew; gone when revoked or expired."""
    await book.take(granted())
    assert [(SCOPE, ANN)] == await book.pending()
    await book.take(emr("KeyDelivered", scope={"Record": RECORD}, grantee=ANN, key_version=1))
    assert [] == await book.pending()
    await book.take(granted(expires_at=200))
    assert [(SCOPE, ANN)] == await book.pending()
    await book.take(emr("AccessRevoked", scope={"Record": RECORD}, patient=PATIENT, grantee=ANN))
    assert [] == await book.pending()
    await book.take(granted(BOB, expires_at=6))
    await book.take(emr("AccessExpired", scope={"Record": RECORD}, grantee=BOB, expires_at=6))
    assert [] == await book.ledger.ended(1_000, 10)


def key_set(account: bytes, version: int) -> Event:
    """Return an account's new encryption key."""
    return Event(pallet="Emr", name="EncryptionKeySet", fields={"account": account, "version": version})


async def test_a_grant_with_its_key_is_due_after_the_grantees_next(book: Book) -> None:
    """Who gave it wrapped the key himself, and will not do it again; one that ended is left."""
    await book.take(granted(key_version=2), granted(BOB, key_version=1, expires_at=3))
    await book.take(key_set(ANN, 2), key_set(BOB, 1))
    assert [] == await book.pending()
    await book.take(key_set(ANN, 3), key_set(BOB, 2))
    assert [(SCOPE, ANN)] == await book.pending()


async def test_a_record_under_a_new_key_is_delivered_anew(book: Book) -> None:
    """To all whose grants cover it; what lies in escrow for them is destroyed, for others it stays."""
    wide, other = PatientScope(patient_id=PATIENT), RecordScope(record_id=OTHER_RECORD)
    await book.take(emr("RecordStored", record=RECORD, patient=PATIENT, object=OBJECT))
    await book.take(granted(), granted(BOB, scope={"Patient": PATIENT}))
    await book.take(granted(BOB, scope={"Record": OTHER_RECORD}))
    key = EscrowedKey(record_id=RECORD, wrapped=b"w", key_version=1)
    for scope, account in ((SCOPE, ANN), (wide, BOB), (other, BOB)):
        assert await book.ledger.keep_escrow(scope, account, [key])
        await book.ledger.settle(scope, account, key_version=1, escrowed=True)
    assert 2 == await book.ledger.redeliver(RECORD)
    assert {(SCOPE, ANN), (wide, BOB)} == set(await book.pending())
    assert [[], [], [key]] == [
        await book.ledger.escrow(*place) for place in ((SCOPE, ANN), (wide, BOB), (other, BOB))
    ]
    assert 0 == await book.ledger.redeliver(b"\x77" * 16)


async def test_what_was_prepared_before_settles_nothing(book: Book) -> None:
    """Neither by its own worker nor by the block that has it; only what was made since then does."""
    await book.take(granted())
    [before] = await book.ledger.pending(now=NOW, limit=10)
    assert 1 == await book.ledger.redeliver(RECORD)
    key = EscrowedKey(record_id=RECORD, wrapped=b"old", key_version=1)
    assert not await book.ledger.keep_escrow(SCOPE, ANN, [key], wave=before.wave)
    await book.ledger.settle(SCOPE, ANN, key_version=1, escrowed=True, wave=before.wave)
    await book.take(emr("KeyDelivered", scope={"Record": RECORD}, grantee=ANN, key_version=1))
    [now] = await book.ledger.pending(now=NOW, limit=10)
    assert (0, True) == (before.wave, now.wave > 0)
    assert [] == await book.ledger.escrow(SCOPE, ANN)
    assert await book.ledger.keep_escrow(SCOPE, ANN, [key], wave=now.wave)
    await book.ledger.settle(SCOPE, ANN, key_version=1, escrowed=True, wave=now.wave)
    assert [] == await book.pending()
    assert await book.ledger.keep_escrow(SCOPE, ANN, [key]), "all is as before"


async def test_an_accounts_keys_are_delivered_anew(book: Book) -> None:
    """All of its grants, and nobody else's; the wish ends with the grant."""
    await book.take(granted(), granted(BOB), granted(scope={"Patient": PATIENT}))
    for scope in (SCOPE, PatientScope(patient_id=PATIENT)):
        await book.ledger.settle(scope, ANN, key_version=1, escrowed=True)
    await book.ledger.settle(SCOPE, BOB, key_version=1, escrowed=True)
    assert 2 == await book.ledger.redeliver_to(ANN)
    assert {ANN} == {account for _, account in await book.pending()}
    revoked = emr("AccessRevoked", scope={"Record": RECORD}, patient=PATIENT, grantee=ANN)
    await book.take(revoked, granted())
    waves = {grant.scope: grant.wave for grant in await book.ledger.pending(now=NOW, limit=10)}
    assert 0 == waves[SCOPE]
    assert 0 < waves[PatientScope(patient_id=PATIENT)]


async def test_what_is_to_be_delivered_anew_outlives_a_rebuild(book: Book) -> None:
    """The chain's state cannot tell that a digest is of an old key."""
    await book.take(granted())
    await book.ledger.redeliver(RECORD)
    await book.log.forget()
    key = Escrowed(digest=bytes(32), key_version=1)
    standing = [
        Grant(scope=SCOPE, grantee=who, granted_at=1, expires_at=99, purpose="Treatment", key=key, payer=US)
        for who in (ANN, BOB)
    ]
    await book.ledger.restore(Snapshot(grants=standing), height=5, now=NOW)
    await book.ledger.drop_orphans()
    assert [(SCOPE, ANN)] == await book.pending()


async def test_a_new_encryption_key_wakes_and_renews(book: Book) -> None:
    """Grants that wait for the key are due at once; what was escrowed for an earlier one is due again."""
    await book.take(granted(), granted(BOB))
    [first, _] = await book.ledger.pending(now=NOW, limit=10)
    await book.ledger.postpone(first, due=NOW + timedelta(hours=1), reason="NO_ENCRYPTION_KEY")
    assert 1 == len(await book.pending())
    await book.take(
        Event(pallet="Emr", name="EncryptionKeySet", fields={"account": first.grantee, "version": 1})
    )
    assert 2 == len(await book.pending())
    await book.ledger.settle(SCOPE, ANN, key_version=1, escrowed=True)
    await book.ledger.settle(SCOPE, BOB, key_version=2, escrowed=True)
    for account in (ANN, BOB):
        fields = {"account": account, "version": 2}
        await book.take(Event(pallet="Emr", name="EncryptionKeySet", fields=fields))
    assert [(SCOPE, ANN)] == await book.pending()


async def test_emergencies_stand_first(book: Book) -> None:
    """However long others have waited."""
    await book.take(granted())
    opened = emr(
        "EmergencyAccessOpened",
        scope={"Patient": PATIENT},
        patient=PATIENT,
        member=BOB,
        reason="ThreatToLife",
        expires_at=50,
        controller=US,
    )
    await book.take(opened)
    assert [(PatientScope(patient_id=PATIENT), BOB), (SCOPE, ANN)] == await book.pending()


async def test_requests_end_by_denial_grant_or_time(book: Book) -> None:
    """A request is kept until it is answered or gone."""
    asked = {"record": RECORD, "purpose": "Research", "patient": PATIENT, "controller": US}
    for who in (ANN, BOB, US, THEM):
        await book.take(emr("AccessRequested", requester=who, expires_at=10, **asked))
    await book.take(emr("RequestDenied", record=RECORD, requester=ANN))
    await book.take(granted(BOB, expires_at=900))
    await book.take(emr("RequestExpired", record=RECORD, requester=US, expires_at=10))
    assert [ExpirableRequest(record_id=RECORD, requester=THEM)] == await book.ledger.ended(10, 10)
    await book.ledger.forget(ExpirableRequest(record_id=RECORD, requester=THEM))
    assert [] == await book.ledger.ended(10, 10)


async def test_what_ended_and_what_will(book: Book) -> None:
    """A grant ends at its block; its holder is told before, once for each term."""
    await book.take(granted(expires_at=100), granted(BOB, expires_at=20))
    assert [] == await book.ledger.ended(19, 10)
    assert [ExpirableGrant(scope=SCOPE, grantee=BOB)] == await book.ledger.ended(20, 10)
    ending = await book.ledger.unwarned(60, lead=40, limit=10)
    assert [(SCOPE, ANN, 100)] == [(each.scope, each.grantee, each.expires_at) for each in ending]
    assert [] == await book.ledger.unwarned(59, lead=40, limit=10)
    await book.ledger.note_warned(ending)
    assert [] == await book.ledger.unwarned(60, lead=40, limit=10)
    await book.take(granted(expires_at=200))
    assert 1 == len(await book.ledger.unwarned(170, lead=40, limit=10))


async def test_objects_and_records(book: Book) -> None:
    """Objects are looked after by age; an erased record takes its grants and keys along."""
    other = b"\x31" * 32
    await book.take(emr("ObjectStored", object=OBJECT), emr("ObjectStored", object=other))
    for record, stored in ((RECORD, OBJECT), (OTHER_RECORD, OBJECT)):
        await book.take(emr("RecordStored", record=record, patient=PATIENT, object=stored))
    await book.take(granted(), granted(BOB, scope={"Patient": PATIENT}))
    await book.ledger.keep_escrow(SCOPE, ANN, [EscrowedKey(record_id=RECORD, wrapped=b"w", key_version=1)])
    wide = [EscrowedKey(record_id=each, wrapped=b"w", key_version=1) for each in (RECORD, OTHER_RECORD)]
    await book.ledger.keep_escrow(PatientScope(patient_id=PATIENT), BOB, wide)
    assert [RECORD, OTHER_RECORD] == await book.ledger.records_of_object(OBJECT, 10)
    assert [RECORD] == await book.ledger.records_of_patient(PATIENT, 1)
    await book.take(emr("RecordErased", record=RECORD, object=OBJECT))
    assert [OTHER_RECORD] == await book.ledger.records_of_patient(PATIENT, 10)
    assert [(PatientScope(patient_id=PATIENT), BOB)] == await book.pending()
    assert [] == await book.ledger.escrow(SCOPE, ANN)
    assert wide[1:] == await book.ledger.escrow(PatientScope(patient_id=PATIENT), BOB)
    await book.ledger.note_looked([OBJECT], 40)
    assert [other, OBJECT] == [each.object_id for each in await book.ledger.longest_unlooked(10)]
    await book.ledger.note_asked(other, 41, contained=1, contained_at=40)
    [first, second] = await book.ledger.longest_unasked(50, 10)
    assert (OBJECT, other, 1, 40) == (
        first.object_id,
        second.object_id,
        second.contained,
        second.contained_at,
    )
    assert [] == await book.ledger.longest_unasked(1, 10)
    near = await book.ledger.objects_near([bytes(32), other, b"\xff" * 32])
    assert [OBJECT, other] == [each.object_id for each in near]
    await book.take(emr("ObjectRemoved", object=other))
    assert [OBJECT] == [each.object_id for each in await book.ledger.longest_unlooked(10)]


async def test_a_moved_record_lies_in_its_new_object(book: Book) -> None:
    """The old object has it no more; its grants and keys stay, and a ledger that lacked it has it now."""
    other = b"\x31" * 32
    await book.take(emr("ObjectStored", object=OBJECT), granted())
    await book.take(emr("RecordStored", record=RECORD, patient=PATIENT, object=OBJECT))
    keys = [EscrowedKey(record_id=RECORD, wrapped=b"w", key_version=1)]
    await book.ledger.keep_escrow(SCOPE, ANN, keys)
    moved = [
        emr("RecordMoved", **{"from": OBJECT}, record=record, patient=PATIENT, object=other)
        for record in (RECORD, OTHER_RECORD)
    ]
    gone, new = emr("ObjectRemoved", object=OBJECT), emr("ObjectStored", object=other)
    await book.take(*moved, gone, new)
    assert [] == await book.ledger.records_of_object(OBJECT, 10)
    assert [RECORD, OTHER_RECORD] == await book.ledger.records_of_object(other, 10)
    assert [RECORD, OTHER_RECORD] == await book.ledger.records_of_patient(PATIENT, 10)
    assert [(SCOPE, ANN)] == await book.pending()
    assert keys == await book.ledger.escrow(SCOPE, ANN)
    assert [other] == [each.object_id for each in await book.ledger.longest_unlooked(10)]


async def test_reports_are_taken_in(book: Book) -> None:
    """Also those that another of our sidecars sent."""
    await book.take(emr("ObjectStored", object=OBJECT))
    await book.take(emr("StorageHealthReported", object=OBJECT, health=5, replicas=1, nodes=4))
    told = {"scheme": "Network", "outcome": "Passed", "proof_digest": bytes(32)}
    await book.take(emr("IntegrityReported", object=OBJECT, challenged_at=2, **told))
    [known] = await book.ledger.longest_unlooked(10)
    assert (2, 2) == (known.looked_at, known.challenged_at)


async def test_bundles_are_bounded(book: Book) -> None:
    """The newest stay; the same bundle is kept once."""
    bodies = [str(number).encode() for number in range(6)]
    for body in [*bodies, bodies[-1]]:
        digest = hashlib.sha256(body).digest()
        bundle = Bundle(digest=digest, object_id=OBJECT, challenged_at=1, body=body)
        await book.ledger.keep_bundle(bundle, keep=3)
    kept = [await book.ledger.bundle(hashlib.sha256(body).digest()) for body in bodies]
    assert [None, None, None, *bodies[3:]] == kept


def test_every_event_of_the_pallet_is_considered() -> None:
    """Each event of pallet Emr is either taken in or named as one that changes nothing here.

    The page's table is compared with the node's metadata elsewhere.
    """
    page = (Path(__file__).parents[2] / "docs/reference/chain.md").read_text()
    table = page.partition("## Events")[2].partition("## Errors")[0]
    events = set(re.findall(r"^\| \d+ \| `Emr\.(\w+)`", table, re.MULTILINE))
    assert events == set(TAKERS) | SILENT
    assert not set(TAKERS) & SILENT

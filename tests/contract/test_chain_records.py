"""Anchored records, their objects and their erasure on every chain adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caregrid.chain import (
    Call,
    LiveRecord,
    Pending,
    Record,
    RecordScope,
    StoredObject,
    Tombstone,
    calls,
)
from caregrid.chain.limits import MAX_RECORDS_PER_OBJECT
from caregrid.records import RecordFormat
from tests.contract.chain_world import ONE_LOOP, covers, emr, new_id, new_object, new_record

if TYPE_CHECKING:
    from caregrid.chain import Event
    from caregrid.records import ObjectEntry, RecordEntry
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP


def stored(record: RecordEntry, entry: ObjectEntry, custodian: bytes) -> Event:
    """Return what the chain reports of an anchored record."""
    return emr(
        "RecordStored",
        record=record.record_id,
        patient=record.patient_id,
        object=entry.object_id,
        custodian=custodian,
    )


def rejected(record: RecordEntry, entry: ObjectEntry, reason: str) -> Event:
    """Return what the chain reports of a record that was left out."""
    return emr("RecordRejected", record=record.record_id, object=entry.object_id, reason=reason)


def batch_of(world: World, entry: ObjectEntry, records: list[Any]) -> Call:
    """Return a batch with parameters that the builder would not take."""
    params = calls.store_emr_batch(world.account("hospital"), entry, [new_record(new_id())]).params
    return Call(pallet="Emr", function="store_emr_batch", params={**params, "records": records})


@covers(
    "Emr",
    made="store_emr store_emr_batch",
    reported="RecordStored RecordRejected ObjectStored",
    refused="PatientUnknown OutsideObject ObjectFull RecordExists",
)
async def test_a_batch_is_anchored_and_bad_items_are_left_out(world: World) -> None:
    """Every event has the expected fields; record and object are read back as they were described."""
    hospital, patient, entry = world.account("hospital"), new_id(), new_object(3)
    first, second = new_record(patient), new_record(patient, offset=900, format=RecordFormat.BINARY)
    third, foreign = new_record(patient), new_record(new_id())
    outside, late = new_record(patient, offset=901), new_record(patient)
    await world.submit("operator", calls.register_patient(hospital, patient))
    receipt, *others = await world.outcomes(
        "operator",
        calls.store_emr_batch(hospital, entry, [first, foreign, outside, second, first]),
        calls.store_emr(hospital, entry, third),
        calls.store_emr_batch(hospital, entry, [late]),
    )
    assert not isinstance(receipt, Exception)
    assert [
        stored(first, entry, hospital),
        stored(second, entry, hospital),
        rejected(foreign, entry, "PatientUnknown"),
        rejected(outside, entry, "OutsideObject"),
        rejected(first, entry, "RecordExists"),
        emr("ObjectStored", object=entry.object_id, custodian=hospital),
    ] == world.own(receipt)
    assert [[stored(third, entry, hospital)], [rejected(late, entry, "ObjectFull")]] == [
        world.own(each) for each in others if not isinstance(each, Exception)
    ]
    found = await world.chain.records([first.record_id, foreign.record_id, second.record_id])
    assert {first.record_id, second.record_id} == found.keys()
    expected = Record(
        record_id=second.record_id,
        patient_id=patient,
        object_id=entry.object_id,
        offset=900,
        length=100,
        digest=second.digest,
        format=RecordFormat.BINARY,
        anchored_at=receipt.block.number,
    )
    assert expected == found[second.record_id] == await world.chain.record(second.record_id)
    assert LiveRecord(record=expected, custodian=hospital) == await world.chain.record_view(second.record_id)
    assert StoredObject(
        entry=entry,
        custodian=hospital,
        anchored_records=3,
        erased_records=0,
        stored_at=receipt.block.number,
        proof=None,
        health=None,
        integrity=None,
    ) == await world.chain.stored_object(entry.object_id)


@covers(
    "Emr",
    refused="RecordExists PatientUnknown OutsideObject ObjectMismatch ObjectForeign ObjectInvalid ObjectFull "
    "BatchEmpty NotOperator OrganisationUnknown",
)
async def test_refusals_about_records(world: World) -> None:
    """A single record is refused by name, a batch as a whole only for its object; nothing changes."""
    hospital, clinic, patient = world.account("hospital"), world.account("clinic"), new_id()
    entry, record = new_object(), new_record(patient)
    await world.submit(
        "operator", calls.register_patient(hospital, patient), calls.store_emr(hospital, entry, record)
    )
    before = await world.chain.stored_object(entry.object_id)
    other = new_record(patient)
    too_many = replace(new_object(), record_count=MAX_RECORDS_PER_OBJECT + 1)
    empty = dict(calls.store_emr(hospital, new_object(), other).params)
    empty["object"] = {**empty["object"], "size": 0}
    unsized = dict(calls.store_emr(hospital, new_object(), other).params)
    unsized["record"] = {**unsized["record"], "length": 0}
    far = new_record(patient, offset=(1 << 64) - 50)
    assert [
        "Emr.RecordExists",
        "Emr.ObjectFull",
        "Emr.PatientUnknown",
        "Emr.OutsideObject",
        "Emr.OutsideObject",
        "Emr.OutsideObject",
        "Emr.ObjectMismatch",
        "Emr.ObjectInvalid",
        "Emr.ObjectInvalid",
        "Emr.BatchEmpty",
        "Emr.ObjectForeign",
        "Emr.PatientUnknown",
        "Emr.NotOperator",
        "Emr.OrganisationUnknown",
    ] == await world.refused(
        ("operator", calls.store_emr(hospital, new_object(), record)),
        ("operator", calls.store_emr(hospital, entry, other)),
        ("operator", calls.store_emr(hospital, new_object(), new_record(new_id()))),
        ("operator", calls.store_emr(hospital, new_object(), new_record(patient, length=1001))),
        ("operator", calls.store_emr(hospital, new_object(), far)),
        ("operator", Call(pallet="Emr", function="store_emr", params=unsized)),
        ("operator", calls.store_emr_batch(hospital, replace(entry, size=999), [other])),
        ("operator", calls.store_emr_batch(hospital, too_many, [other])),
        ("operator", Call(pallet="Emr", function="store_emr", params=empty)),
        ("operator", batch_of(world, new_object(), [])),
        ("clinic", calls.store_emr(clinic, entry, other)),
        ("clinic", calls.store_emr(clinic, new_object(), other)),
        ("stranger", calls.store_emr(hospital, new_object(), other)),
        ("stranger", calls.store_emr(new_id(), new_object(), other)),
    )
    assert before == await world.chain.stored_object(entry.object_id)
    assert await world.chain.record(other.record_id) is None


@covers(
    "Emr",
    made="erase_record",
    reported="RecordErased ObjectRemoved AccessRevoked",
    refused="RecordErased RecordUnknown ObjectForeign",
)
async def test_an_erased_record_leaves_a_tombstone(world: World) -> None:
    """Its grants go with it and its id is never used again; the last one takes the object away."""
    hospital, patient, entry = world.account("hospital"), new_id(), new_object(3)
    first, last = new_record(patient), new_record(patient)
    scope, grantee = RecordScope(record_id=first.record_id), world.account("reader")
    expires_at = await world.height() + 500
    tombstones_before = await count_tombstones(world)
    await world.submit(
        "operator",
        calls.register_patient(hospital, patient),
        calls.store_emr_batch(hospital, entry, [first, last]),
        calls.grant_access(scope, grantee, expires_at=expires_at, purpose="Treatment", key=Pending()),
    )
    assert ["Emr.ObjectForeign", "Emr.RecordUnknown"] == await world.refused(
        ("clinic", calls.erase_record(world.account("clinic"), first.record_id)),
        ("clinic", calls.erase_record(world.account("clinic"), new_id(16))),
    )
    receipt, again, same_id = await world.outcomes(
        "operator",
        calls.erase_record(hospital, first.record_id),
        calls.erase_record(hospital, first.record_id),
        calls.store_emr_batch(hospital, entry, [first]),
    )
    assert not isinstance(receipt, Exception)
    assert not isinstance(same_id, Exception)
    assert [
        emr(
            "AccessRevoked",
            scope={"Record": first.record_id},
            patient=patient,
            grantee=grantee,
            custodian=hospital,
        ),
        emr("RecordErased", record=first.record_id, object=entry.object_id, custodian=hospital),
    ] == world.own(receipt)
    assert "RecordErased" == getattr(again, "name", None)
    assert [rejected(first, entry, "RecordErased")] == world.own(same_id)

    tombstone = Tombstone(record_id=first.record_id, custodian=hospital, erased_at=receipt.block.number)
    assert await world.chain.record(first.record_id) is None
    assert {last.record_id} == (await world.chain.records([first.record_id, last.record_id])).keys()
    assert tombstone == await world.chain.tombstone(first.record_id)
    assert tombstone == await world.chain.record_view(first.record_id)
    assert await world.chain.tombstone(last.record_id) is None
    assert await world.chain.grant(scope, grantee) is None
    left = await world.chain.stored_object(entry.object_id)
    assert left is not None
    assert (1, 1) == (left.anchored_records, left.erased_records)

    assert [
        emr("RecordErased", record=last.record_id, object=entry.object_id, custodian=hospital),
        emr("ObjectRemoved", object=entry.object_id, custodian=hospital),
    ] == await world.submit("operator", calls.erase_record(hospital, last.record_id))
    assert await world.chain.stored_object(entry.object_id) is None
    assert tombstones_before + 2 == await count_tombstones(world)


async def count_tombstones(world: World) -> int:
    """Return how many the hospital pays for."""
    organisation = await world.chain.organisation(world.account("hospital"))
    assert organisation is not None
    return organisation.tombstones


async def test_what_is_not_there_is_none(world: World) -> None:
    """Reads of unknown things answer with None or nothing."""
    unknown = new_id()
    assert await world.chain.record(unknown[:16]) is None
    assert await world.chain.record_view(unknown[:16]) is None
    assert await world.chain.tombstone(unknown[:16]) is None
    assert await world.chain.records([]) == {}
    assert await world.chain.records([unknown[:16], unknown[16:]]) == {}
    assert await world.chain.stored_object(unknown) is None
    assert await world.chain.patient(unknown) is None
    assert await world.chain.organisation(unknown) is None
    assert await world.chain.encryption_key(unknown) is None

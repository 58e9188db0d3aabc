"""Records that lie elsewhere from now on, on every chain adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caregrid.chain import Call, Escrowed, KeyDelivery, Pending, Record, RecordScope, calls
from caregrid.records import RecordFormat
from tests.contract.chain_world import ONE_LOOP, covers, emr, new_id, new_object, new_record

if TYPE_CHECKING:
    from caregrid.chain import Event, StoredObject
    from caregrid.records import ObjectEntry, RecordEntry
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP


def moved(record: RecordEntry, source: ObjectEntry, target: ObjectEntry, custodian: bytes) -> Event:
    """Return what the chain reports of a record that lies elsewhere."""
    return emr(
        "RecordMoved",
        **{"from": source.object_id},
        record=record.record_id,
        patient=record.patient_id,
        object=target.object_id,
        custodian=custodian,
    )


def rejected(record: RecordEntry, target: ObjectEntry, reason: str) -> Event:
    """Return what the chain reports of a record that stays where it is."""
    return emr("RecordRejected", record=record.record_id, object=target.object_id, reason=reason)


async def stored(world: World, entry: ObjectEntry) -> StoredObject:
    """Return an object that must be there."""
    found = await world.chain.stored_object(entry.object_id)
    assert found is not None
    return found


def sealed_anew(record: RecordEntry, **changes: Any) -> RecordEntry:
    """Return a record under a new data key: another length and digest, at another place."""
    return replace(record, **{"offset": 500, "length": 120, "digest": new_id(), **changes})


@covers(
    "Emr",
    made="move_records",
    reported="RecordMoved RecordRejected ObjectStored ObjectRemoved",
    refused="RecordInPlace",
)
async def test_records_of_two_objects_move_into_one(world: World) -> None:
    """Unchanged or sealed anew, they keep patient, format and grants; an object without records goes."""
    hospital, patient = world.account("hospital"), new_id()
    pack, single, target = new_object(3), new_object(), new_object(2)
    records = [new_record(patient), new_record(patient), new_record(patient)]
    kept, erased, alone = records
    scope, grantee = RecordScope(record_id=alone.record_id), world.account("reader")
    expires_at = await world.height() + 500
    anchoring, *_ = await world.outcomes(
        "operator",
        calls.batch_all(
            [
                calls.register_patient(hospital, patient),
                calls.store_emr_batch(hospital, pack, [kept, erased]),
                calls.store_emr_batch(hospital, single, [alone]),
                calls.grant_access(scope, grantee, expires_at=expires_at, purpose="Treatment", key=Pending()),
                calls.erase_record(hospital, erased.record_id),
            ]
        ),
    )
    assert not isinstance(anchoring, Exception)
    grant = await world.chain.grant(scope, grantee)
    again = sealed_anew(alone)
    move = calls.move_records(hospital, target, [kept, again])
    receipt, repeated = await world.outcomes("operator", move, move)
    assert not isinstance(receipt, Exception)
    assert not isinstance(repeated, Exception)
    gone = [emr("ObjectRemoved", object=entry.object_id, custodian=hospital) for entry in (pack, single)]
    assert [
        moved(kept, pack, target, hospital),
        moved(alone, single, target, hospital),
        *sorted(gone, key=lambda event: bytes(event.fields["object"])),
        emr("ObjectStored", object=target.object_id, custodian=hospital),
    ] == world.own(receipt)
    assert [rejected(kept, target, "RecordInPlace"), rejected(again, target, "RecordInPlace")] == world.own(
        repeated
    )

    assert Record(
        record_id=alone.record_id,
        patient_id=patient,
        object_id=target.object_id,
        offset=500,
        length=120,
        digest=again.digest,
        format=alone.format,
        anchored_at=anchoring.block.number,
    ) == await world.chain.record(alone.record_id)
    assert grant is not None
    assert grant == await world.chain.grant(scope, grantee)
    page = await world.chain.records_of_patient(patient)
    assert {kept.record_id, alone.record_id} == set(page.items)
    target_now = await stored(world, target)
    assert (2, 0) == (target_now.anchored_records, target_now.erased_records)
    assert receipt.block.number == target_now.stored_at
    assert await world.chain.stored_object(pack.object_id) is None
    assert await world.chain.stored_object(single.object_id) is None


@covers(
    "Emr",
    made="move_records",
    reported="RecordMoved RecordRejected",
    refused="RecordUnknown RecordErased RecordMismatch RecordInPlace ObjectFull OutsideObject",
)
async def test_what_cannot_be_moved_stays_and_the_rest_goes_on(world: World) -> None:
    """Each is left out for a reason of its own; the old object counts those that went."""
    hospital, patient = world.account("hospital"), new_id()
    source, target = new_object(5), new_object(2)
    first, second, third, erased, settled = (new_record(patient) for _ in range(5))
    unknown = new_record(patient)
    await world.submit(
        "operator",
        calls.register_patient(hospital, patient),
        calls.store_emr_batch(hospital, source, [first, second, third, erased]),
        calls.store_emr_batch(hospital, target, [settled]),
        calls.erase_record(hospital, erased.record_id),
    )
    other_patient = replace(first, patient_id=new_id())
    other_format = replace(first, format=RecordFormat.DICOM)
    inside_anew = sealed_anew(settled)
    outside = replace(second, offset=901)
    batch = [unknown, erased, other_patient, other_format, inside_anew, settled, outside, first, first, third]
    assert [
        moved(first, source, target, hospital),
        rejected(unknown, target, "RecordUnknown"),
        rejected(erased, target, "RecordErased"),
        rejected(other_patient, target, "RecordMismatch"),
        rejected(other_format, target, "RecordMismatch"),
        rejected(inside_anew, target, "RecordMismatch"),
        rejected(settled, target, "RecordInPlace"),
        rejected(outside, target, "OutsideObject"),
        rejected(first, target, "RecordInPlace"),
        rejected(third, target, "ObjectFull"),
    ] == await world.submit("operator", calls.move_records(hospital, target, batch))
    left, filled = await stored(world, source), await stored(world, target)
    assert (2, 2) == (left.anchored_records, left.erased_records)
    assert (2, 0) == (filled.anchored_records, filled.erased_records)
    found = await world.chain.record(second.record_id)
    assert found is not None
    assert (source.object_id, 0) == (found.object_id, found.offset)


@covers(
    "Emr",
    refused="BatchEmpty ObjectForeign ObjectMismatch ObjectInvalid NotOperator OrganisationUnknown",
)
async def test_only_the_custodian_moves_records(world: World) -> None:
    """Another organisation's are left out; a batch is refused as a whole for its object or its signer."""
    hospital, clinic, patient = world.account("hospital"), world.account("clinic"), new_id()
    entry, record = new_object(), new_record(patient)
    await world.submit(
        "operator", calls.register_patient(hospital, patient), calls.store_emr(hospital, entry, record)
    )
    target = new_object()
    assert [rejected(record, target, "ObjectForeign")] == await world.submit(
        "clinic", calls.move_records(clinic, target, [record])
    )
    assert await world.chain.stored_object(target.object_id) is None
    good = calls.move_records(hospital, target, [record])
    unsized = {**good.params, "object": {**good.params["object"], "size": 0}}
    assert [
        "Emr.BatchEmpty",
        "Emr.ObjectMismatch",
        "Emr.ObjectInvalid",
        "Emr.ObjectForeign",
        "Emr.NotOperator",
        "Emr.OrganisationUnknown",
    ] == await world.refused(
        ("operator", Call(pallet="Emr", function="move_records", params={**good.params, "records": []})),
        ("operator", calls.move_records(hospital, replace(entry, size=999), [record])),
        ("operator", Call(pallet="Emr", function="move_records", params=unsized)),
        ("clinic", calls.move_records(clinic, entry, [record])),
        ("stranger", good),
        ("stranger", calls.move_records(new_id(), target, [record])),
    )


@covers("Emr", made="move_records deliver_keys", reported="RecordMoved KeyDelivered")
async def test_the_keys_of_a_record_that_is_sealed_anew_are_replaced(world: World) -> None:
    """The grants keep their old key until the custodian delivers the new one, of the same key version."""
    hospital, kept = world.account("hospital"), world.kept()
    record_id, grantee = kept.records[0], world.account("reader")
    scope, expires_at = RecordScope(record_id=record_id), await world.height() + 500
    before = await world.chain.record(record_id)
    assert before is not None
    key = await world.chain.encryption_key(grantee)
    assert key is not None
    old, new = (Escrowed(digest=new_id(), key_version=key.version) for _ in range(2))
    anew = sealed_anew(new_record(kept.patient), record_id=record_id, format=RecordFormat(before.format))
    await world.submit(
        "operator",
        calls.grant_access(scope, grantee, expires_at=expires_at, purpose="Treatment", key=old),
        calls.move_records(hospital, new_object(), [anew]),
    )
    granted = await world.chain.grant(scope, grantee)
    assert granted is not None
    assert old == granted.key
    delivery = KeyDelivery(scope=scope, grantee=grantee, key=new)
    assert [
        emr(
            "KeyDelivered",
            scope={"Record": record_id},
            grantee=grantee,
            custodian=hospital,
            key_version=key.version,
        )
    ] == await world.submit("operator", calls.deliver_keys(hospital, [delivery]))
    assert replace(granted, key=new) == await world.chain.grant(scope, grantee)

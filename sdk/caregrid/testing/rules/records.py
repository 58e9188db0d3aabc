"""Objects, the records anchored in them, and their erasure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.calls import FORMAT_NAMES
from caregrid.chain.limits import MAX_RECORDS_PER_OBJECT
from caregrid.chain.port import Record, RecordScope, StoredObject, Tombstone
from caregrid.chain.refusals import refusal
from caregrid.records import ObjectEntry
from caregrid.testing.rules.parties import acting_for
from caregrid.testing.rules.scopes import live_record
from caregrid.testing.rules.state import emr_event, ensure, from_hex, place, scope_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import Event
    from caregrid.testing.rules.state import State

#: Formats by the name they have on the chain.
FORMATS: Final = {name: number for number, name in FORMAT_NAMES.items()}


def store_emr(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.store_emr`."""
    events = _store(state, signer, params, [params["record"]], block)
    for event in events:
        if event.name == "RecordRejected":
            raise refusal("Emr", event.fields["reason"])
    return events


def store_emr_batch(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.store_emr_batch`."""
    acting_for(state, signer, params)
    ensure(params["records"], "BatchEmpty")
    return _store(state, signer, params, params["records"], block)


def erase_record(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.erase_record`."""
    custodian, record_id = acting_for(state, signer, params), from_hex(params["record"])
    record = live_record(state, record_id)
    ensure(state.objects[record.object_id].custodian == custodian, "ObjectForeign")
    events = _drop_grants(state, record, custodian)
    removed = shrink(state, record.object_id)
    entry = state.organisations[custodian]
    state.organisations[custodian] = replace(entry, tombstones=entry.tombstones + 1)
    state.records[record_id] = Tombstone(record_id=record_id, custodian=custodian, erased_at=block)
    events.append(emr_event("RecordErased", record=record_id, object=record.object_id, custodian=custodian))
    return [*events, *removed]


def shrink(state: State, object_id: bytes) -> list[Event]:
    """Take one record from an object, and the object away with its last; tell of that."""
    stored = state.objects[object_id]
    left, gone = stored.anchored_records - 1, stored.erased_records + 1
    if left:
        state.objects[object_id] = replace(stored, anchored_records=left, erased_records=gone)
        return []
    del state.objects[object_id]
    return [emr_event("ObjectRemoved", object=object_id, custodian=stored.custodian)]


def opened(state: State, custodian: bytes, value: Mapping[str, Any], block: int) -> StoredObject:
    """Return the object that a batch names, as it stands or as it would be new."""
    sound = value["size"] > 0 and 0 < value["record_count"] <= MAX_RECORDS_PER_OBJECT
    ensure(sound, "ObjectInvalid")
    entry = ObjectEntry(
        object_id=from_hex(value["id"]),
        size=value["size"],
        record_count=value["record_count"],
        manifest_root=from_hex(value["manifest_root"]),
    )
    known = state.objects.get(entry.object_id)
    ensure(known is None or known.custodian == custodian, "ObjectForeign")
    ensure(known is None or known.entry == entry, "ObjectMismatch")
    return known or StoredObject(
        entry=entry,
        custodian=custodian,
        anchored_records=0,
        erased_records=0,
        stored_at=block,
        proof=None,
        health=None,
        integrity=None,
    )


def closed(state: State, stored: StoredObject, added: int) -> list[Event]:
    """Note the object, unless nothing was anchored in it; tell of a new one."""
    object_id = stored.entry.object_id
    is_new = object_id not in state.objects
    if added:
        total = stored.anchored_records + added
        state.objects[object_id] = replace(stored, anchored_records=total)
    if added and is_new:
        return [emr_event("ObjectStored", object=object_id, custodian=stored.custodian)]
    return []


def _drop_grants(state: State, record: Record, custodian: bytes) -> list[Event]:
    scope = RecordScope(record_id=record.record_id)
    grantees = sorted((grantee for of, grantee in state.grants if of == scope), key=place)
    for grantee in grantees:
        del state.grants[scope, grantee]
    common = {"scope": scope_field(scope), "patient": record.patient_id, "custodian": custodian}
    return [emr_event("AccessRevoked", **common, grantee=grantee) for grantee in grantees]


def _store(
    state: State, signer: bytes, params: Mapping[str, Any], records: Sequence[Mapping[str, Any]], block: int
) -> list[Event]:
    custodian = acting_for(state, signer, params)
    stored = opened(state, custodian, params["object"], block)
    anchored: list[Event] = []
    left_out: list[Event] = []
    for value in records:
        used = stored.anchored_records + stored.erased_records + len(anchored)
        reason = _refusal(state, stored, value, room=used < stored.entry.record_count)
        if reason is None:
            anchored.append(_anchor(state, stored, value, block))
        else:
            left_out.append(rejected(stored, value, reason))
    return [*anchored, *left_out, *closed(state, stored, len(anchored))]


def inside(stored: StoredObject, value: Mapping[str, Any]) -> bool:
    """Tell whether a record has bytes and they lie within the object."""
    offset, length = int(value["offset"]), int(value["length"])
    return 0 < length <= stored.entry.size - offset


def rejected(stored: StoredObject, value: Mapping[str, Any], reason: str) -> Event:
    """Return what is told of a record that was left out."""
    fields = {"record": from_hex(value["id"]), "object": stored.entry.object_id, "reason": reason}
    return emr_event("RecordRejected", **fields)


def _refusal(state: State, stored: StoredObject, value: Mapping[str, Any], *, room: bool) -> str | None:
    present = state.records.get(from_hex(value["id"]))
    patient = state.patients.get(from_hex(value["patient"]))
    rules = {
        "RecordExists": not isinstance(present, Record),
        "RecordErased": not isinstance(present, Tombstone),
        "ObjectFull": room,
        "OutsideObject": inside(stored, value),
        "PatientUnknown": patient is not None and patient.organisation == stored.custodian,
    }
    return next((name for name, holds in rules.items() if not holds), None)


def _anchor(state: State, stored: StoredObject, value: Mapping[str, Any], block: int) -> Event:
    record_id, patient_id = from_hex(value["id"]), from_hex(value["patient"])
    state.records[record_id] = Record(
        record_id=record_id,
        patient_id=patient_id,
        object_id=stored.entry.object_id,
        offset=value["offset"],
        length=value["length"],
        digest=from_hex(value["digest"]),
        format=FORMATS[value["format"]],
        anchored_at=block,
    )
    return emr_event(
        "RecordStored",
        record=record_id,
        patient=patient_id,
        object=stored.entry.object_id,
        custodian=stored.custodian,
    )

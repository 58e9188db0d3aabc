"""Records that lie elsewhere from now on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caregrid.chain.port import Record
from caregrid.testing.rules.parties import acting_for
from caregrid.testing.rules.records import FORMATS, closed, inside, opened, rejected, shrink
from caregrid.testing.rules.scopes import live_record
from caregrid.testing.rules.state import emr_event, ensure, from_hex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain.port import Event, StoredObject
    from caregrid.testing.rules.state import State


def move_records(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.move_records`."""
    custodian = acting_for(state, signer, params)
    ensure(params["records"], "BatchEmpty")
    target = opened(state, custodian, params["object"], block)
    moved: list[Event] = []
    left_out: list[Event] = []
    removed: list[Event] = []
    for value in params["records"]:
        used = target.anchored_records + target.erased_records + len(moved)
        reason = _refusal(state, target, value, room=used < target.entry.record_count)
        if reason is None:
            event = _move(state, target, value)
            moved.append(event)
            removed += shrink(state, event.fields["from"])
        else:
            left_out.append(rejected(target, value, reason))
    # The pallet settles the objects in the order of their ids.
    removed.sort(key=lambda event: event.fields["object"])
    return [*moved, *left_out, *removed, *closed(state, target, len(moved))]


def _refusal(state: State, target: StoredObject, value: Mapping[str, Any], *, room: bool) -> str | None:
    present = state.records.get(from_hex(value["id"]))
    if present is None:
        return "RecordUnknown"
    if not isinstance(present, Record):
        return "RecordErased"
    wanted = _moved(present, target, value)
    said = replace(wanted, patient_id=from_hex(value["patient"]), format=FORMATS[value["format"]])
    elsewhere = present.object_id != target.entry.object_id
    rules = {
        "ObjectForeign": state.objects[present.object_id].custodian == target.custodian,
        "RecordInPlace": said != present,
        "RecordMismatch": said == wanted and elsewhere,
        "ObjectFull": room,
        "OutsideObject": inside(target, value),
    }
    return next((name for name, holds in rules.items() if not holds), None)


def _moved(present: Record, target: StoredObject, value: Mapping[str, Any]) -> Record:
    return replace(
        present,
        object_id=target.entry.object_id,
        offset=value["offset"],
        length=value["length"],
        digest=from_hex(value["digest"]),
    )


def _move(state: State, target: StoredObject, value: Mapping[str, Any]) -> Event:
    record_id = from_hex(value["id"])
    present = live_record(state, record_id)
    state.records[record_id] = _moved(present, target, value)
    return emr_event(
        "RecordMoved",
        **{"from": present.object_id},
        record=record_id,
        patient=present.patient_id,
        object=target.entry.object_id,
        custodian=target.custodian,
    )

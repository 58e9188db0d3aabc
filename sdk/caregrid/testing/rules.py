"""What the chain does with each call: pallet-emr's rules, without fees and deposits."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.calls import FORMAT_NAMES, MAX_BATCH
from caregrid.chain.port import (
    Call,
    EncryptionKey,
    Escrowed,
    Event,
    Grant,
    Inline,
    KeyState,
    Organisation,
    Patient,
    PatientScope,
    Pending,
    Record,
    RecordScope,
    Scope,
    StoredObject,
)
from caregrid.errors import (
    CallRejected,
    CaregridError,
    NoEncryptionKey,
    NoGrant,
    PatientUnknown,
    RecordUnknown,
)
from caregrid.records import ObjectEntry, RecordEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: As in the development runtime.
MAX_RECORDS_PER_OBJECT: Final = 65_536
#: As in the development runtime: ten years of blocks.
MAX_GRANT_DURATION: Final = 10 * 365 * 43_200

#: Refusals that have an exception of their own; all others are `CallRejected`.
OWN_ERRORS: Final[Mapping[str, type[CaregridError]]] = {
    "RecordUnknown": RecordUnknown,
    "PatientUnknown": PatientUnknown,
    "GrantUnknown": NoGrant,
    "NoEncryptionKey": NoEncryptionKey,
}

_FORMATS: Final = {name: number for number, name in FORMAT_NAMES.items()}


@dataclass(slots=True)
class State:
    """Everything that stands on the chain."""

    organisations: dict[bytes, Organisation] = field(default_factory=dict)
    patients: dict[bytes, Patient] = field(default_factory=dict)
    keys: dict[bytes, EncryptionKey] = field(default_factory=dict)
    objects: dict[bytes, StoredObject] = field(default_factory=dict)
    records: dict[bytes, Record] = field(default_factory=dict)
    grants: dict[tuple[Scope, bytes], Grant] = field(default_factory=dict)
    balances: dict[bytes, int] = field(default_factory=dict)


def run(state: State, signer: bytes, call: Call, block: int) -> list[Event]:
    """Execute one call and return its events; a call that is refused changes nothing.

    Raises:
        CaregridError: the chain refuses the call; the same class as the real chain's client raises.
    """
    rule = _RULES.get((call.pallet, call.function))
    if rule is None:
        raise ValueError(f"the memory chain has no call {call.pallet}.{call.function}")
    return rule(state, signer, call.params, block)


def _ensure(condition: object, name: str) -> None:
    if not condition:
        raise _refused(name)


def _refused(name: str) -> CaregridError:
    return OWN_ERRORS[name]() if name in OWN_ERRORS else CallRejected(pallet="Emr", name=name)


def _event(name: str, **fields: Any) -> Event:
    return Event(pallet="Emr", name=name, fields=fields)


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))


def _register_organisation(
    state: State, signer: bytes, params: Mapping[str, Any], _block: int
) -> list[Event]:
    _ensure(signer not in state.organisations, "OrganisationExists")
    return [_event("OrganisationRegistered", organisation=signer), _put_operators(state, signer, params)]


def _set_operators(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    _ensure(signer in state.organisations, "OrganisationUnknown")
    return [_put_operators(state, signer, params)]


def _put_operators(state: State, organisation: bytes, params: Mapping[str, Any]) -> Event:
    operators = sorted(_bytes(account) for account in params["operators"])
    _ensure(len(set(operators)) == len(operators), "DuplicateOperator")
    state.organisations[organisation] = Organisation(account=organisation, operators=frozenset(operators))
    return _event("OperatorsSet", organisation=organisation, operators=operators)


def _acting_for(state: State, signer: bytes, params: Mapping[str, Any]) -> bytes:
    organisation = _bytes(params["organisation"])
    _ensure(organisation in state.organisations, "OrganisationUnknown")
    _ensure(_is_operator(state, organisation, signer), "NotOperator")
    return organisation


def _is_operator(state: State, organisation: bytes, account: bytes) -> bool:
    return account == organisation or account in state.organisations[organisation].operators


def _register_patient(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    organisation, patient_id = _acting_for(state, signer, params), _bytes(params["patient"])
    _ensure(patient_id not in state.patients, "PatientExists")
    controller = organisation if params["controller"] is None else _bytes(params["controller"])
    state.patients[patient_id] = Patient(
        patient_id=patient_id, organisation=organisation, controller=controller
    )
    return [_event("PatientRegistered", patient=patient_id, organisation=organisation, controller=controller)]


def _set_encryption_key(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    version = state.keys[signer].version + 1 if signer in state.keys else 1
    public_key = _bytes(params["public"])
    state.keys[signer] = EncryptionKey(account=signer, public_key=public_key, version=version)
    return [_event("EncryptionKeySet", account=signer, version=version)]


def _store_emr(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    events = _store(state, signer, params, [params["record"]], block)
    for event in events:
        if event.name == "RecordRejected":
            raise _refused(event.fields["reason"])
    return events


def _store_emr_batch(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    _ensure(params["records"], "BatchEmpty")
    if len(params["records"]) > MAX_BATCH:
        raise ValueError(f"a batch holds at most {MAX_BATCH} records")
    return _store(state, signer, params, params["records"], block)


def _store(
    state: State,
    signer: bytes,
    params: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    block: int,
) -> list[Event]:
    custodian, entry = _acting_for(state, signer, params), _object_entry(params["object"])
    _ensure(entry.record_count <= MAX_RECORDS_PER_OBJECT, "ObjectInvalid")
    known = state.objects.get(entry.object_id)
    _ensure(known is None or known.custodian == custodian, "ObjectForeign")
    _ensure(known is None or known.entry == entry, "ObjectMismatch")
    anchored = 0 if known is None else known.anchored_records
    stored: list[Event] = []
    rejected: list[Event] = []
    for record in (_record_entry(value) for value in records):
        room = anchored + len(stored) < entry.record_count
        reason = _refusal(state, custodian, entry, record, room=room)
        if reason is None:
            stored.append(_anchor(state, custodian, entry, record, block))
        else:
            rejected.append(
                _event("RecordRejected", record=record.record_id, object=entry.object_id, reason=reason)
            )
    events = [*stored, *rejected]
    if stored:
        total = anchored + len(stored)
        state.objects[entry.object_id] = StoredObject(
            entry=entry, custodian=custodian, anchored_records=total
        )
    if stored and known is None:
        events.append(_event("ObjectStored", object=entry.object_id, custodian=custodian))
    return events


def _refusal(
    state: State, custodian: bytes, entry: ObjectEntry, record: RecordEntry, *, room: bool
) -> str | None:
    patient = state.patients.get(record.patient_id)
    rules = {
        "RecordExists": record.record_id not in state.records,
        "ObjectFull": room,
        "OutsideObject": record.offset + record.length <= entry.size,
        "PatientUnknown": patient is not None and patient.organisation == custodian,
    }
    return next((name for name, holds in rules.items() if not holds), None)


def _anchor(state: State, custodian: bytes, entry: ObjectEntry, record: RecordEntry, block: int) -> Event:
    state.records[record.record_id] = Record(
        record_id=record.record_id,
        patient_id=record.patient_id,
        object_id=entry.object_id,
        offset=record.offset,
        length=record.length,
        digest=record.digest,
        format=record.format,
        anchored_at=block,
    )
    return _event(
        "RecordStored",
        record=record.record_id,
        patient=record.patient_id,
        object=entry.object_id,
        custodian=custodian,
    )


def _object_entry(value: Mapping[str, Any]) -> ObjectEntry:
    return ObjectEntry(
        object_id=_bytes(value["id"]),
        size=value["size"],
        record_count=value["record_count"],
        manifest_root=_bytes(value["manifest_root"]),
    )


def _record_entry(value: Mapping[str, Any]) -> RecordEntry:
    return RecordEntry(
        record_id=_bytes(value["id"]),
        patient_id=_bytes(value["patient"]),
        offset=value["offset"],
        length=value["length"],
        digest=_bytes(value["digest"]),
        format=_FORMATS[value["format"]],
    )


def _grant_access(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    scope, grantee = _scope(params["scope"]), _bytes(params["grantee"])
    patient = _controlled(state, signer, scope)
    expires_at, key = params["expires_at"], _key_state(params["key"])
    _ensure(expires_at > block, "ExpiryInPast")
    _ensure(expires_at <= block + MAX_GRANT_DURATION, "ExpiryTooFar")
    if not isinstance(key, Pending):
        _ensure(grantee in state.keys, "NoEncryptionKey")
        _ensure(state.keys[grantee].version == key.key_version, "EncryptionKeyStale")
    state.grants[scope, grantee] = Grant(
        scope=scope, grantee=grantee, expires_at=expires_at, purpose=params["purpose"], key=key
    )
    return [
        _event(
            "AccessGranted",
            scope=_scope_field(scope),
            grantee=grantee,
            expires_at=expires_at,
            custodian=patient.organisation,
            purpose=params["purpose"],
        )
    ]


def _revoke_access(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    scope, grantee = _scope(params["scope"]), _bytes(params["grantee"])
    patient = _controlled(state, signer, scope)
    _ensure((scope, grantee) in state.grants, "GrantUnknown")
    del state.grants[scope, grantee]
    fields = {"scope": _scope_field(scope), "grantee": grantee, "custodian": patient.organisation}
    return [_event("AccessRevoked", **fields)]


def _controlled(state: State, signer: bytes, scope: Scope) -> Patient:
    if isinstance(scope, RecordScope):
        _ensure(scope.record_id in state.records, "RecordUnknown")
        patient_id = state.records[scope.record_id].patient_id
    else:
        patient_id = scope.patient_id
    _ensure(patient_id in state.patients, "PatientUnknown")
    patient = state.patients[patient_id]
    unclaimed = patient.controller == patient.organisation
    acts = unclaimed and _is_operator(state, patient.organisation, signer)
    _ensure(signer == patient.controller or acts, "NotController")
    return patient


def _scope(value: Mapping[str, str]) -> Scope:
    if "Record" in value:
        return RecordScope(record_id=_bytes(value["Record"]))
    return PatientScope(patient_id=_bytes(value["Patient"]))


def _scope_field(scope: Scope) -> dict[str, bytes]:
    if isinstance(scope, RecordScope):
        return {"Record": scope.record_id}
    return {"Patient": scope.patient_id}


def _key_state(value: Any) -> KeyState:
    match value:
        case {"Inline": {"wrapped": wrapped, "key_version": version}}:
            return Inline(wrapped=_bytes(wrapped), key_version=version)
        case {"Escrowed": {"digest": digest, "key_version": version}}:
            return Escrowed(digest=_bytes(digest), key_version=version)
    return Pending()


def _transfer(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    target, value = _bytes(params["dest"]["Id"]), params["value"]
    if state.balances.get(signer, 0) < value:
        raise CallRejected(pallet="System", name="Token.FundsUnavailable")
    state.balances[signer] -= value
    state.balances[target] = state.balances.get(target, 0) + value
    return [Event(pallet="Balances", name="Transfer", fields={"from": signer, "to": target, "amount": value})]


def _inner(call: Mapping[str, Any]) -> Call:
    return Call(pallet=call["call_module"], function=call["call_function"], params=call["call_args"])


def _batch_all(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """Run every call on a copy, and keep it only when none was refused; values are never changed in place."""
    trial = State(**{each.name: dict(getattr(state, each.name)) for each in fields(State)})
    events = [event for inner in params["calls"] for event in run(trial, signer, _inner(inner), block)]
    for each in fields(State):
        setattr(state, each.name, getattr(trial, each.name))
    return events


_RULES: Final[dict[tuple[str, str], Callable[[State, bytes, Mapping[str, Any], int], list[Event]]]] = {
    ("Emr", "register_organisation"): _register_organisation,
    ("Emr", "set_operators"): _set_operators,
    ("Emr", "register_patient"): _register_patient,
    ("Emr", "set_encryption_key"): _set_encryption_key,
    ("Emr", "store_emr"): _store_emr,
    ("Emr", "store_emr_batch"): _store_emr_batch,
    ("Emr", "grant_access"): _grant_access,
    ("Emr", "revoke_access"): _revoke_access,
    ("Balances", "transfer_keep_alive"): _transfer,
    ("Utility", "batch_all"): _batch_all,
}

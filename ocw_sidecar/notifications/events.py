"""Who is told of what happened on the chain: a pure function from a finalized block to notices.

Only what concerns records in our custody: whoever else is told, their own custodian's sidecar does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ocw_sidecar.notifications.items import NoticeKind, notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from caregrid.chain.port import Event, FinalizedBlock
    from ocw_sidecar.notifications.items import Notice

_PALLET: Final = "Emr"

#: What each event is told as, and the fields that name who is told.
TOLD: Final[Mapping[str, tuple[NoticeKind, tuple[str, ...]]]] = {
    # Whoever decides, and the custodian, whose staff are asked when nothing happens.
    "AccessRequested": (NoticeKind.ACCESS_REQUESTED, ("controller", "custodian")),
    "RequestDenied": (NoticeKind.ACCESS_DENIED, ("requester",)),
    "AccessGranted": (NoticeKind.ACCESS_GRANTED, ("grantee",)),
    "AccessRevoked": (NoticeKind.ACCESS_REVOKED, ("grantee",)),
    "AccessExpired": (NoticeKind.ACCESS_EXPIRED, ("grantee",)),
    "EmergencyAccessOpened": (NoticeKind.EMERGENCY_ACCESS, ("controller", "custodian")),
}

#: Events that nobody is told of, each with a reason.
SILENT: Final[Mapping[str, str]] = {
    "OrganisationRegistered": "the organisation's own call",
    "OperatorsSet": "the organisation's own call",
    "EmergencyMembersSet": "the organisation's own call",
    "PatientRegistered": "the sidecar's own call; its status says so",
    "PatientRejected": "the sidecar's own call; its status says so",
    "PatientOffered": "whoever offers an entry tells the person himself, who has no account before",
    "PatientClaimed": "the patient's own call",
    "EncryptionKeySet": "the account's own call",
    "ObjectStored": "a step of storing; a submission's status says so",
    "RecordStored": "a step of storing; a submission's status says so",
    "RecordRejected": "becomes a failed record, which is told where it fails",
    "RecordMoved": "the custodian's own call; who may read it still may",
    "RecordErased": "the custodian's own call",
    "ObjectRemoved": "follows from the custodian's own call",
    "ProofCommitted": "bookkeeping of storage",
    "RequestExpired": "the requester chose the block himself",
    "KeyDelivered": "the second half of a grant, which was told",
    "KeyRejected": "the sidecar tries again",
    "StorageHealthReported": "our own measurement; trouble is told where it is measured",
    "IntegrityReported": "our own measurement; trouble is told where it is measured",
    "ReportRejected": "the sidecar tries again",
    "PurgeRejected": "nothing was changed",
}

#: Events that make an account one that decides here; it may choose channels before it is told anything.
ACQUAINTING: Final = frozenset({"PatientRegistered", "PatientClaimed"})

#: Fields of events that become facts. An access's purpose and an emergency's reason are none of them.
_IDS: Final = ("record", "patient", "requester", "grantee", "member")


def notices_of(block: FinalizedBlock, organisation: bytes, now: datetime) -> list[Notice]:
    """Return what is to be told of a block, in the order of its events; the same for the same block."""
    return [
        told
        for event in block.events
        # Events of a runtime before some of them named a custodian are nobody's.
        if event.pallet == _PALLET and event.name in TOLD and event.fields.get("custodian") == organisation
        for told in _told(event, block.ref.number, now)
    ]


def acquainted_by(block: FinalizedBlock, organisation: bytes) -> set[bytes]:
    """Return the accounts that a block makes controllers of patients of ours."""
    return {
        event.fields["controller"]
        for event in block.events
        if event.pallet == _PALLET
        and event.name in ACQUAINTING
        and event.fields["organisation"] == organisation
    }


def _told(event: Event, number: int, now: datetime) -> list[Notice]:
    kind, told = TOLD[event.name]
    facts = _facts(event.fields) | {"block": number}
    # One account may be both; it is told once.
    recipients = dict.fromkeys(event.fields[name] for name in told)
    return [notice(kind, recipient, now, **facts) for recipient in recipients]


def _facts(fields: Mapping[str, Any]) -> dict[str, str | int]:
    facts: dict[str, str | int] = {name: fields[name].hex() for name in _IDS if name in fields}
    for variant, covered in fields.get("scope", {}).items():
        facts[variant.lower()] = covered.hex()
    if "expires_at" in fields:
        facts["expires_at"] = fields["expires_at"]
    return facts

"""What stands on the chain, and what all rules need."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from caregrid.chain.port import Event, ExpirableGrant, RecordScope
from caregrid.chain.refusals import refusal

if TYPE_CHECKING:
    from caregrid.chain.port import (
        AccessRequest,
        AttackSignature,
        EncryptionKey,
        Expirable,
        Grant,
        IpBlock,
        IpNet,
        Organisation,
        Patient,
        Record,
        Scope,
        StoredObject,
        Tombstone,
    )


@dataclass(slots=True)
class State:
    """Everything that stands on the chain. Values are replaced, never changed in place."""

    organisations: dict[bytes, Organisation] = field(default_factory=dict)
    patients: dict[bytes, Patient] = field(default_factory=dict)
    keys: dict[bytes, EncryptionKey] = field(default_factory=dict)
    objects: dict[bytes, StoredObject] = field(default_factory=dict)
    records: dict[bytes, Record | Tombstone] = field(default_factory=dict)
    grants: dict[tuple[Scope, bytes], Grant] = field(default_factory=dict)
    requests: dict[tuple[bytes, bytes], AccessRequest] = field(default_factory=dict)
    ip_blocks: dict[tuple[IpNet, bytes], IpBlock] = field(default_factory=dict)
    signatures: dict[bytes, AttackSignature] = field(default_factory=dict)
    balances: dict[bytes, int] = field(default_factory=dict)
    proxies: dict[tuple[bytes, bytes], str] = field(default_factory=dict)

    def copy(self) -> State:
        """Return a state of its own with the same values."""
        return State(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})

    def become(self, other: State) -> None:
        """Take over another state's values."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


def ensure(condition: object, name: str, pallet: str = "Emr") -> None:
    """Refuse the call by an error's name unless the condition holds."""
    if not condition:
        raise refusal(pallet, name)


def emr_event(name: str, **values: Any) -> Event:
    """Return an event of pallet-emr."""
    return Event(pallet="Emr", name=name, fields=values)


def from_hex(value: str) -> bytes:
    """Return a parameter's bytes."""
    return bytes.fromhex(value.removeprefix("0x"))


def scope_field(scope: Scope) -> dict[str, bytes]:
    """Return a scope as it stands in events."""
    if isinstance(scope, RecordScope):
        return {"Record": scope.record_id}
    return {"Patient": scope.patient_id}


def expirable_field(item: Expirable) -> dict[str, list[Any]]:
    """Return something that ends at a block as it stands in events."""
    if isinstance(item, ExpirableGrant):
        return {"Grant": [scope_field(item.scope), item.grantee]}
    return {"Request": [item.record_id, item.requester]}


def place(key: bytes) -> bytes:
    """Return where a key stands in a map that hashes it by `Blake2_128Concat`."""
    return hashlib.blake2b(key, digest_size=16).digest() + key


def scope_key(scope: Scope) -> bytes:
    """Return a scope's encoding."""
    if isinstance(scope, RecordScope):
        return b"\x00" + scope.record_id
    return b"\x01" + scope.patient_id


def expirable_key(item: Expirable) -> bytes:
    """Return the encoding of something that ends at a block."""
    if isinstance(item, ExpirableGrant):
        return b"\x00" + scope_key(item.scope) + item.grantee
    return b"\x01" + item.record_id + item.requester

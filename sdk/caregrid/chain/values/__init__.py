"""From substrate-interface's decoded values to the port's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.port import Event
from caregrid.chain.values.access import (
    to_expiring_page,
    to_grant,
    to_grant_page,
    to_grant_view,
    to_request,
    to_scope,
)
from caregrid.chain.values.parties import to_encryption_key, to_organisation, to_patient
from caregrid.chain.values.plain import to_account, to_bytes, to_plain
from caregrid.chain.values.records import (
    to_object,
    to_record,
    to_record_page,
    to_record_view,
    to_tombstone,
)
from caregrid.chain.values.threats import to_ip_block, to_signature

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_event(value: Mapping[str, Any]) -> Event:
    """Return an event; hex becomes bytes, SS58 becomes 32 bytes, names stay text."""
    attributes = value["attributes"]
    fields = attributes if isinstance(attributes, dict) else {"value": attributes}
    return Event(
        pallet=value["module_id"],
        name=value["event_id"],
        fields={name: to_plain(field) for name, field in fields.items()},
    )


__all__ = [
    "to_account",
    "to_bytes",
    "to_encryption_key",
    "to_event",
    "to_expiring_page",
    "to_grant",
    "to_grant_page",
    "to_grant_view",
    "to_ip_block",
    "to_object",
    "to_organisation",
    "to_patient",
    "to_plain",
    "to_record",
    "to_record_page",
    "to_record_view",
    "to_request",
    "to_scope",
    "to_signature",
    "to_tombstone",
]

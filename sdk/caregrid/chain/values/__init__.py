"""From substrate-interface's decoded values to the port's values."""

from __future__ import annotations

from caregrid.chain.values.access import (
    to_expiring_page,
    to_grant,
    to_grant_page,
    to_grant_view,
    to_request,
    to_scope,
)
from caregrid.chain.values.parties import to_encryption_key, to_organisation, to_patient
from caregrid.chain.values.plain import to_account, to_bytes
from caregrid.chain.values.records import (
    to_object,
    to_record,
    to_record_page,
    to_record_view,
    to_tombstone,
)
from caregrid.chain.values.threats import (
    to_ip_block,
    to_ip_block_page,
    to_network,
    to_signature,
    to_signature_page,
)

__all__ = [
    "to_account",
    "to_bytes",
    "to_encryption_key",
    "to_expiring_page",
    "to_grant",
    "to_grant_page",
    "to_grant_view",
    "to_ip_block",
    "to_ip_block_page",
    "to_network",
    "to_object",
    "to_organisation",
    "to_patient",
    "to_record",
    "to_record_page",
    "to_record_view",
    "to_request",
    "to_scope",
    "to_signature",
    "to_signature_page",
    "to_tombstone",
]

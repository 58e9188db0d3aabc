"""Intents: every call that CareGrid makes, ready to be signed.

Accounts are 32 raw bytes, everything else as in :mod:`caregrid.records`. A builder raises
:class:`~caregrid.errors.InputInvalid` for what the chain could not even decode: a wrong length, a list over
its bound, an unknown name; and for what it would refuse without a look at its state.
"""

from __future__ import annotations

from caregrid.chain.calls.access import (
    PURPOSES,
    deliver_keys,
    deny_request,
    grant_access,
    open_emergency_access,
    purge_expired,
    request_access,
    revoke_access,
)
from caregrid.chain.calls.accounts import ProxyType, add_proxy, batch_all, proxy, remove_proxy, transfer
from caregrid.chain.calls.params import FORMAT_NAMES
from caregrid.chain.calls.parties import (
    claim_patient,
    offer_patient,
    register_organisation,
    register_patient,
    register_patients,
    set_emergency_members,
    set_encryption_key,
    set_operators,
)
from caregrid.chain.calls.records import erase_record, move_records, store_emr, store_emr_batch
from caregrid.chain.calls.storage import commit_proof, report_integrity, report_storage_health
from caregrid.chain.calls.threats import (
    block_ip,
    cleanup_expired_blocks,
    register_signature,
    retire_signature,
    unblock_ip,
)
from caregrid.chain.limits import MAX_BATCH

__all__ = [
    "FORMAT_NAMES",
    "MAX_BATCH",
    "PURPOSES",
    "ProxyType",
    "add_proxy",
    "batch_all",
    "block_ip",
    "claim_patient",
    "cleanup_expired_blocks",
    "commit_proof",
    "deliver_keys",
    "deny_request",
    "erase_record",
    "grant_access",
    "move_records",
    "offer_patient",
    "open_emergency_access",
    "proxy",
    "purge_expired",
    "register_organisation",
    "register_patient",
    "register_patients",
    "register_signature",
    "remove_proxy",
    "report_integrity",
    "report_storage_health",
    "request_access",
    "retire_signature",
    "revoke_access",
    "set_emergency_members",
    "set_encryption_key",
    "set_operators",
    "store_emr",
    "store_emr_batch",
    "transfer",
    "unblock_ip",
]

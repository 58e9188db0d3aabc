"""What the chain does with each call: the pallets' rules, without fees and deposits.

Also what a block does with its idle time, and what the runtime's `EmrApi` answers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from caregrid.testing.rules import (
    access,
    accounts,
    expiry,
    moves,
    parties,
    queries,
    records,
    requests,
    storage,
    threats,
)
from caregrid.testing.rules.decoding import require_decodable
from caregrid.testing.rules.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caregrid.chain.port import Call, Event

    Rule = Callable[[State, bytes, Mapping[str, Any], int], list[Event]]


def run(state: State, signer: bytes, call: Call, block: int) -> list[Event]:
    """Execute one call and return its events; a call that is refused changes nothing.

    Raises:
        CallRejected: the chain refuses the call; the same class as the real chain's client raises.
    """
    rule = _RULES.get((call.pallet, call.function))
    if rule is None:
        raise ValueError(f"the memory chain has no call {call.pallet}.{call.function}")
    require_decodable(call.params)
    return rule(state, signer, call.params, block)


def idle(state: State, block: int) -> list[Event]:
    """Do what a block does with the weight that is left."""
    return [*expiry.drain(state, block), *threats.drain(state, block)]


_RULES: Final[dict[tuple[str, str], Rule]] = {
    ("Emr", "register_organisation"): parties.register_organisation,
    ("Emr", "set_operators"): parties.set_operators,
    ("Emr", "set_emergency_members"): parties.set_emergency_members,
    ("Emr", "register_patient"): parties.register_patient,
    ("Emr", "register_patients"): parties.register_patients,
    ("Emr", "offer_patient"): parties.offer_patient,
    ("Emr", "claim_patient"): parties.claim_patient,
    ("Emr", "set_encryption_key"): parties.set_encryption_key,
    ("Emr", "store_emr"): records.store_emr,
    ("Emr", "store_emr_batch"): records.store_emr_batch,
    ("Emr", "move_records"): moves.move_records,
    ("Emr", "erase_record"): records.erase_record,
    ("Emr", "request_access"): requests.request_access,
    ("Emr", "deny_request"): requests.deny_request,
    ("Emr", "grant_access"): access.grant_access,
    ("Emr", "revoke_access"): access.revoke_access,
    ("Emr", "deliver_keys"): access.deliver_keys,
    ("Emr", "open_emergency_access"): access.open_emergency_access,
    ("Emr", "purge_expired"): expiry.purge_expired,
    ("Emr", "commit_proof"): storage.commit_proof,
    ("Emr", "report_storage_health"): storage.report_storage_health,
    ("Emr", "report_integrity"): storage.report_integrity,
    ("Threats", "block_ip"): threats.block_ip,
    ("Threats", "unblock_ip"): threats.unblock_ip,
    ("Threats", "cleanup_expired_blocks"): threats.cleanup_expired_blocks,
    ("Threats", "register_signature"): threats.register_signature,
    ("Threats", "retire_signature"): threats.retire_signature,
    ("Balances", "transfer_keep_alive"): accounts.transfer,
    ("Proxy", "add_proxy"): accounts.add_proxy,
    ("Proxy", "remove_proxy"): accounts.remove_proxy,
    ("Proxy", "proxy"): partial(accounts.proxy, run),
    ("Utility", "batch_all"): partial(accounts.batch_all, run),
}

__all__ = ["State", "idle", "queries", "run"]

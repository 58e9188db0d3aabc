"""Blocked networks and attack signatures."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.limits import MAX_BLOCK_DURATION, MAX_CLEANUP
from caregrid.chain.port import (
    AttackSignature,
    BlockReason,
    Event,
    IpBlock,
    IpNet,
    Severity,
    SignatureFormat,
)
from caregrid.chain.refusals import threats
from caregrid.errors import CallRejected
from caregrid.testing.rules.state import ensure, from_hex, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.testing.rules.state import State

_THREATS: Final = "Threats"


def block_ip(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Threats.block_ip`."""
    organisation = _acting_for(state, signer, params)
    net, expires_at = _network(params["net"]), params["expires_at"]
    ensure(expires_at > block, "ExpiryInPast", _THREATS)
    ensure(expires_at <= block + MAX_BLOCK_DURATION, "ExpiryTooFar", _THREATS)
    reason = BlockReason(params["reason"])
    state.ip_blocks[net, organisation] = IpBlock(
        net=net, organisation=organisation, reason=reason, expires_at=expires_at
    )
    fields = {"net": _net_field(net), "organisation": organisation}
    return [_event("IpBlocked", **fields, reason=reason, expires_at=expires_at)]


def unblock_ip(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Threats.unblock_ip`."""
    organisation, net = _acting_for(state, signer, params), _any_network(params["net"])
    entry = None if net is None else state.ip_blocks.get((net, organisation))
    if entry is None:
        raise threats.BlockUnknown
    return [_removed(state, "IpUnblocked", entry)]


def cleanup_expired_blocks(
    state: State, _signer: bytes, params: Mapping[str, Any], block: int
) -> list[Event]:
    """`Threats.cleanup_expired_blocks`."""
    ensure(1 <= params["limit"] <= MAX_CLEANUP, "LimitInvalid", _THREATS)
    return _expire(state, block, params["limit"])


def register_signature(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Threats.register_signature`."""
    organisation, signature_id = _acting_for(state, signer, params), from_hex(params["id"])
    pattern = from_hex(params["pattern"])
    ensure(pattern, "PatternEmpty", _THREATS)
    ensure(signature_id not in state.signatures, "SignatureExists", _THREATS)
    entry = AttackSignature(
        signature_id=signature_id,
        organisation=organisation,
        format=SignatureFormat(params["format"]),
        severity=Severity(params["severity"]),
        pattern=pattern,
        registered_at=block,
    )
    state.signatures[signature_id] = entry
    fields = {"signature": signature_id, "organisation": organisation}
    return [_event("SignatureRegistered", **fields, format=entry.format, severity=entry.severity)]


def retire_signature(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Threats.retire_signature`."""
    organisation, signature_id = _acting_for(state, signer, params), from_hex(params["id"])
    ensure(signature_id in state.signatures, "SignatureUnknown", _THREATS)
    ensure(state.signatures[signature_id].organisation == organisation, "SignatureForeign", _THREATS)
    del state.signatures[signature_id]
    return [_event("SignatureRetired", signature=signature_id, organisation=organisation)]


def drain(state: State, block: int) -> list[Event]:
    """Remove what is due, the earliest first; what `on_idle` does."""
    return _expire(state, block, MAX_CLEANUP)


def _expire(state: State, block: int, limit: int) -> list[Event]:
    due = [each for each in state.ip_blocks.values() if not each.is_live(block)]
    due.sort(key=lambda each: (each.expires_at, place(_net_key(each.net) + each.organisation)))
    return [_removed(state, "IpBlockExpired", each) for each in due[:limit]]


def _removed(state: State, event: str, entry: IpBlock) -> Event:
    del state.ip_blocks[entry.net, entry.organisation]
    fields = {"net": _net_field(entry.net), "organisation": entry.organisation}
    return _event(event, **fields, expires_at=entry.expires_at)


def _acting_for(state: State, signer: bytes, params: Mapping[str, Any]) -> bytes:
    organisation = from_hex(params["organisation"])
    entry = state.organisations.get(organisation)
    if entry is None or (signer != organisation and signer not in entry.operators):
        raise CallRejected(pallet="System", name="BadOrigin")
    return organisation


def _network(value: Mapping[str, Any]) -> IpNet:
    net = _any_network(value)
    if net is None:
        raise threats.NetworkInvalid
    return net


def _any_network(value: Mapping[str, Any]) -> IpNet | None:
    """Return a network, or None where the prefix does not fit the address."""
    kind: type[IPv4Network | IPv6Network] = IPv4Network if "V4" in value else IPv6Network
    [fields] = value.values()
    try:
        return kind((from_hex(fields["address"]), fields["prefix"]))
    except ValueError:
        return None


def _net_field(net: IpNet) -> dict[str, dict[str, Any]]:
    return {f"V{net.version}": {"address": net.network_address.packed, "prefix": net.prefixlen}}


def _net_key(net: IpNet) -> bytes:
    version = 0 if isinstance(net, IPv4Network) else 1
    return bytes([version]) + net.network_address.packed + bytes([net.prefixlen])


def _event(name: str, **values: Any) -> Event:
    return Event(pallet=_THREATS, name=name, fields=values)

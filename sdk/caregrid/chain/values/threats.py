"""Blocked networks and attack signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.port import (
    AttackSignature,
    BlockReason,
    IpBlock,
    IpBlockPage,
    Severity,
    SignatureFormat,
    SignaturePage,
    network_of,
)
from caregrid.chain.values.plain import to_account, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import IpNet


def to_ip_block(net: IpNet, organisation: bytes, value: Mapping[str, Any]) -> IpBlock:
    """Return a blocked network from `Threats.Blocks`."""
    return IpBlock(
        net=net,
        organisation=organisation,
        reason=BlockReason(value["reason"]),
        expires_at=value["expires_at"],
    )


def to_signature(signature_id: bytes, value: Mapping[str, Any]) -> AttackSignature:
    """Return an attack signature from `Threats.Signatures`."""
    return AttackSignature(
        signature_id=signature_id,
        organisation=to_account(value["organisation"]),
        format=SignatureFormat(value["format"]),
        severity=Severity(value["severity"]),
        pattern=to_bytes(value["pattern"]),
        registered_at=value["registered_at"],
    )


def to_network(value: Mapping[str, Any]) -> IpNet:
    """Return a network from the runtime's enum, as the library decodes it."""
    [(version, fields)] = value.items()
    return network_of({version: {**fields, "address": to_bytes(fields["address"])}})


def to_ip_block_page(
    found: Sequence[tuple[tuple[Any, Any], Mapping[str, Any]]], after: bytes | None
) -> IpBlockPage:
    """Return a page of `Threats.Blocks`."""
    blocks = [to_ip_block(to_network(net), to_account(account), value) for (net, account), value in found]
    return IpBlockPage(items=blocks, next=after)


def to_signature_page(found: Sequence[tuple[Any, Mapping[str, Any]]], after: bytes | None) -> SignaturePage:
    """Return a page of `Threats.Signatures`."""
    return SignaturePage(items=[to_signature(to_bytes(of), value) for of, value in found], next=after)

"""Blocked networks and attack signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.port import (
    AttackSignature,
    BlockReason,
    IpBlock,
    Severity,
    SignatureFormat,
)
from caregrid.chain.values.plain import to_account, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

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

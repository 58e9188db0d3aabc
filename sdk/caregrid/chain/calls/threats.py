"""Blocked networks and attack signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caregrid.chain.calls import params
from caregrid.chain.limits import MAX_CLEANUP, MAX_PATTERN_LEN
from caregrid.chain.port import BlockReason, Call, Severity, SignatureFormat
from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from caregrid.chain.port import IpNet

SIGNATURE_ID_LEN: Final = 16


def block_ip(organisation: bytes, net: IpNet, *, reason: str, expires_at: int) -> Call:
    """Block a network until block `expires_at`, exclusively; an existing block is replaced."""
    return Call(
        pallet="Threats",
        function="block_ip",
        params={
            "organisation": params.account("organisation", organisation),
            "net": params.network(net),
            "reason": params.one_of("reason", BlockReason, reason),
            "expires_at": params.block("expires_at", expires_at),
        },
    )


def unblock_ip(organisation: bytes, net: IpNet) -> Call:
    """Withdraw the organisation's block of exactly this network."""
    return Call(
        pallet="Threats",
        function="unblock_ip",
        params={
            "organisation": params.account("organisation", organisation),
            "net": params.network(net),
        },
    )


def cleanup_expired_blocks(limit: int) -> Call:
    """Remove up to `limit` blocks that have expired, the earliest first."""
    if not 1 <= limit <= MAX_CLEANUP:
        raise InputInvalid(f"limit must be 1 to {MAX_CLEANUP}")
    return Call(pallet="Threats", function="cleanup_expired_blocks", params={"limit": limit})


def register_signature(
    organisation: bytes,
    signature_id: bytes,
    *,
    format: str,  # noqa: A002 - the field's name
    severity: str,
    pattern: bytes,
) -> Call:
    """Register an attack signature under an id of the caller's choice (UUIDv7)."""
    if not 1 <= len(pattern) <= MAX_PATTERN_LEN:
        raise InputInvalid(f"a pattern is 1 to {MAX_PATTERN_LEN} bytes long, not {len(pattern)}")
    return Call(
        pallet="Threats",
        function="register_signature",
        params={
            "organisation": params.account("organisation", organisation),
            "id": params.fixed("signature_id", signature_id, SIGNATURE_ID_LEN),
            "format": params.one_of("format", SignatureFormat, format),
            "severity": params.one_of("severity", Severity, severity),
            "pattern": "0x" + pattern.hex(),
        },
    )


def retire_signature(organisation: bytes, signature_id: bytes) -> Call:
    """Withdraw an attack signature that the organisation registered."""
    return Call(
        pallet="Threats",
        function="retire_signature",
        params={
            "organisation": params.account("organisation", organisation),
            "id": params.fixed("signature_id", signature_id, SIGNATURE_ID_LEN),
        },
    )

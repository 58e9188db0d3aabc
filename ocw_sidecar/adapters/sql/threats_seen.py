"""What finalized blocks say of blocked networks and attack signatures, folded into the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from caregrid.chain.port import network_of
from caregrid.errors import QueueFull
from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.background.items import BLOCK_S, MAX_SHARED
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from caregrid.chain.port import AttackSignature, Event, FinalizedBlock, IpBlock
    from ocw_sidecar.adapters.sql.database import Session

SQL: Final = sql.named_statements("threats")

_BLOCK_MS: Final = 1000 * BLOCK_S


def cursor(db: Session) -> int | None:
    """Return the last block that was taken in."""
    row = db.execute(SQL["cursor"]).fetchone()
    return None if row is None else int(row["block"])


def take_in(
    db: Session, blocks: Sequence[FinalizedBlock], signatures: Sequence[AttackSignature], now: datetime
) -> int:
    """Fold the blocks that come next; see `ThreatTables.take_in`."""
    at, changed = cursor(db), 0
    standing = {each.signature_id: each for each in signatures}
    for block in blocks:
        if at is not None and block.ref.number != at + 1:
            continue
        at = block.ref.number
        head = _Head(block.ref.number, to_ms(now) - _BLOCK_MS * (blocks[-1].ref.number - block.ref.number))
        changed += sum(_note(db, event, head, standing) for event in block.events)
    if at is not None:
        db.execute(SQL["put_cursor"], {"block": at})
    return changed


def take_all(
    db: Session,
    blocks: Sequence[IpBlock],
    signatures: Sequence[AttackSignature],
    height: int,
    now: datetime,
) -> int:
    """Begin anew with all that stands; see `ThreatTables.take_all`."""
    if max(len(blocks), len(signatures)) > MAX_SHARED:
        raise QueueFull(f"the chain holds more than {MAX_SHARED} entries; more are not kept here")
    head = _Head(height, to_ms(now))
    db.execute(SQL["forget_seen_blocks"])
    db.execute(SQL["forget_seen_signatures"])
    for entry in blocks:
        shown = {"organisation": entry.organisation, "reason": entry.reason, "expires_at": entry.expires_at}
        db.execute(SQL["see_block"], _of_block(str(entry.net), shown, head))
    for signature in signatures:
        db.execute(SQL["see_signature"], _of_signature(signature, head))
    db.execute(SQL["put_cursor"], {"block": height})
    return len(blocks) + len(signatures)


class _Head(NamedTuple):
    """A block, and when it was new."""

    number: int
    at_ms: int


def _note(db: Session, event: Event, head: _Head, standing: Mapping[bytes, AttackSignature]) -> int:
    if event.pallet != "Threats":
        return 0
    match event.name:
        case "IpBlocked":
            net = str(network_of(event.fields["net"]))
            return db.execute(SQL["see_block"], _of_block(net, event.fields, head)).rowcount
        case "IpUnblocked" | "IpBlockExpired":
            gone = {"net": str(network_of(event.fields["net"])), "organisation": event.fields["organisation"]}
            return db.execute(SQL["see_block_gone"], gone).rowcount
        case "SignatureRegistered":
            found = standing.get(event.fields["signature"])
            return (
                0 if found is None else db.execute(SQL["see_signature"], _of_signature(found, head)).rowcount
            )
        case "SignatureRetired":
            return db.execute(SQL["see_signature_gone"], {"id": event.fields["signature"]}).rowcount
    return 0


def _of_block(net: str, shown: Mapping[str, Any], head: _Head) -> dict[str, Any]:
    return {
        "net": net,
        "organisation": shown["organisation"],
        "reason": str(shown["reason"]),
        "expires_at": head.at_ms + _BLOCK_MS * (shown["expires_at"] - head.number),
        "expires_block": shown["expires_at"],
        "block": head.number,
        "now": head.at_ms,
    }


def _of_signature(found: AttackSignature, head: _Head) -> dict[str, Any]:
    return {
        "id": found.signature_id,
        "organisation": found.organisation,
        "format": found.format.value,
        "severity": found.severity.value,
        "pattern": found.pattern,
        "block": found.registered_at,
        "now": head.at_ms,
    }

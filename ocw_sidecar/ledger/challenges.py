"""Which records of an object are to be read: drawn from finalized blocks, for anybody to draw again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ocw_sidecar.ledger.items import Bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import AuditOutcome, BlockRef, Record

#: The author of one block could choose its hash; of several in a row he cannot.
MIXED_BLOCKS: Final = 3

_TAG: Final = b"caregrid/spot-check/v1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """What is asked of an object."""

    object_id: bytes
    blocks: Sequence[BlockRef]  #: the last is the one that the challenge is named after

    @property
    def challenged_at(self) -> int:
        """The block that the challenge is named after."""
        return self.blocks[-1].number

    def draw(self, record_ids: Sequence[bytes], count: int) -> list[bytes]:
        """Return up to `count` of an object's records, which must stand in the order of their ids."""
        seed = hashlib.sha256(_TAG + self.object_id + b"".join(block.hash for block in self.blocks)).digest()
        left, drawn = list(record_ids), list[bytes]()
        while left and len(drawn) < count:
            ticket = hashlib.sha256(seed + len(drawn).to_bytes(4, "big")).digest()
            drawn.append(left.pop(int.from_bytes(ticket, "big") % len(left)))
        return drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One record as it was read."""

    record: Record
    digest: bytes | None  #: SHA-256 of what came; None when nothing did

    @property
    def is_wrong(self) -> bool:
        """Whether something else came than what was anchored."""
        return self.digest is not None and self.digest != self.record.digest


def bundle_of(
    challenge: Challenge,
    readings: Sequence[Reading],
    outcome: AuditOutcome,
    network: Mapping[str, Any] | None = None,
) -> Bundle:
    """Return what was asked and answered, as JSON in one spelling; it holds ids and digests only.

    `network` is what the storage network's own record of proofs said, where there is one.
    """
    told = {
        "version": 1,
        "object": challenge.object_id.hex(),
        "blocks": [{"number": block.number, "hash": block.hash.hex()} for block in challenge.blocks],
        "outcome": str(outcome),
        "records": [
            {
                "record": reading.record.record_id.hex(),
                "offset": reading.record.offset,
                "length": reading.record.length,
                "anchored": reading.record.digest.hex(),
                "read": None if reading.digest is None else reading.digest.hex(),
            }
            for reading in readings
        ],
        **({} if network is None else {"network": network}),
    }
    body = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    return Bundle(
        digest=hashlib.sha256(body).digest(),
        object_id=challenge.object_id,
        challenged_at=challenge.challenged_at,
        body=body,
    )

"""Having records erased by their custodian's sidecar, and the receipts of it.

A receipt is one line of JSON that holds the digest of the receipt before it, whichever record that was of; so
none can be changed or left out later without all that follow.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import IntegrityFailed, NotYetAnchored, ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.transport import Transport

#: States from which on the chain says that the record is erased, or never had it.
FINAL_STATES: Final = frozenset({"erased", "gone", "withdrawn"})
#: What a receipt's digest covers before its body.
RECEIPT_TAG: Final = b"caregrid/erasure-receipt/v1\n"

_LOOK_S: Final = 1.0


class ReasonCode(StrEnum):
    """Why a record is erased, as far as a receipt tells."""

    PATIENT_REQUEST = "patient-request"
    RETENTION_ENDED = "retention-ended"
    ENTERED_IN_ERROR = "entered-in-error"
    LEGAL_ORDER = "legal-order"


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureReceipt:
    """One thing that was done."""

    number: int  #: of all receipts of the sidecar, from 1
    body: str  #: JSON, as it was digested
    digest: bytes

    def facts(self) -> dict[str, Any]:
        """Return what it says.

        Raises:
            IntegrityFailed: the digest is not the body's, or the body does not say what a receipt does.
        """
        if hashlib.sha256(RECEIPT_TAG + self.body.encode()).digest() != self.digest:
            raise IntegrityFailed("a receipt was altered: its digest is not that of its body; ask again")
        try:
            facts = json.loads(self.body)
        except ValueError:
            facts = None
        if not isinstance(facts, dict) or facts.get("number") != self.number:
            raise IntegrityFailed("a receipt has another number than its body says; ask again")
        return facts


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureStatus:
    """How far an erasure is. Whatever the state, nobody can read the record any more."""

    record_id: bytes
    state: str  #: `decided`, `erased` on the chain, `gone` from storage, or `withdrawn`: never a record
    decided_at: int  #: milliseconds since 1970
    object_id: bytes | None  #: where its bytes lie, or lay
    waits_for: str | None  #: a code
    custodian: bytes
    receipts: Sequence[ErasureReceipt]

    @property
    def is_final(self) -> bool:
        """Whether the chain says that the record is erased, or never had it."""
        return self.state in FINAL_STATES


class ErasureClient:
    """What a client of a sidecar can do to have records erased."""

    transport: Transport

    async def erase(self, record_id: bytes, *, reason: ReasonCode | None = None) -> ErasureStatus:
        """Have a record erased for ever; its keys are destroyed when this returns. Asking again is safe.

        Args:
            record_id: 16 bytes.
            reason: stands in the receipt.

        Raises:
            RecordUnknown: this custodian has no such record.
            RecordErased: it was erased, and this custodian has no receipt of it.
            ScopeMissing, AccessRefused: the caller may not have it erased.
            DiskLow: nothing was done.
        """
        body = {} if reason is None else {"reason": str(reason)}
        return _status(await self.transport.json("POST", _path(record_id), body=body))

    async def erasure(self, record_id: bytes) -> ErasureStatus:
        """Return how far an erasure is.

        Raises:
            NotFound: this sidecar knows of none.
        """
        return _status(await self.transport.json("GET", _path(record_id)))

    async def wait_erased(self, record_id: bytes, *, timeout_s: float) -> ErasureStatus:
        """Return how far an erasure is once the chain says that the record is erased.

        Raises:
            NotYetAnchored: it does not say so yet; the sidecar goes on by itself.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    found = await self.erasure(record_id)
                    if found.is_final:
                        return found
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise NotYetAnchored(
                "the keys are destroyed, but the chain does not say that the record is erased yet; the "
                f"sidecar goes on by itself: caregrid emr erasure {record_id.hex()}"
            ) from None


def _path(record_id: bytes) -> str:
    return f"/v1/records/{record_id.hex()}/erasure"


def _status(answer: Mapping[str, Any]) -> ErasureStatus:
    try:
        return ErasureStatus(
            record_id=bytes.fromhex(answer["record"]),
            state=answer["state"],
            decided_at=answer["decided"],
            object_id=None if answer["object"] is None else bytes.fromhex(answer["object"]),
            waits_for=answer["waits_for"],
            custodian=bytes.fromhex(answer["custodian"]),
            receipts=[_receipt(each) for each in answer["receipts"]],
        )
    except (KeyError, TypeError, ValueError):
        raise ProtocolViolation("the sidecar's answer on an erasure is not in its form") from None


def _receipt(given: Mapping[str, Any]) -> ErasureReceipt:
    return ErasureReceipt(number=given["number"], body=given["body"], digest=bytes.fromhex(given["digest"]))

"""Grants, and what leads to them and ends them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Purpose(StrEnum):
    """Why access is given: HL7 PurposeOfUse as the runtime spells it."""

    TREATMENT = "Treatment"
    PAYMENT = "Payment"
    OPERATIONS = "Operations"
    RESEARCH = "Research"
    PUBLIC_HEALTH = "PublicHealth"
    EMERGENCY_TREATMENT = "EmergencyTreatment"
    PATIENT_REQUEST = "PatientRequest"


class EmergencyReason(StrEnum):
    """Why a member of the emergency role breaks the glass."""

    THREAT_TO_LIFE = "ThreatToLife"
    PATIENT_UNRESPONSIVE = "PatientUnresponsive"
    CONTROLLER_UNREACHABLE = "ControllerUnreachable"
    MASS_CASUALTY = "MassCasualty"
    PUBLIC_HEALTH = "PublicHealth"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordScope:
    """A grant's scope: one record."""

    record_id: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientScope:
    """A grant's scope: all records of a patient at the organisation that registered him."""

    patient_id: bytes


Scope = RecordScope | PatientScope


@dataclass(frozen=True, kw_only=True, slots=True)
class Inline:
    """The wrapped data key stands in the grant itself."""

    wrapped: bytes  #: HPKE output, 1,168 bytes
    key_version: int  #: version of the grantee's encryption key it was wrapped to


@dataclass(frozen=True, kw_only=True, slots=True)
class Escrowed:
    """The custodian keeps the wrapped key; the chain holds its SHA-256."""

    digest: bytes
    key_version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """Granted, but no key has been delivered yet."""


KeyState = Inline | Escrowed | Pending


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyDelivery:
    """A key that the custodian delivers for a live grant."""

    scope: Scope
    grantee: bytes
    key: Inline | Escrowed


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """A right to read, until a block."""

    scope: Scope
    grantee: bytes
    granted_at: int  #: block in which it was given or last renewed
    expires_at: int  #: the grant is live in blocks with a number below this one
    purpose: str
    key: KeyState
    payer: bytes  #: whose tokens are held for it

    def is_live(self, at_block: int) -> bool:
        """Tell whether the grant gives access at a block."""
        return at_block < self.expires_at


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessRequest:
    """Somebody's wish to read a record, until a block."""

    record_id: bytes
    requester: bytes
    purpose: str
    expires_at: int  #: the request stands in blocks with a number below this one

    def is_live(self, at_block: int) -> bool:
        """Tell whether the request still stands at a block."""
        return at_block < self.expires_at


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpirableGrant:
    """A grant, as something that ends at a block."""

    scope: Scope
    grantee: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpirableRequest:
    """A request, as something that ends at a block."""

    record_id: bytes
    requester: bytes


Expirable = ExpirableGrant | ExpirableRequest

#: A place among the grants that cover a record.
GrantCursor = tuple[Scope, bytes]
#: A place among what expires, by block.
ExpiryCursor = tuple[int, Expirable]


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantPage:
    """Some of the live grants that cover a record, and where to go on."""

    items: Sequence[Grant]
    next: GrantCursor | None  #: pass as `after`; None means that there are no more


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpiringPage:
    """Some of the grants that expire in a range of blocks, the earliest first, and where to go on."""

    items: Sequence[Grant]
    next: ExpiryCursor | None  #: pass as `after`; None means that there are no more

"""What custodians tell of objects on the storage network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Health is counted in parts of a million.
FULL_HEALTH: Final = 1_000_000


class ProofScheme(StrEnum):
    """Which proof was asked for."""

    PRIVATE = "Private"  #: a MAC over a prime field, which only the owner can verify
    PUBLIC = "Public"  #: BLS12-381, which anybody can verify with the object's proof key
    NETWORK = "Network"  #: the storage network's own


class AuditOutcome(StrEnum):
    """What came of a challenge."""

    PASSED = "Passed"
    FAILED = "Failed"  #: a proved wrong answer
    OFFLINE = "Offline"  #: the node could not be reached
    CONTAINED = "Contained"  #: no answer in time; the node will be asked the same again
    UNKNOWN = "Unknown"  #: no verdict, for a reason on the asking side

    @property
    def severity(self) -> int:
        """0 of what passed, and the more the worse it is for what was asked for."""
        return _BEST_FIRST.index(self)


_BEST_FIRST: Final = (
    AuditOutcome.PASSED,
    AuditOutcome.UNKNOWN,
    AuditOutcome.CONTAINED,
    AuditOutcome.OFFLINE,
    AuditOutcome.FAILED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofCommitment:
    """What an object's proofs are checked against."""

    key: bytes  #: the owner's public key, 96 bytes: a compressed point of BLS12-381's G2
    tags: bytes  #: SHA-256 over the tags of all fragments
    committed_at: int  #: block number; challenges come from later blocks


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthReport:
    """A custodian's measurement of how well an object is stored."""

    object_id: bytes
    health: (
        int  #: fragments alive beyond what restoring needs, of all that can be lost, in parts of a million
    )
    replicas: int  #: whole copies' worth of fragments alive
    nodes: int  #: distinct storage nodes that hold living fragments


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageHealth:
    """The last report on an object's storage; as :class:`HealthReport`."""

    health: int
    replicas: int
    nodes: int
    reported_at: int  #: block number


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrityReport:
    """A custodian's verdict on a proof that an object is still there."""

    object_id: bytes
    scheme: ProofScheme
    outcome: AuditOutcome
    challenged_at: int  #: height of the block that the challenge was derived from
    proof_digest: bytes  #: SHA-256 of the proof bundle


@dataclass(frozen=True, kw_only=True, slots=True)
class Integrity:
    """The last report on an object's integrity; as :class:`IntegrityReport`."""

    scheme: ProofScheme
    outcome: AuditOutcome
    challenged_at: int
    proof_digest: bytes
    reported_at: int  #: block number

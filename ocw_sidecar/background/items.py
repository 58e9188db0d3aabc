"""Entries of the local tables, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from caregrid.chain.port import BlockReason, IpNet, Severity, SignatureFormat

#: Entries of ours of one kind that may be under way; others' are bounded by `MAX_SHARED`.
MAX_OWN: Final = 100_000
#: Entries of one kind of all organisations.
MAX_SHARED: Final = 1_000_000
#: The chain's block time, by which heights tell times.
BLOCK_S: Final = 2


class Kind(StrEnum):
    """What is synchronised, by the table."""

    BLOCKS = "blocked_ips"
    SIGNATURES = "attack_signatures"


class Status(StrEnum):
    """How far an entry is."""

    PENDING = "pending"  #: to be sent, for the first time or once more
    SUBMITTED = "submitted"  #: somebody sends it, or did, and what came of it is not known
    CONFIRMED = "confirmed"  #: final on the chain
    FAILED = "failed"  #: the chain refuses it, for good


class Wish(StrEnum):
    """What is to become of an entry on the chain."""

    STAND = "stand"
    GO = "go"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewBlock:
    """A network that we want blocked."""

    net: IpNet
    reason: BlockReason
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSignature:
    """An attack signature that we want to share."""

    signature_id: bytes  #: 16
    format: SignatureFormat
    severity: Severity
    pattern: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entry of ours that was claimed to be sent."""

    wanted: NewBlock | NewSignature
    wish: Wish
    attempts: int  #: with this one
    sent_until: int | None = (
        None  #: the block that an earlier attempt gave as a network's end; None: not sent yet
    )

    @property
    def key(self) -> str | bytes:
        """What its table knows it by."""
        return str(self.wanted.net) if isinstance(self.wanted, NewBlock) else self.wanted.signature_id

    @property
    def kind(self) -> Kind:
        """Its table."""
        return Kind.BLOCKS if isinstance(self.wanted, NewBlock) else Kind.SIGNATURES


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What came of an attempt."""

    entry: Entry
    status: Status
    block: int | None = None  #: where it is final
    reason: str | None = None  #: an error's code
    next_attempt: datetime | None = None  #: of what is pending


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How many entries of ours are how far."""

    kind: Kind
    status: Status
    items: int
    oldest: datetime  #: when the first of them was asked for

"""The chain as the rest of CareGrid sees it: facts at finalized blocks, and calls signed by one account.

Reads answer from the last *finalized* block. Heights are block numbers, never times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from caregrid.records import ObjectEntry, RecordFormat


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockRef:
    """One block."""

    number: int
    hash: bytes  #: 32 bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event of a runtime pallet, named as in the metadata; bytes stay bytes, accounts are 32 bytes."""

    pallet: str
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalizedBlock:
    """A finalized block and everything its runtime reported."""

    ref: BlockRef
    events: Sequence[Event]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One anchored record, read from the chain."""

    record_id: bytes
    patient_id: bytes
    object_id: bytes
    offset: int
    length: int
    digest: bytes
    format: RecordFormat
    anchored_at: int  #: block number


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """One anchored object, read from the chain."""

    entry: ObjectEntry
    custodian: bytes
    anchored_records: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Organisation:
    """An organisation and the accounts that may act for it."""

    account: bytes
    operators: frozenset[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """A patient as one organisation knows him: random id, no personal data."""

    patient_id: bytes
    organisation: bytes
    controller: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionKey:
    """The public key that data keys are wrapped to for one account."""

    account: bytes
    public_key: bytes  #: MLKEM768-X25519, 1,216 bytes
    version: int


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
class Grant:
    """A right to read, until a block."""

    scope: Scope
    grantee: bytes
    expires_at: int  #: the grant is live in blocks with a number below this one
    purpose: str
    key: KeyState

    def is_live(self, at_block: int) -> bool:
        """Tell whether the grant gives access at a block."""
        return at_block < self.expires_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """An intent: what is to be done, not yet signed. See :mod:`caregrid.chain.calls` for builders."""

    pallet: str
    function: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """A call that was executed in a finalized block."""

    block: BlockRef
    extrinsic_hash: bytes
    events: Sequence[Event]


class Chain(ABC):
    """Reads at the last finalized block.

    Every method raises :class:`~caregrid.errors.ChainUnreachable` when no endpoint answers.
    """

    @abstractmethod
    async def finalized_head(self) -> BlockRef:
        """Return the last finalized block."""

    @abstractmethod
    async def record(self, record_id: bytes) -> Record | None:
        """Return one record, or None when it is not anchored."""

    @abstractmethod
    async def records(self, record_ids: Sequence[bytes]) -> dict[bytes, Record]:
        """Return those of the given records that are anchored, in one round trip."""

    @abstractmethod
    async def stored_object(self, object_id: bytes) -> StoredObject | None:
        """Return one object."""

    @abstractmethod
    async def organisation(self, account: bytes) -> Organisation | None:
        """Return one organisation."""

    @abstractmethod
    async def patient(self, patient_id: bytes) -> Patient | None:
        """Return one patient."""

    @abstractmethod
    async def encryption_key(self, account: bytes) -> EncryptionKey | None:
        """Return the account's encryption key."""

    @abstractmethod
    async def grant(self, scope: Scope, grantee: bytes) -> Grant | None:
        """Return one grant, live or not."""

    @abstractmethod
    async def grants(self, scope: Scope) -> Sequence[Grant]:
        """Return every grant of a scope, live or not."""

    @abstractmethod
    async def balance(self, account: bytes) -> int:
        """Return the account's free balance in plancks."""

    @abstractmethod
    def finalized_blocks(self, start: int) -> AsyncIterator[FinalizedBlock]:
        """Yield every finalized block from number `start` on, without a gap, for ever."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections and threads."""


class Submitter(ABC):
    """Signs and submits calls for one account, one at a time or many in flight. One per key and process."""

    account: bytes  #: 32 bytes

    @abstractmethod
    async def submit(self, call: Call) -> Receipt:
        """Sign, submit, and wait until the call is in a finalized block.

        Raises:
            CallRejected: the chain executed the call and refused it; a subclass by error name where one fits.
            ChainTimeout: outcome unknown at the deadline; look the effect up before sending again.
            ChainUnreachable: nothing was sent.
        """

    @abstractmethod
    async def submit_many(self, calls: Iterable[Call]) -> list[Receipt | Exception]:
        """Submit several calls, pipelined; the results stand in the order of the calls."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections and threads."""

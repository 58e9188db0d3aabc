"""What can be asked of the chain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from caregrid.chain.limits import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from caregrid.chain.port.access import (
        AccessRequest,
        ExpiringPage,
        ExpiryCursor,
        Grant,
        GrantCursor,
        GrantPage,
        Scope,
    )
    from caregrid.chain.port.blocks import BlockRef, FinalizedBlock
    from caregrid.chain.port.parties import EncryptionKey, Organisation, Patient
    from caregrid.chain.port.records import Record, RecordPage, RecordView, StoredObject, Tombstone
    from caregrid.chain.port.threats import AttackSignature, IpBlock, IpBlockPage, IpNet, SignaturePage


class Chain(ABC):
    """Reads at the last finalized block.

    Every method raises :class:`~caregrid.errors.ChainUnreachable` when no endpoint answers.

    Pages look at `limit` entries, 1 to 256. A page may hold fewer items and yet not be the last.
    """

    @abstractmethod
    async def finalized_head(self) -> BlockRef:
        """Return the last finalized block."""

    @abstractmethod
    async def block(self, number: int) -> BlockRef | None:
        """Return the finalized block of a number, or None when there is none yet."""

    @abstractmethod
    async def block_time(self) -> datetime:
        """Return the time, aware UTC, that the author of the last finalized block gave it."""

    @abstractmethod
    async def spec_version(self) -> int:
        """Return the version of the runtime at the last finalized block."""

    @abstractmethod
    async def record(self, record_id: bytes) -> Record | None:
        """Return one record, or None when it is not anchored, or erased."""

    @abstractmethod
    async def records(self, record_ids: Sequence[bytes]) -> dict[bytes, Record]:
        """Return those of the given records that are anchored and not erased, in one round trip."""

    @abstractmethod
    async def tombstone(self, record_id: bytes) -> Tombstone | None:
        """Return what is left of an erased record, or None when it was never erased."""

    @abstractmethod
    async def tombstones(self, record_ids: Sequence[bytes]) -> dict[bytes, Tombstone]:
        """Return what is left of those of the given records that were erased, in one round trip."""

    @abstractmethod
    async def record_view(self, record_id: bytes) -> RecordView | None:
        """Return what stands under an id: a record with its custodian, a tombstone, or None."""

    @abstractmethod
    async def records_of_patient(
        self, patient_id: bytes, *, after: bytes | None = None, limit: int = MAX_PAGE
    ) -> RecordPage:
        """Return some of a patient's records; pass a page's `next` as `after` to go on."""

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
    async def live_grant(self, record_id: bytes, reader: bytes) -> Grant | None:
        """Return the grant that lets `reader` read a record now, its own before its patient's."""

    @abstractmethod
    async def grants_of_record(
        self, record_id: bytes, *, after: GrantCursor | None = None, limit: int = MAX_PAGE
    ) -> GrantPage:
        """Return some of the live grants that cover a record, its own before its patient's."""

    @abstractmethod
    async def expiring_grants(
        self, start: int, end: int, *, after: ExpiryCursor | None = None, limit: int = MAX_PAGE
    ) -> ExpiringPage:
        """Return some of the grants that expire at a block from `start` up to but not `end`."""

    @abstractmethod
    async def access_request(self, record_id: bytes, requester: bytes) -> AccessRequest | None:
        """Return one request, live or not."""

    @abstractmethod
    async def access_requests(self, record_id: bytes) -> Sequence[AccessRequest]:
        """Return every request for a record, live or not."""

    @abstractmethod
    async def ip_block(self, net: IpNet, organisation: bytes) -> IpBlock | None:
        """Return an organisation's block of exactly this network, live or not."""

    @abstractmethod
    async def ip_blocks(self, net: IpNet) -> Sequence[IpBlock]:
        """Return every organisation's block of exactly this network, live or not."""

    @abstractmethod
    async def all_ip_blocks(self, *, after: bytes | None = None, limit: int = MAX_PAGE) -> IpBlockPage:
        """Return some of all blocked networks, live or not; each page is read at the head of its time."""

    @abstractmethod
    async def signature(self, signature_id: bytes) -> AttackSignature | None:
        """Return one attack signature."""

    @abstractmethod
    async def all_signatures(self, *, after: bytes | None = None, limit: int = MAX_PAGE) -> SignaturePage:
        """Return some of all attack signatures; each page is read at the head of its time."""

    @abstractmethod
    async def balance(self, account: bytes) -> int:
        """Return the account's free balance in plancks."""

    @abstractmethod
    def finalized_blocks(self, start: int) -> AsyncIterator[FinalizedBlock]:
        """Yield every finalized block from number `start` on, without a gap, for ever."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections and threads."""

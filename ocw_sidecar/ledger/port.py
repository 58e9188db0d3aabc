"""The ledger as the workers use it. It is filled from events by a fold, with the clock's cursor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from caregrid.chain.port import Expirable, Scope
    from ocw_sidecar.ledger.items import (
        Bundle,
        EndingGrant,
        EscrowedKey,
        KnownObject,
        PendingGrant,
        Snapshot,
    )


class Ledger(ABC):
    """What stands on the chain in our organisation's name. Every method is one transaction."""

    @abstractmethod
    async def pending(self, *, now: datetime, limit: int) -> list[PendingGrant]:
        """Return grants whose key is to be delivered now: emergencies first, then the longest due."""

    @abstractmethod
    async def postpone(self, grant: PendingGrant, *, due: datetime, reason: str) -> None:
        """Try a delivery again later."""

    @abstractmethod
    async def settle(
        self, scope: Scope, grantee: bytes, *, key_version: int, escrowed: bool, wave: int = 0
    ) -> None:
        """Note that a grant has its key, escrowed by us or in the grant; not if it was marked again since."""

    @abstractmethod
    async def redeliver(self, record_id: bytes) -> int:
        """Have the key of a record, which has another one now, delivered anew; return to how many grants.

        All grants that cover it are due, its patient's too, and what is in escrow for them is destroyed.
        Until the chain knows of the new key it is wrapped to whoever asks. Call it once the queue has it.
        """

    @abstractmethod
    async def redeliver_to(self, account: bytes) -> int:
        """Have every key of an account delivered anew; return how many grants that concerns."""

    @abstractmethod
    async def escrow(self, scope: Scope, grantee: bytes) -> list[EscrowedKey]:
        """Return the keys kept for a grant, by record id."""

    @abstractmethod
    async def keep_escrow(
        self, scope: Scope, grantee: bytes, keys: Sequence[EscrowedKey], *, wave: int = 0
    ) -> bool:
        """Keep exactly these keys for a grant; False if it was marked again since they were made."""

    @abstractmethod
    async def records_of_patient(self, patient_id: bytes, limit: int) -> list[bytes]:
        """Return ids of a patient's records that stand, the lowest first."""

    @abstractmethod
    async def records_of_object(self, object_id: bytes, limit: int) -> list[bytes]:
        """Return ids of an object's records that stand, the lowest first."""

    @abstractmethod
    async def ended(self, height: int, limit: int) -> list[Expirable]:
        """Return grants and requests that ended at or before a height and still stand on the chain."""

    @abstractmethod
    async def forget(self, item: Expirable) -> None:
        """Drop a grant or request that the chain turned out not to have."""

    @abstractmethod
    async def unwarned(self, height: int, *, lead: int, limit: int) -> list[EndingGrant]:
        """Return grants that end within `lead` blocks, were given for longer, and were not warned of yet."""

    @abstractmethod
    async def note_warned(self, grants: Sequence[EndingGrant]) -> None:
        """Note that their holders were told."""

    @abstractmethod
    async def longest_unlooked(self, limit: int) -> list[KnownObject]:
        """Return the objects whose storage has not been looked at for longest."""

    @abstractmethod
    async def longest_unasked(self, height: int, limit: int) -> list[KnownObject]:
        """Return the objects, stored before a height, that have not been challenged for longest."""

    @abstractmethod
    async def objects_near(self, pivots: Sequence[bytes]) -> list[KnownObject]:
        """Return, for each pivot, the first object at or behind it; none where none follows."""

    @abstractmethod
    async def note_looked(self, object_ids: Sequence[bytes], height: int) -> None:
        """Note when the storage of objects was looked at."""

    @abstractmethod
    async def note_asked(
        self, object_id: bytes, height: int, *, contained: int, contained_at: int | None
    ) -> None:
        """Note when an object was challenged, and the challenge that is still open."""

    @abstractmethod
    async def keep_bundle(self, bundle: Bundle, *, keep: int) -> None:
        """Keep a bundle, and of all only the newest `keep`."""

    @abstractmethod
    async def bundle(self, digest: bytes) -> bytes | None:
        """Return a bundle's body."""

    @abstractmethod
    async def restore(self, snapshot: Snapshot, *, height: int, now: datetime) -> None:
        """Add what was read from the chain's state; what is there already is replaced."""

    @abstractmethod
    async def drop_orphans(self) -> None:
        """Drop what is kept for grants that the ledger does not have."""

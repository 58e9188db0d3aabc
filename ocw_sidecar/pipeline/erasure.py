"""What is kept of erasures: the decision, how far it is carried out, and receipts that outlast the record.

::

    decided ─▶ erased ─▶ gone         withdrawn (was never made a record)

A decision destroys the keys in its own transaction, so there is none of which a key is left. It cannot be
taken back: whatever is cut short afterwards, the record ends erased. Nothing of this is personal data: the
record's id is random, and the rest are codes, numbers and digests.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.erasures import RECEIPT_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from caregrid.erasures import ReasonCode

    Facts = Mapping[str, str | int | None]


#: What stands before the first receipt.
ORIGIN: Final = bytes(32)


class ErasureState(StrEnum):
    """How far an erasure is."""

    DECIDED = "decided"  #: the keys are destroyed; the chain does not say so yet
    ERASED = "erased"  #: the chain says so; the bytes are still stored
    GONE = "gone"  #: the object that had the bytes is gone from storage
    WITHDRAWN = "withdrawn"  #: a submission that was not read yet; nothing is left of it


class Cause(StrEnum):
    """Who decided."""

    ASKED = "asked"  #: somebody, here
    CHAIN = "chain"  #: the chain had it erased already
    LIST = "list"  #: the list of erasures names it, and the database did not: it was restored


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """One record's erasure."""

    record_id: bytes
    state: ErasureState
    decided_at: datetime
    object_id: bytes | None  #: where its bytes lie, if that is known
    attempts: int  #: that failed in this state
    reason: str | None  #: what it waits for


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """One thing that was done, in words that do not change any more."""

    number: int  #: of all receipts here, from 1
    body: str  #: JSON with the facts and the digest of the receipt before it
    digest: bytes  #: of tag and body


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What deciding came to."""

    fresh: bool  #: nothing had been decided before
    destroyed: bool  #: a key was there, and is not any more
    freed: Sequence[str] = ()  #: spool files that nobody needs


def receipt_body(facts: Facts, previous: bytes) -> tuple[str, bytes]:
    """Return a receipt's body and digest; facts that are None are left out."""
    told = {name: value for name, value in facts.items() if value is not None}
    body = json.dumps({**told, "previous": previous.hex()}, sort_keys=True, separators=(",", ":"))
    return body, receipt_digest(body)


def receipt_digest(body: str) -> bytes:
    """Return the digest that the next receipt holds."""
    return hashlib.sha256(RECEIPT_TAG + body.encode()).digest()


class ErasureList(ABC):
    """Ids of records that were ever to be erased, outside of the database: what is restored has it not.

    Its methods block.
    """

    @abstractmethod
    def add(self, record_id: bytes) -> None:
        """Put an id on the list, durably.

        Raises:
            DiskLow: there is no room for it.
        """

    @abstractmethod
    def ids(self) -> Iterator[bytes]:
        """Yield every id that is readable, the oldest first; what is damaged is passed over."""

    @abstractmethod
    def is_there(self) -> bool:
        """Tell whether there is a list at all."""

    @abstractmethod
    def begin(self) -> None:
        """Make an empty list where there is none."""


class ErasureBook(ABC):
    """Every method is one transaction."""

    @abstractmethod
    async def decide(
        self, record_id: bytes, *, cause: Cause, code: ReasonCode | None = None, now: datetime
    ) -> Decision:
        """Decide for good that a record is erased, and destroy every wrapped copy of its key.

        A submission that was not read yet is withdrawn with everything that is here of it. Deciding again
        destroys what came back meanwhile.
        """

    @abstractmethod
    async def erasure(self, record_id: bytes) -> Erasure | None:
        """Return what is known of a record's erasure."""

    @abstractmethod
    async def undone(self, record_ids: Sequence[bytes]) -> list[bytes]:
        """Return those of the ids whose erasure is not known here, or whose key is here again."""

    @abstractmethod
    async def is_held(self, record_id: bytes) -> bool:
        """Tell whether a key is kept of a record or submission with this id."""

    @abstractmethod
    async def receipts(self, record_id: bytes) -> list[Receipt]:
        """Return a record's receipts in order."""

    @abstractmethod
    async def due(self, limit: int, *, now: datetime) -> list[Erasure]:
        """Return erasures that are due to be carried on, the longest due first."""

    @abstractmethod
    async def is_open(self, record_id: bytes) -> bool:
        """Tell whether the pipeline still works on the record, or on the pack that it lies in."""

    @abstractmethod
    async def note_place(self, record_id: bytes, object_id: bytes) -> None:
        """Note where the bytes lie, before the chain forgets it, or when it is found out afterwards."""

    @abstractmethod
    async def note_erased(
        self,
        record_id: bytes,
        *,
        block: int,
        object_id: bytes | None = None,
        call: bytes | None = None,
        now: datetime,
    ) -> None:
        """Note the block in which the chain erased a record, and the call if it was ours."""

    @abstractmethod
    async def forget_payload(self, record_id: bytes) -> list[str]:
        """Forget what is left of the sealed bytes here; return spool files that nobody needs."""

    @abstractmethod
    async def note_gone(self, record_id: bytes, *, now: datetime) -> None:
        """Note that the bytes are gone from storage."""

    @abstractmethod
    async def postpone(self, record_id: bytes, *, due: datetime, reason: str) -> None:
        """Carry on later."""

    @abstractmethod
    async def scrub(self) -> bool:
        """Have what was deleted leave the database's own files; False when somebody read them: try again."""

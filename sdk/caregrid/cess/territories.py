"""Space that accounts have bought, and who may act for them: the pallets `StorageHandler` and `Oss`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.cess import scale
from caregrid.errors import InputEmpty, ObjectTooLarge, TerritoryUnusable
from caregrid.storage.file_id import (
    DATA_SHARDS,
    FRAGMENT_SIZE,
    MAX_SEGMENTS,
    PARITY_SHARDS,
    SEGMENT_SIZE,
)
from caregrid.storage.territory import Territory, TerritoryState

if TYPE_CHECKING:
    from caregrid.cess.heads import CessHead
    from caregrid.cess.scale import Cursor

PALLET: Final = "StorageHandler"
OSS_PALLET: Final = "Oss"
#: Operators that one account may authorise.
MAX_OPERATORS: Final = 20
#: From one block to the next.
BLOCK_TIME: Final = timedelta(seconds=6)
#: What a segment takes of a territory.
SEGMENT_SPACE: Final = (DATA_SHARDS + PARITY_SHARDS) * FRAGMENT_SIZE

_TOKEN_LEN: Final = 32


class CessTerritoryState(StrEnum):
    """Whether a territory takes files, in the chain's own words."""

    ACTIVE = "active"
    FROZEN = "frozen"
    EXPIRED = "expired"
    ON_CONSIGNMENT = "on consignment"  #: offered for sale


@dataclass(frozen=True, kw_only=True, slots=True)
class CessTerritory:
    """An account's territory; space is in bytes, times are block numbers."""

    token: bytes
    total: int
    used: int
    locked: int  #: declared, and not complete yet
    remaining: int
    start: int
    deadline: int
    state: CessTerritoryState

    def as_of(self, head: CessHead, *, name: str) -> Territory:
        """Return it as the storage port has it; the deadline's time follows from the head's.

        Raises:
            TerritoryUnusable: it is offered for sale, for which the port has no word.
        """
        if self.state is CessTerritoryState.ON_CONSIGNMENT:
            raise TerritoryUnusable(f"territory {name} is offered for sale; withdraw the offer")
        return Territory(
            name=name,
            total=self.total,
            used=self.used + self.locked,
            remaining=self.remaining,
            state=TerritoryState(self.state.value),
            deadline=head.time + (self.deadline - head.number) * BLOCK_TIME,
        )

    def require_room(self, size: int, head: CessHead, *, name: str) -> None:
        """Refuse what the chain, or a gateway, would refuse: so it is known before anything is sent.

        Raises:
            TerritoryUnusable: the territory takes nothing, its time is over, or the file does not fit.
            InputEmpty: the file is empty.
            ObjectTooLarge: the file has too many segments.
        """
        if self.state is not CessTerritoryState.ACTIVE:
            raise TerritoryUnusable(f"territory {name} is {self.state}; nothing can be stored")
        if self.deadline < head.number:
            raise TerritoryUnusable(f"the time of territory {name} is over; renew it")
        needed = space_of(size)
        # Less than or equal: the chain wants more than the file takes.
        if self.remaining <= needed:
            raise TerritoryUnusable(
                f"territory {name} has {self.remaining} bytes left, "
                f"the file needs more than {needed}; expand it"
            )


def space_of(size: int) -> int:
    """Return what a file of so many bytes takes of a territory.

    Raises:
        InputEmpty: CESS stores no empty file.
        ObjectTooLarge: it has more segments than a file may have.
    """
    if size <= 0:
        raise InputEmpty
    segments = -(-size // SEGMENT_SIZE)
    if segments > MAX_SEGMENTS:
        raise ObjectTooLarge
    return segments * SEGMENT_SPACE


def read_territory(cursor: Cursor) -> CessTerritory:
    """Read a value of `Territory`."""
    return CessTerritory(
        token=cursor.take(_TOKEN_LEN),
        total=scale.amount(cursor),
        used=scale.amount(cursor),
        locked=scale.amount(cursor),
        remaining=scale.amount(cursor),
        start=scale.block_number(cursor),
        deadline=scale.block_number(cursor),
        state=tuple(CessTerritoryState)[cursor.index(len(CessTerritoryState))],
    )


def read_operators(cursor: Cursor) -> tuple[bytes, ...]:
    """Read a value of `AuthorityList`."""
    return cursor.sequence(MAX_OPERATORS, scale.account)

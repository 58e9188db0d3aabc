"""Storage space that an account has bought for a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

_GIB: Final = 1024**3
_DAY: Final = timedelta(days=1)


class TerritoryState(StrEnum):
    """Whether a territory takes objects."""

    ACTIVE = "active"
    FROZEN = "frozen"  #: its time is over: nothing can be stored, and soon its objects go
    EXPIRED = "expired"  #: its objects are gone


class TerritoryConcern(StrEnum):
    """What is going to keep objects from being stored."""

    STATE = "state"
    SPACE = "space"
    EXPIRY = "expiry"


@dataclass(frozen=True, kw_only=True, slots=True)
class TerritoryLimits:
    """When to warn."""

    remaining_share: float = 0.1  #: of the whole territory; with less left there is a warning
    remaining_bytes: int = 10 * _GIB  #: likewise, whatever the territory's size
    before_deadline: timedelta = 14 * _DAY

    def __post_init__(self) -> None:
        if not 0 <= self.remaining_share <= 1 or self.remaining_bytes < 0:
            raise ValueError("a share is from 0 to 1, and bytes are not negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class TerritoryWarning:
    """Something to act on before objects cannot be stored any more."""

    concern: TerritoryConcern
    message: str  #: says what to do


@dataclass(frozen=True, kw_only=True, slots=True)
class Territory:
    """An account's territory, in bytes of space: an object takes three times its padded size."""

    name: str
    total: int
    used: int
    remaining: int
    state: TerritoryState
    deadline: datetime | None  #: aware; None where it does not end
    unlimited: bool = False  #: the network requires none: nothing is refused for want of space or time

    def __post_init__(self) -> None:
        if min(self.total, self.used, self.remaining) < 0:
            raise ValueError("space is not negative")
        if self.deadline is not None and self.deadline.tzinfo is None:
            raise ValueError("a deadline needs a time zone")

    def warnings(self, now: datetime, limits: TerritoryLimits | None = None) -> tuple[TerritoryWarning, ...]:
        """Return what there is to warn of at this time, the most urgent first; empty when all is well."""
        if self.unlimited:
            return ()
        limits = limits or TerritoryLimits()
        found = (self._of_state(), self._of_expiry(now, limits), self._of_space(limits))
        return tuple(each for each in found if each is not None)

    def _of_state(self) -> TerritoryWarning | None:
        if self.state is TerritoryState.ACTIVE:
            return None
        cure = "renew it now, before its objects go" if self.state is TerritoryState.FROZEN else "buy it anew"
        message = f"territory {self.name} is {self.state}; nothing can be stored: {cure}"
        return TerritoryWarning(concern=TerritoryConcern.STATE, message=message)

    def _of_expiry(self, now: datetime, limits: TerritoryLimits) -> TerritoryWarning | None:
        if self.deadline is None or self.deadline - now >= limits.before_deadline:
            return None
        left = self.deadline - now
        when = f"ends in {left // _DAY} days" if left > timedelta() else "has ended"
        message = f"territory {self.name} {when}; renew it"
        return TerritoryWarning(concern=TerritoryConcern.EXPIRY, message=message)

    def _of_space(self, limits: TerritoryLimits) -> TerritoryWarning | None:
        # A territory smaller than the fixed limit is not to warn from its first day on.
        fixed = min(limits.remaining_bytes, self.total // 2)
        threshold = max(limits.remaining_share * self.total, fixed)
        if self.remaining >= threshold:
            return None
        message = (
            f"territory {self.name} has {self.remaining / _GIB:.1f} of {self.total / _GIB:.1f} GiB left; "
            "expand it"
        )
        return TerritoryWarning(concern=TerritoryConcern.SPACE, message=message)

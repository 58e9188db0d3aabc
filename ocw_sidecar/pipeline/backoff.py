"""When to try again: a policy is data, and returns a decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_draw: Final = SystemRandom().random

#: Past this many doublings every cap is reached; it keeps the power small.
_MAX_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Trying again is pointless; a person has to look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Exponential backoff: `base` after the first attempt, doubled after each, never more than `cap`.

    `jitter` is the part of each delay, 0 to 1, that is left to chance, so that many sidecars do not come back
    at once. `max_attempts` of None never gives up.
    """

    base: timedelta
    cap: timedelta
    jitter: float
    max_attempts: int | None

    def __post_init__(self) -> None:
        if not timedelta(0) < self.base <= self.cap:
            raise ValueError("base must be positive and not above cap")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter must be from 0 to 1")
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError("max_attempts must be at least 1, or None")

    def decide(self, *, attempt: int, now: datetime, draw: Callable[[], float] = _draw) -> RetryAt | GiveUp:
        """Decide after a failed attempt, numbered from 1; `draw` returns a number from 0 to 1."""
        if self.max_attempts is not None and attempt >= self.max_attempts:
            return GiveUp()
        delay = min(self.cap, self.base * 2 ** min(attempt - 1, _MAX_DOUBLINGS))
        return RetryAt(now + delay * (1 - self.jitter * draw()))


#: For faults that pass by themselves: an outage of days must not turn records into dead letters.
PASSING_FAULT: Final = Backoff(
    base=timedelta(seconds=1), cap=timedelta(minutes=1), jitter=0.3, max_attempts=None
)

#: For refusals: a few tries over some minutes, for whoever tops up a balance or registers a key meanwhile.
REFUSAL: Final = Backoff(base=timedelta(seconds=2), cap=timedelta(minutes=5), jitter=0.3, max_attempts=8)

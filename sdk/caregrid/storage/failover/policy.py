"""What failover goes by. Nothing here waits, measures or asks anybody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from caregrid.errors import (
    CaregridError,
    ConfigInvalid,
    FileIdMismatch,
    FragmentsMissing,
    NotFound,
    ProtocolViolation,
    RateLimited,
    StorageUnreachable,
    Unauthorised,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Verdict(Enum):
    """What an error of one gateway means for the others."""

    FAULT = "the gateway is at fault: remember it, and ask the next one"
    BUSY = "it wants to be left alone for a while: ask the next one"
    ELSEWHERE = "another gateway may know better, or take this account"
    FINAL = "every gateway would say so"


@dataclass(frozen=True, kw_only=True, slots=True)
class FailoverPolicy:
    """Thresholds and times of failover, all in seconds."""

    failures_to_open: int = 2  #: in a row, then a gateway is left out for a while
    open_for_s: float = 5.0  #: the first time; it doubles with every failed trial
    open_at_most_s: float = 120.0
    busy_at_most_s: float = 300.0  #: a gateway that asks to be left alone for longer is tried after this
    wait_for_busy_s: float = 10.0  #: how long a request waits when all gateways are busy, before it fails
    latency_weight: float = 0.2  #: of the newest measurement in the moving average
    latency_lasts_s: float = 60.0  #: after this, a slow gateway is given another chance
    hedge_after_s: float | None = None  #: fixed delay before the next gateway is asked, too
    hedge_quantile: float = 0.95  #: without a fixed delay: of the recent times to the first byte
    hedge_floor_s: float = 0.05  #: never sooner, so that fast networks are not asked twice for nothing
    hedge_default_s: float = 1.0  #: until enough was measured
    samples_needed: int = 20
    samples_kept: int = 200

    def __post_init__(self) -> None:
        if self.failures_to_open < 1 or not 0 < self.latency_weight <= 1 or not 0 < self.hedge_quantile < 1:
            raise ConfigInvalid("failover needs a threshold of failures, and weights between 0 and 1")

    def verdict(self, error: CaregridError) -> Verdict:
        """Return what an error means."""
        for kinds, verdict in _VERDICTS:
            if isinstance(error, kinds):
                return verdict
        return Verdict.FINAL

    def hedge_delay_s(self, samples: Sequence[float]) -> float:
        """Return how long to wait for a first byte before the next gateway is asked as well."""
        if self.hedge_after_s is not None:
            return self.hedge_after_s
        if len(samples) < self.samples_needed:
            return self.hedge_default_s
        ordered = sorted(samples)
        return max(self.hedge_floor_s, ordered[int(self.hedge_quantile * len(ordered))])

    def conclusion(self, errors: Sequence[CaregridError]) -> CaregridError:
        """Return the error that several gateways' errors come to.

        As long as one of them could not answer, nobody knows what it would have said: that passes, and so is
        told first. What one gateway alone may say, that an object is unknown, comes last.
        """
        for kind in _TELLING:
            found = [error for error in errors if isinstance(error, kind)]
            if found:
                return found[0]
        return errors[0]


_TELLING: Final = (
    StorageUnreachable,
    RateLimited,
    FragmentsMissing,
    FileIdMismatch,
    ProtocolViolation,
    Unauthorised,
    NotFound,
)
_VERDICTS: Final[tuple[tuple[tuple[type[CaregridError], ...], Verdict], ...]] = (
    ((StorageUnreachable, ProtocolViolation, FileIdMismatch), Verdict.FAULT),
    ((RateLimited,), Verdict.BUSY),
    ((NotFound, FragmentsMissing, Unauthorised), Verdict.ELSEWHERE),
)

"""How one gateway has been doing, as a value; times are seconds of a monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.storage.failover.policy import FailoverPolicy


class Circuit(StrEnum):
    """Whether a gateway is used."""

    CLOSED = "closed"  #: it is
    OPEN = "open"  #: only when nothing else is left
    TRIAL = "trial"  #: the next read finds out


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayHealth:
    """What is remembered of a gateway."""

    failures: int = 0  #: in a row
    latency_s: float | None = None  #: to the first byte, moving average
    measured_at: float = 0.0
    open_until: float = 0.0  #: left out before this
    busy_until: float = 0.0  #: it asked not to be asked before this

    def circuit(self, policy: FailoverPolicy, now: float) -> Circuit:
        """Return whether it is used now."""
        if self.failures < policy.failures_to_open:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.open_until else Circuit.TRIAL

    def is_busy(self, now: float) -> bool:
        """Return whether it asked to be left alone still."""
        return now < self.busy_until

    def answered(self) -> GatewayHealth:
        """Return it after a good answer."""
        return replace(self, failures=0, open_until=0.0)

    def measured(self, policy: FailoverPolicy, now: float, latency_s: float) -> GatewayHealth:
        """Return it with one more time to a first byte."""
        known = self.latency_s if self.latency_s is not None else latency_s
        average = known + policy.latency_weight * (latency_s - known)
        return replace(self, latency_s=average, measured_at=now)

    def overtaken(self, policy: FailoverPolicy, now: float, waited_s: float) -> GatewayHealth:
        """Return it after another gateway was faster: its own time would have been at least this."""
        return self.measured(policy, now, max(waited_s, self.latency_s or 0.0))

    def failed(self, policy: FailoverPolicy, now: float) -> GatewayHealth:
        """Return it after a fault."""
        failures = self.failures + 1
        doublings = min(failures - policy.failures_to_open, 32)
        pause_s = min(policy.open_for_s * 2.0**doublings, policy.open_at_most_s) if doublings >= 0 else 0.0
        return replace(self, failures=failures, open_until=now + pause_s)

    def tried(self, policy: FailoverPolicy, now: float) -> GatewayHealth:
        """Return it at the beginning of a trial: others do not try meanwhile."""
        return replace(self, open_until=now + policy.open_for_s)

    def busy(self, policy: FailoverPolicy, now: float, retry_after_s: float) -> GatewayHealth:
        """Return it after it asked to be left alone."""
        until = now + min(retry_after_s, policy.busy_at_most_s)
        return replace(self, busy_until=max(self.busy_until, until))


def ranked(healths: Sequence[GatewayHealth], policy: FailoverPolicy, now: float, *, reads: bool) -> list[int]:
    """Return the places of the gateways in the order in which they should be asked.

    Fast ones come first, busy ones and ones that keep failing last. One that is due for a trial goes first
    for a read, where the hedge makes up for it, and late otherwise. One of which no time is known, or an old
    one, counts as fast, so that it is measured. The order of equals is kept.
    """

    def key(place: int) -> tuple[int, float]:
        health = healths[place]
        is_fresh = now - health.measured_at < policy.latency_lasts_s
        return _tier(health, policy, now, reads=reads), (health.latency_s or 0.0) if is_fresh else 0.0

    return sorted(range(len(healths)), key=key)


def _tier(health: GatewayHealth, policy: FailoverPolicy, now: float, *, reads: bool) -> int:
    if health.is_busy(now):
        return 3
    match health.circuit(policy, now):
        case Circuit.CLOSED:
            return 1
        case Circuit.TRIAL:
            return 0 if reads else 2
        case Circuit.OPEN:
            return 2

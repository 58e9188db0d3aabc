"""The gateways of a failover store and what each did lately."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import CaregridError, ConfigInvalid, RateLimited
from caregrid.storage.failover.health import Circuit, GatewayHealth, ranked
from caregrid.storage.failover.policy import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caregrid.storage.failover.policy import FailoverPolicy
    from caregrid.storage.port import ObjectStore


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayState:
    """One gateway as an operator wants to see it."""

    name: str
    circuit: Circuit
    busy: bool  #: it asked to be left alone for a while
    failures: int  #: in a row
    latency_s: float | None  #: to the first byte, moving average; None before anything was read


class Pool:
    """Keeps the health of gateways, each of which is a store with a name."""

    def __init__(
        self,
        gateways: Mapping[str, ObjectStore],
        policy: FailoverPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not gateways:
            raise ConfigInvalid("no storage gateway is named; give at least one")
        self.policy, self.clock = policy, clock
        self.names = tuple(gateways)
        self.stores = tuple(gateways.values())
        self._healths = [GatewayHealth() for _ in self.names]
        self._samples: deque[float] = deque(maxlen=policy.samples_kept)

    def ranked(self, *, reads: bool) -> list[int]:
        """Return the places of all gateways, the one to ask first in front."""
        return ranked(self._healths, self.policy, self.clock(), reads=reads)

    def hedge_delay_s(self) -> float:
        """Return how long a read waits before it asks a second gateway."""
        return self.policy.hedge_delay_s(self._samples)

    def begin(self, place: int) -> float:
        """Note that a gateway is about to be asked; returns the time."""
        now = self.clock()
        health = self._healths[place]
        if health.circuit(self.policy, now) is Circuit.TRIAL:
            self._healths[place] = health.tried(self.policy, now)
        return now

    def note_answer(self, place: int, *, first_byte_after_s: float | None = None) -> None:
        """Note a good answer."""
        health = self._healths[place].answered()
        if first_byte_after_s is not None:
            health = health.measured(self.policy, self.clock(), first_byte_after_s)
            self._samples.append(first_byte_after_s)
        self._healths[place] = health

    def note_overtaken(self, place: int, waited_s: float) -> None:
        """Note that another gateway answered while this one was being waited for."""
        self._healths[place] = self._healths[place].overtaken(self.policy, self.clock(), waited_s)

    def note_error(self, place: int, error: CaregridError) -> Verdict:
        """Note an error and return what it means for the others."""
        verdict, health, now = self.policy.verdict(error), self._healths[place], self.clock()
        if verdict is Verdict.FAULT:
            self._healths[place] = health.failed(self.policy, now)
        elif isinstance(error, RateLimited):
            self._healths[place] = health.busy(self.policy, now, error.retry_after_s)
        else:
            self._healths[place] = health.answered()
        return verdict

    def refusal(self, place: int) -> RateLimited | None:
        """Return the error for asking a gateway that wants to be left alone still, or None."""
        left_s = self._healths[place].busy_until - self.clock()
        if left_s <= 0:
            return None
        return RateLimited("the storage gateway is busy; try again later", retry_after_s=math.ceil(left_s))

    def busy_for_s(self) -> float:
        """Return how long it is until a busy gateway may be asked again; 0 when none is busy."""
        now = self.clock()
        return min((health.busy_until - now for health in self._healths if health.is_busy(now)), default=0.0)

    def states(self) -> tuple[GatewayState, ...]:
        """Return every gateway's state, in the order they were given."""
        now = self.clock()
        return tuple(
            GatewayState(
                name=name,
                circuit=health.circuit(self.policy, now),
                busy=health.is_busy(now),
                failures=health.failures,
                latency_s=health.latency_s,
            )
            for name, health in zip(self.names, self._healths, strict=True)
        )

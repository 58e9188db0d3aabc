"""What is done about an object that was measured: pure decisions, with hysteresis.

Trouble begins below one mark and ends at another, which may be higher, so that an object at the edge is not
told of again and again. A repair reads the whole object: it waits until a second look finds the same, unless
little is left, for a storage node that restarts is back before long; and a repair that did not help is not
tried again before some blocks have passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.storage.health import Condition, Cutoff

if TYPE_CHECKING:
    from caregrid.storage.health import Health
    from ocw_sidecar.ledger.storage import StorageTrouble
    from ocw_sidecar.settings.workers import StorageHealthSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a look came to."""

    condition: Condition
    in_trouble: bool
    repair: bool  #: now


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """When trouble begins and ends, and when to repair."""

    begins: Cutoff
    ends_at: float  #: replicas' worth; not below those of `begins`
    again_after: int  #: blocks between two repairs of one object

    @classmethod
    def of(cls, settings: StorageHealthSettings) -> Course:
        """Return the course that an operator has set."""
        begins = Cutoff(
            replicas=settings.min_replicas, nodes=settings.min_nodes, critical=settings.repair_below
        )
        ends_at = settings.min_replicas if settings.end_replicas is None else settings.end_replicas
        return cls(begins=begins, ends_at=ends_at, again_after=settings.repair_again_blocks)

    def judge(self, health: Health, known: StorageTrouble | None, height: int) -> Verdict:
        """Judge a look as of a block; `known` is the trouble that an earlier look found."""
        condition = self.begins.judge(health)
        low = condition is not Condition.SOUND
        in_trouble = low or (known is not None and health.replicas < self.ends_at)
        seen_before = known is not None and known.since < height
        urgent = condition in {Condition.CRITICAL, Condition.LOST}
        repair = in_trouble and (urgent or seen_before) and self._is_due(known, height)
        return Verdict(condition=condition, in_trouble=in_trouble, repair=repair)

    def _is_due(self, known: StorageTrouble | None, height: int) -> bool:
        last = None if known is None else known.repaired_at
        return last is None or height - last >= self.again_after

"""How well an object is stored: measured from its fragments, and judged against a cut-off.

Of an object with several segments, the one that has fewest living fragments counts, since an object is lost
with the first segment that is. All of it is arithmetic on what the storage network told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.storage.file_id import DATA_SHARDS, PARITY_SHARDS
from caregrid.storage.port import Placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.storage.port import SegmentFragments

#: Copies that a network of full replicas would keep, and what 4+8 fragments are worth.
WANTED_REPLICAS: Final = 3.0
#: A segment's fragments lie on as many storage nodes as there are fragments.
WANTED_NODES: Final = DATA_SHARDS + PARITY_SHARDS
#: Below this health a few more failures can lose the object.
CRITICAL_HEALTH: Final = 0.5

_MILLION: Final = 1_000_000


class Condition(StrEnum):
    """What health comes to."""

    SOUND = "sound"
    TROUBLED = "troubled"  #: less than the cut-off asks for
    CRITICAL = "critical"  #: close to being lost
    LOST = "lost"  #: fewer fragments live than restore it


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """A measurement. The network counts fragments; everything else follows from that."""

    needed: int  #: fragments that restore the segment
    total: int  #: fragments that it was coded into
    living: int  #: of these, how many live
    nodes: int  #: distinct storage nodes that hold living ones

    @property
    def value(self) -> float:
        """From 0 to 1: the fragments alive beyond what is needed, of all that may be lost."""
        return self._spare / (self.total - self.needed)

    @property
    def parts_per_million(self) -> int:
        """`value` in whole parts of a million, rounded down, as the chain keeps it."""
        return _MILLION * self._spare // (self.total - self.needed)

    @property
    def replicas(self) -> float:
        """Living fragments in copies' worth, parts of a copy included."""
        return self.living / self.needed

    @property
    def whole_replicas(self) -> int:
        """Whole copies' worth, as the chain keeps it."""
        return self.living // self.needed

    @property
    def is_lost(self) -> bool:
        """Whether a segment cannot be restored from what lives."""
        return self.living < self.needed

    @property
    def _spare(self) -> int:
        return max(0, self.living - self.needed)


#: The health of an object that the network does not know any more.
GONE: Final = Health(needed=DATA_SHARDS, total=WANTED_NODES, living=0, nodes=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutoff:
    """What an object has to have to be sound."""

    replicas: float = WANTED_REPLICAS  #: fewer copies' worth are trouble
    nodes: int = WANTED_NODES  #: fewer distinct storage nodes are trouble
    critical: float = CRITICAL_HEALTH  #: lower health is critical

    def __post_init__(self) -> None:
        if self.replicas <= 0 or self.nodes < 1 or not 0 <= self.critical <= 1:
            raise ValueError("replicas and nodes must be positive, critical health from 0 to 1")

    def judge(self, health: Health) -> Condition:
        """Say what a measurement comes to."""
        if health.is_lost:
            return Condition.LOST
        if health.value < self.critical:
            return Condition.CRITICAL
        thin = health.replicas < self.replicas or health.nodes < self.nodes
        return Condition.TROUBLED if thin else Condition.SOUND


def health_of(placement: Placement) -> Health:
    """Return the health of an object whose fragments are placed like this."""
    return Health(
        needed=placement.needed, total=placement.total, living=placement.living, nodes=placement.nodes
    )


def placement_of(segments: Sequence[SegmentFragments], *, needed: int = DATA_SHARDS) -> Placement:
    """Return the placement of the segment that has fewest living fragments, or among equals fewest nodes.

    Raises:
        ValueError: there is no segment, or one has too few fragments for its code.
    """
    return min((_placement(each, needed) for each in segments), key=lambda each: (each.living, each.nodes))


def _placement(segment: SegmentFragments, needed: int) -> Placement:
    living = [each for each in segment.fragments if each.living]
    return Placement(
        needed=needed,
        total=len(segment.fragments),
        living=len(living),
        nodes=len({each.node for each in living}),
    )

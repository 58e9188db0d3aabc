"""What `caregrid storage` says of an object: one flat JSON object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from caregrid.storage.health import GONE, Condition, Cutoff, Health, health_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.errors import CaregridError
    from caregrid.storage import ObjectStat

#: The network does not tell how many fragments live.
UNTOLD: Final = "untold"
#: The object could not be looked at.
FAILED: Final = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What was found out about one object."""

    object_id: bytes
    health: Health | None = None  #: None where it was not told
    cutoff: Cutoff = field(default_factory=Cutoff)
    error: CaregridError | None = None  #: why the object could not be looked at
    facts: Mapping[str, Any] = field(default_factory=dict)  #: fit for JSON

    @property
    def state(self) -> str:
        """One of the conditions, or that it is unknown."""
        if self.error is not None:
            return FAILED
        return UNTOLD if self.health is None else str(self.cutoff.judge(self.health))

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong as far as the network tells."""
        return self.state in {Condition.SOUND, UNTOLD}

    def as_dict(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return {
            "object": self.object_id.hex(),
            "state": self.state,
            **({} if self.health is None else _measured(self.health)),
            **self.facts,
            **({} if self.error is None else {"error": self.error.code, "message": str(self.error)}),
        }


def line_of(object_id: bytes, stat: ObjectStat | None, cutoff: Cutoff) -> Line:
    """Return what a look at an object's metadata comes to; an object that is not there is lost."""
    if stat is None:
        return Line(object_id=object_id, health=GONE, cutoff=cutoff)
    health = None if stat.placement is None else health_of(stat.placement)
    facts = {"bytes": stat.size} | ({} if stat.restoring is None else {"restoring": stat.restoring})
    return Line(object_id=object_id, health=health, cutoff=cutoff, facts=facts)


def of_stat(object_id: bytes, stat: ObjectStat) -> dict[str, Any]:
    """Return what `stat` prints."""
    return line_of(object_id, stat, Cutoff()).as_dict()


def _measured(health: Health) -> dict[str, Any]:
    return {
        "health": round(health.value, 6),
        "replicas": health.replicas,
        "nodes": health.nodes,
        "living": health.living,
        "needed": health.needed,
        "total": health.total,
    }

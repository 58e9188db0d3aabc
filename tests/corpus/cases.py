"""Cases with a verdict that follows from the specification, and the words they are written in."""

from __future__ import annotations

import itertools
import json
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The versions in which most cases mean the same.
ALL: Final = ("4.0", "4.3", "5.0")
R4: Final = ("4.0", "4.3")
R5: Final = ("5.0",)

Resource = dict[str, Any]


class _Mark(Enum):
    """What an edit can do besides setting."""

    DROP = "drop"


#: As an edit's value: take the member or item away.
DROP: Final = _Mark.DROP


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One content and the verdict that it must get."""

    rule: str  #: the kind of rule it is about
    name: str
    spec: str  #: where the specification says so
    valid: bool
    version: str
    content: bytes
    profiles: tuple[bytes, ...] = ()  #: that are supplied with it

    def __str__(self) -> str:
        return f"{self.version} {self.rule}: {self.name} ({'valid' if self.valid else 'invalid'})"


@dataclass(frozen=True, slots=True)
class Draft:
    """A case without what it shares with its group."""

    name: str
    valid: bool
    content: bytes


def good(name: str, base: Resource, edits: Mapping[str, Any] | None = None) -> Draft:
    """Return a resource that is valid after some edits."""
    return Draft(name, valid=True, content=encoded(edited(base, edits or {})))


def bad(name: str, base: Resource, edits: Mapping[str, Any] | None = None) -> Draft:
    """Return a resource that is invalid by its edits."""
    return Draft(name, valid=False, content=encoded(edited(base, edits or {})))


def group(
    rule: str,
    spec: str,
    drafts: Iterable[Draft],
    versions: Iterable[str] = ALL,
    profiles: Iterable[Resource] = (),
) -> list[Case]:
    """Return the cases of one rule in several versions."""
    supplied = tuple(encoded(profile) for profile in profiles)
    return [
        Case(
            rule=rule,
            name=draft.name,
            spec=spec,
            valid=draft.valid,
            version=version,
            content=draft.content,
            profiles=supplied,
        )
        for draft in drafts
        for version in versions
    ]


def encoded(resource: object) -> bytes:
    """Return JSON."""
    return json.dumps(resource, ensure_ascii=False).encode()


def edited(base: Resource, edits: Mapping[str, Any]) -> Resource:
    """Return a copy of a resource in which places such as `name[0].period` are set or dropped."""
    copy = deepcopy(base)
    for place, value in edits.items():
        _set(copy, _steps(place), deepcopy(value))
    return copy


def _steps(place: str) -> list[str | int]:
    parts = place.replace("[", ".[").split(".")
    return [int(part[1:-1]) if part.startswith("[") else part for part in parts if part]


def _set(inside: Any, steps: list[str | int], value: Any) -> None:
    for step, following in itertools.pairwise(steps):
        inside = _entered(inside, step, [] if isinstance(following, int) else {})
    last = steps[-1]
    if value is DROP:
        del inside[last]
    elif isinstance(last, int) and last == len(inside):
        inside.append(value)
    else:
        inside[last] = value


def _entered(inside: Any, step: str | int, empty: Any) -> Any:
    if isinstance(step, int):
        if step == len(inside):
            inside.append(empty)
        return inside[step]
    return inside.setdefault(step, empty)

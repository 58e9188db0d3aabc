"""Goes over many objects, some at once, and prints a JSON line for each as soon as it is known."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import CaregridError
from ocw_sidecar.cli.storage_lines import FAILED, Line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

_random: Final = SystemRandom()


@dataclass(kw_only=True, slots=True)
class Tally:
    """What a scan has come to so far."""

    states: Counter[str] = field(default_factory=Counter)
    errors: dict[str, CaregridError] = field(default_factory=dict)  #: one of each code
    worst: float | None = None  #: health

    def add(self, line: Line) -> None:
        """Count one object."""
        self.states[line.state] += 1
        if line.error is not None:
            self.errors.setdefault(line.error.code, line.error)
        if line.health is not None:
            self.worst = line.health.value if self.worst is None else min(self.worst, line.health.value)

    @property
    def objects(self) -> int:
        """How many were looked at."""
        return self.states.total()

    def exit_code(self) -> int:
        """Return 0 if all are well, 1 if some are not, or an error's own if no other came of any object."""
        if self.objects and self.states[FAILED] == self.objects and len(self.errors) == 1:
            [error] = self.errors.values()
            return error.exit_code
        return int(any(state not in {"sound", "untold"} for state in self.states))

    def as_dict(self) -> dict[str, Any]:
        """Return the summary, fit for JSON."""
        return {
            "objects": self.objects,
            **{state: self.states[state] for state in sorted(self.states)},
            "worst_health": None if self.worst is None else round(self.worst, 6),
            "errors": sorted(self.errors),
        }

    def as_text(self) -> str:
        """Return the summary in a line."""
        states = ", ".join(f"{self.states[state]} {state}" for state in sorted(self.states)) or "none"
        worst = "" if self.worst is None else f"; worst health {self.worst:.3f}"
        return f"{self.objects} objects: {states}{worst}"


async def scan(
    objects: AsyncIterator[bytes], look: Callable[[bytes], Awaitable[Line]], tally: Tally, *, at_once: int
) -> None:
    """Look at each object and print its line; at most so many at once.

    Raises:
        CaregridError: the list of objects could not be read to its end. What fails with one object is in its
            line.
    """
    turn = asyncio.Lock()

    async def work() -> None:
        while True:
            async with turn:
                object_id = await anext(objects, None)
            if object_id is None:
                return
            show(await _looked(object_id, look), tally)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except BaseExceptionGroup as found:
        raise _first(found) from found


def show(line: Line, tally: Tally) -> None:
    """Print one line whole, and count it."""
    print(json.dumps(line.as_dict()) + "\n", end="", flush=True)  # noqa: T201 - the program's output
    tally.add(line)


async def sampled(objects: AsyncIterator[bytes], count: int) -> list[bytes]:
    """Return so many of the objects, each with the same chance, or all where there are fewer."""
    kept: list[bytes] = []
    number = 0
    async for object_id in objects:
        number += 1
        if len(kept) < count:
            kept.append(object_id)
        elif (place := _random.randrange(number)) < count:
            kept[place] = object_id
    return kept


async def each(objects: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield objects that are known."""
    for object_id in objects:
        yield object_id


async def _looked(object_id: bytes, look: Callable[[bytes], Awaitable[Line]]) -> Line:
    try:
        return await look(object_id)
    except CaregridError as fault:
        return Line(object_id=object_id, error=fault)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first

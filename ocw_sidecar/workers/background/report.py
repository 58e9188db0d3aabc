"""What a task came to: figures for each side of it, and an exit code."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from caregrid.errors import CaregridError
from ocw_sidecar.pipeline.faults import UNEXPECTED, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from caregrid.chain.answers import AnswerCounts


class Result(IntEnum):
    """What cron sees."""

    SUCCESS = 0
    PARTIAL = 1
    FAILURE = 2


@dataclass(kw_only=True, slots=True)
class Part:
    """One side of a task, or one kind of entries."""

    name: str
    found: int = 0  #: that there was something to do about
    done: int = 0  #: removed, confirmed or taken in
    failed: int = 0
    skipped: int = 0  #: left for later, or not worth doing any more
    seconds: float = 0.0
    reason: str | None = None  #: the error's code that ended it

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return self.reason is None and not self.failed

    def as_json(self) -> dict[str, Any]:
        """Return the figures."""
        figures = {name: getattr(self, name) for name in ("found", "done", "failed", "skipped")}
        return {"part": self.name, **figures, "seconds": round(self.seconds, 3), "reason": self.reason}


@dataclass(kw_only=True, slots=True)
class Report:
    """What a task came to."""

    task: str
    parts: list[Part] = field(default_factory=list)
    fault: Exception | None = None  #: the last one that ended a part
    cached: AnswerCounts | None = None  #: what a cache knew of the chain's answers; None: there is none

    @property
    def result(self) -> Result:
        """Whether all parts went well, some, or none; a part that did something was no complete failure."""
        return outcome([part.ok for part in self.parts], any(part.done for part in self.parts))

    def as_json(self) -> dict[str, Any]:
        """Return the figures of each part."""
        parts = [part.as_json() for part in self.parts]
        shown = {"task": self.task, "result": self.result.name.lower(), "parts": parts}
        return shown if self.cached is None else shown | {"cache": _cache(self.cached)}

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return what the audit log says of each part."""
        return {
            part.name: {"done": part.done, "failed": part.failed, "reason": part.reason}
            for part in self.parts
        }

    @contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Take one part down; a fault ends it, and not the task."""
        part, began = Part(name=name), time.monotonic()
        self.parts.append(part)
        try:
            yield part
        except (CaregridError, TimeoutError, OSError) as exc:
            self.fault = exc
            part.reason = "TIMEOUT" if isinstance(exc, TimeoutError) else reason_of(exc)
            if part.reason == UNEXPECTED:
                part.reason = type(exc).__name__
        finally:
            part.seconds = time.monotonic() - began


def _cache(counts: AnswerCounts) -> dict[str, Any]:
    rate = None if counts.rate is None else round(counts.rate, 4)
    return {"hits": counts.hits, "misses": counts.misses, "hit_rate": rate}


def outcome(went_well: Sequence[bool], anything_done: bool) -> Result:  # noqa: FBT001 - two facts, one verdict
    """Return the result of several parts."""
    if all(went_well):
        return Result.SUCCESS
    return Result.PARTIAL if any(went_well) or anything_done else Result.FAILURE


def together(reports: Sequence[Report]) -> Result:
    """Return the result of several tasks."""
    results = [report.result for report in reports]
    if all(result is Result.SUCCESS for result in results):
        return Result.SUCCESS
    return Result.FAILURE if all(result is Result.FAILURE for result in results) else Result.PARTIAL

"""Which block-driven jobs are due at a block: a value without clock, chain or database.

A job is due when the height crosses a multiple of its interval. Several multiples that are crossed between
two looks, because blocks were caught up with or the job ran long, are one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: A run that failed is tried again after 1, 2, 4, … blocks; past this many doublings only at its interval.
_MAX_DOUBLINGS: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockJob:
    """A job with its interval."""

    name: str
    every: int  #: blocks

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError("an interval has at least one block")

    def crosses(self, done: int, height: int) -> bool:
        """Tell whether a multiple of the interval lies behind `done`, and not behind `height`."""
        return height // self.every > done // self.every


@dataclass(kw_only=True, slots=True)
class _Progress:
    asked: int  #: the height that a run was last asked for at
    failures: int = 0  #: since the last success
    again_at: int | None = None


class Agenda:
    """The jobs, what each was last done for, and what has been asked for meanwhile."""

    def __init__(self, jobs: Iterable[BlockJob], done: Mapping[str, int], *, start: int) -> None:
        """Go on from the heights that jobs were done for; one that never was waits for its first multiple.

        Args:
            jobs: the jobs.
            done: the heights, by name.
            start: the height of a job that was never done.
        """
        self._jobs = {job.name: job for job in jobs}
        self._progress = {name: _Progress(asked=done.get(name, start)) for name in self._jobs}

    def take_due(self, height: int) -> list[str]:
        """Return the jobs to ask for at this height, each once."""
        due = [name for name in self._jobs if self._is_due(name, height)]
        for name in due:
            self._progress[name].asked = height
            self._progress[name].again_at = None
        return due

    def done(self, name: str) -> None:
        """Note that a run went well."""
        self._progress[name].failures = 0

    def failed(self, name: str, height: int) -> None:
        """Note that a run went wrong, so that it comes again before its interval is over."""
        progress = self._progress[name]
        pause = 2 ** min(progress.failures, _MAX_DOUBLINGS)
        progress.again_at = height + min(pause, self._jobs[name].every)
        progress.failures += 1

    def _is_due(self, name: str, height: int) -> bool:
        progress = self._progress[name]
        again = progress.again_at is not None and height >= progress.again_at
        return again or self._jobs[name].crosses(progress.asked, height)

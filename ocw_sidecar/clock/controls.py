"""What operators ask of workers, and what became of their runs: the same from every process and machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of a worker, or several that are told of together."""

    worker: str
    started_at: datetime
    ended_at: datetime
    items: Mapping[str, int] = field(default_factory=dict)  #: what was done, by kind
    reason: str | None = None  #: the error code it failed with
    height: int | None = None  #: the block it was done for
    answers: int = 0  #: the number of the single run that it was asked for as; 0 for none
    runs: int = 1
    failures: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerState:
    """What is known of a worker."""

    name: str
    paused: bool = False
    paused_at: datetime | None = None
    paused_by: str | None = None  #: "command line", or the public id of who asked the API
    asked: int = 0  #: single runs that were asked for, ever
    answered: int = 0  #: of these, how many are done
    runs: int = 0
    failures: int = 0
    started_at: datetime | None = None  #: of the last run
    ended_at: datetime | None = None
    succeeded_at: datetime | None = None
    height: int | None = None
    items: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessState:
    """One sidecar process that runs, or did a moment ago."""

    process_id: bytes
    started_at: datetime
    seen_at: datetime
    leads: bool


class Controls(ABC):
    """Durable; every method is one transaction."""

    @abstractmethod
    async def workers(self) -> dict[str, WorkerState]:
        """Return what is known of workers, by name; of some nothing is known yet."""

    @abstractmethod
    async def pause(self, worker: str, *, by: str, now: datetime) -> None:
        """Let a worker finish its run and begin no other; who paused it first stays on record."""

    @abstractmethod
    async def resume(self, worker: str) -> None:
        """Let a worker go on."""

    @abstractmethod
    async def ask(self, worker: str) -> int:
        """Ask for one run, also of a paused worker; return its number."""

    @abstractmethod
    async def note_run(self, run: Run) -> None:
        """Note a run."""

    @abstractmethod
    async def note_process(self, process_id: bytes, *, leads: bool, now: datetime) -> None:
        """Note that a process lives."""

    @abstractmethod
    async def end_process(self, process_id: bytes) -> None:
        """Forget a process that stops."""

    @abstractmethod
    async def processes(self, *, alive_since: datetime) -> Sequence[ProcessState]:
        """Return the processes that were seen since a time; forget the others."""

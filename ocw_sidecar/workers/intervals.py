"""Workers that run each so many blocks, or each so many seconds, and what is taken down of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import structlog

from caregrid.errors import Recoverable
from ocw_sidecar.clock.controls import Run
from ocw_sidecar.pipeline.faults import UNEXPECTED, place_of, reason_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from ocw_sidecar.pipeline.bells import Bell
    from ocw_sidecar.workers.control import ControlWatch

log = structlog.get_logger()


class IntervalWorker(ABC):
    """One kind of work that is done as of a block."""

    name: ClassVar[str]

    @abstractmethod
    async def run(self, height: int) -> Mapping[str, int]:
        """Do the work, within bounds; return what was done, by kind. Twice is as good as once."""


class WallJob(ABC):
    """One kind of work that the wall clock asks for."""

    name: ClassVar[str]
    bell: ClassVar[Bell | None] = None  #: what it is due for at once, beside its interval

    @abstractmethod
    async def run(self) -> Mapping[str, int]:
        """Do the work, within bounds; return what was done, by kind. Twice is as good as once."""

    def next_every(self, every_s: float) -> float:
        """Return the seconds between runs from now on, given those so far; asked after each run."""
        return every_s


async def taken_down(
    name: str,
    work: Callable[[], Awaitable[Mapping[str, int]]],
    *,
    now: Callable[[], datetime],
    height: int | None = None,
    answers: int = 0,
) -> Run:
    """Run something and return what came of it; a fault is no exception, and holds up no record."""
    started_at, items, reason = now(), dict[str, int](), None
    try:
        items = dict(await work())
    except Recoverable as exc:
        reason = reason_of(exc)
        log.warning("worker_waits", worker=name, reason=reason)
    except Exception as exc:  # noqa: BLE001 - it is counted, shown, and tried again
        reason = reason_of(exc)
        place = {"fault": type(exc).__name__, "place": place_of(exc)} if reason == UNEXPECTED else {}
        log.error("worker_failed", worker=name, reason=reason, **place)  # noqa: TRY400 - a trace could quote content
    return Run(
        worker=name,
        started_at=started_at,
        ended_at=now(),
        items=items,
        reason=reason,
        height=height if reason is None else None,
        answers=answers,
        failures=int(reason is not None),
    )


async def unless_paused(
    name: str,
    work: Callable[[], Awaitable[Mapping[str, int]]],
    *,
    watch: ControlWatch,
    now: Callable[[], datetime],
    height: int | None = None,
) -> Run | None:
    """Run something unless its worker is paused, and tell the watch.

    One that is paused runs all the same when a single run was asked for.
    """
    answers = watch.asked(name)
    if watch.paused(name) and not answers:
        return None
    run = await taken_down(name, work, now=now, height=height, answers=answers)
    watch.note(run)
    return run

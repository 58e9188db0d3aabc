"""Progress callbacks: throttled, and told the end."""

from __future__ import annotations

import pytest

from caregrid.storage.progress import INTERVAL_S, ProgressMeter


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def test_calls_are_throttled_and_the_last_one_comes() -> None:
    """The first and the last call come at once, those between only after the interval."""
    clock, seen = Clock(), list[tuple[int, int]]()
    async with ProgressMeter(lambda done, total: seen.append((done, total)), 10, clock=clock) as meter:
        await meter.reach(0)
        await meter.reach(1)
        clock.now += INTERVAL_S
        await meter.reach(2)
        await meter.reach(9)
    assert [(0, 10), (2, 10), (10, 10)] == seen


async def test_the_end_is_told_once() -> None:
    """A transfer whose end was told already does not tell it again."""
    clock, seen = Clock(), list[int]()
    async with ProgressMeter(lambda done, _: seen.append(done), 10, clock=clock) as meter:
        await meter.reach(10)
    assert [10] == seen


async def test_coroutines_are_awaited() -> None:
    """A callback may be a coroutine function."""
    seen: list[int] = []

    async def note(done: int, _: int) -> None:
        seen.append(done)

    async with ProgressMeter(note, 5):
        pass
    assert [5] == seen


async def test_a_failed_transfer_does_not_say_that_it_is_done() -> None:
    """The last call comes only when all went well."""
    seen: list[int] = []

    async def fail() -> None:
        async with ProgressMeter(lambda done, _: seen.append(done), 5) as meter:
            await meter.reach(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert [1] == seen


async def test_what_a_callback_raises_gets_out() -> None:
    """From the last call, too."""

    def fail(done: int, _: int) -> None:
        raise LookupError(done)

    with pytest.raises(LookupError):
        async with ProgressMeter(fail, 5):
            pass


async def test_nobody_needs_to_listen() -> None:
    """Without a callback nothing happens."""
    async with ProgressMeter(None, 5) as meter:
        await meter.reach(1)

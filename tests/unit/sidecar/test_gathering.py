"""Calls that are made as one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.pipeline.gathering import Gathered

if TYPE_CHECKING:
    from collections.abc import Sequence


class Doubling:
    """Doubles numbers, refuses 13, and breaks down over 666; remembers what came together."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.going = asyncio.Event()
        self.going.set()

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        """Do it."""
        self.calls.append(list(items))
        await self.going.wait()
        if 666 in items:
            raise OSError("all of them")
        return [ValueError("unlucky") if item == 13 else 2 * item for item in items]


async def test_what_comes_together_is_one_call() -> None:
    """Each has its own outcome, and no call has too many items."""
    double = Doubling()
    gathered = Gathered(double, most=3)
    found = await asyncio.gather(*(gathered(number) for number in range(7)))
    assert [2 * number for number in range(7)] == found
    assert [[0, 1, 2], [3, 4, 5], [6]] == double.calls


async def test_an_exception_is_for_one() -> None:
    """What one item is refused with stops no other."""
    gathered = Gathered(Doubling(), most=10)
    found = await asyncio.gather(*(gathered(number) for number in (1, 13, 2)), return_exceptions=True)
    assert (2, 4) == (found[0], found[2])
    assert isinstance(found[1], ValueError)


async def test_a_breakdown_is_for_all() -> None:
    """When the call itself fails, everybody in it is told, and the next call is made."""
    gathered = Gathered(Doubling(), most=2)
    found = await asyncio.gather(*(gathered(number) for number in (1, 666, 2)), return_exceptions=True)
    assert [OSError, OSError, int] == [type(each) for each in found]


async def test_who_goes_takes_nobody_along() -> None:
    """The one that made the call is cancelled; the others have it made again, without him."""
    double = Doubling()
    double.going.clear()
    gathered = Gathered(double, most=10)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        tasks = [group.create_task(gathered(number)) for number in range(3)]
        while not double.calls:  # noqa: ASYNC110 - the call tells
            await asyncio.sleep(0)
        tasks[0].cancel()
        double.going.set()
    assert tasks[0].cancelled()
    assert [2, 4] == [task.result() for task in tasks[1:]]
    assert [[0, 1, 2], [1, 2]] == double.calls


async def test_who_went_before_his_turn_is_left_out() -> None:
    """Nothing is asked for a caller that is gone."""
    double = Doubling()
    double.going.clear()
    gathered = Gathered(double, most=1)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        tasks = [group.create_task(gathered(number)) for number in range(3)]
        while not double.calls:  # noqa: ASYNC110 - the call tells
            await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        double.going.set()
    assert [[0], [2]] == double.calls


async def test_an_outcome_that_nobody_took_is_no_complaint() -> None:
    """A caller that is cancelled while the others fail leaves no unread exception behind."""
    double = Doubling()
    double.going.clear()
    gathered = Gathered(double, most=10)

    async def ask_both() -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            tasks = [group.create_task(gathered(number)) for number in (1, 666)]
            while not double.calls:  # noqa: ASYNC110 - the call tells
                await asyncio.sleep(0)
            tasks[1].cancel()
            double.going.set()

    with pytest.raises(ExceptionGroup):
        await ask_both()

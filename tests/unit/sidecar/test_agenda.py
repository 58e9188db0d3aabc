"""Which block-driven jobs are due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocw_sidecar.clock.agenda import Agenda, BlockJob

HEIGHTS = st.lists(st.integers(0, 2_000), min_size=1, max_size=80, unique=True).map(sorted)


def agenda(every: int, *, start: int = 0, done: int | None = None) -> Agenda:
    """Return an agenda with one job."""
    return Agenda([BlockJob(name="job", every=every)], {} if done is None else {"job": done}, start=start)


def due_at(looked: Agenda, heights: list[int]) -> list[int]:
    """Return the heights at which the job was due."""
    return [height for height in heights if looked.take_due(height)]


def test_each_multiple_is_one_run() -> None:
    """Block by block, a job is due at each multiple of its interval."""
    assert [50, 100, 150] == due_at(agenda(50), list(range(1, 160)))


def test_several_multiples_are_one_run() -> None:
    """What was crossed while catching up, or while a run was long, is one run."""
    assert [731] == due_at(agenda(50, start=12), [731, 732, 749])


def test_a_restart_neither_forgets_nor_repeats() -> None:
    """A job goes on from the height that it was last done for."""
    assert [] == due_at(agenda(50, done=150, start=163), [164, 165])
    assert [164] == due_at(agenda(50, done=149, start=163), [164, 165])


def test_a_failed_run_comes_again_sooner() -> None:
    """After 1, 2, 4, … blocks, but never later than its interval; a success ends that."""
    looked = agenda(50)
    runs = []
    for height in range(50, 90):
        if looked.take_due(height):
            runs.append(height)
            looked.failed("job", height)
    assert [50, 51, 53, 57, 65, 81] == runs
    looked.done("job")
    looked.take_due(97)
    looked.failed("job", 97)
    assert [98] == due_at(looked, [97, 98, 99])


def test_an_interval_has_a_block() -> None:
    """None at all would mean to run without end."""
    with pytest.raises(ValueError, match="at least one block"):
        BlockJob(name="job", every=0)


@given(st.integers(1, 120), HEIGHTS)
def test_never_more_runs_than_multiples(every: int, heights: list[int]) -> None:
    """Whatever heights are looked at, runs are as many as looks that crossed a multiple, and none is lost."""
    crossed, last = [], 0
    for height in heights:
        if height // every > last // every:
            crossed.append(height)
        last = height
    assert crossed == due_at(agenda(every), heights)


@given(st.integers(1, 120), HEIGHTS, st.integers(0, 79))
def test_a_restart_anywhere_changes_nothing(every: int, heights: list[int], cut: int) -> None:
    """A process that ends between two looks, after its run, leaves the plan as it would have been."""
    before, after = heights[:cut], heights[cut:]
    first = due_at(agenda(every), before)
    done = before[-1] if before else 0
    second = due_at(agenda(every, done=first[-1] if first else 0, start=done), after)
    assert due_at(agenda(every), heights) == first + second

"""The lock between setting clients up and working with them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from caregrid.chain.exclusion import SetUpLock

ROUNDS = 200


def test_work_never_overlaps_with_setting_up() -> None:
    """Whoever sets up is alone; those who work may be many."""
    lock, guard, inside, clashes = SetUpLock(), threading.Lock(), {"work": 0, "set up": 0}, []

    def enter(kind: str) -> None:
        with lock.setting_up() if kind == "set up" else lock.working():
            with guard:
                inside[kind] += 1
                if inside["set up"] > 1 or (inside["set up"] and inside["work"]):
                    clashes.append(dict(inside))
            with guard:
                inside[kind] -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(enter, ["work", "work", "set up", "work"] * ROUNDS))
    assert [] == clashes
    assert {"work": 0, "set up": 0} == inside


def test_workers_share() -> None:
    """Two that work are inside at the same time."""
    lock, met = SetUpLock(), threading.Barrier(2, timeout=10)

    def work() -> int:
        with lock.working():
            return met.wait()

    with ThreadPoolExecutor(2) as threads:
        assert {0, 1} == set(threads.map(lambda _: work(), range(2)))


def test_the_lock_is_let_go_after_an_error() -> None:
    """An error inside leaves it usable."""
    lock = SetUpLock()
    for hold in (lock.working, lock.setting_up):
        with pytest.raises(ZeroDivisionError), hold():
            1 / 0  # noqa: B018 - any error will do
    with lock.setting_up():
        pass
    with lock.working():
        pass

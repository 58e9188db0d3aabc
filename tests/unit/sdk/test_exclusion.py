"""The lock that its holder gives up while he waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from caregrid.chain.exclusion import Turn

ROUNDS = 300


def test_one_works_at_a_time() -> None:
    """Also when each gives the turn up in the middle of his work, and takes it again."""
    turn, guard, inside, clashes = Turn(), threading.Lock(), [0], []

    def enter() -> None:
        with guard:
            inside[0] += 1
            if inside[0] > 1:
                clashes.append(inside[0])

    def leave() -> None:
        with guard:
            inside[0] -= 1

    def work(_: int) -> None:
        with turn.taken():
            enter()
            leave()
            with turn.given_up():
                pass
            enter()
            leave()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(ROUNDS)))
    assert [] == clashes


def test_who_waits_lets_others_in() -> None:
    """Two that wait at the same time meet, though each holds the turn before and after."""
    turn, met = Turn(), threading.Barrier(2, timeout=10)

    def wait(_: int) -> int:
        with turn.taken(), turn.given_up():
            return met.wait()

    with ThreadPoolExecutor(2) as threads:
        assert {0, 1} == set(threads.map(wait, range(2)))


def test_the_turn_is_let_go_after_an_error() -> None:
    """Wherever it comes from, the next one gets his turn."""
    turn = Turn()
    with pytest.raises(ZeroDivisionError), turn.taken():
        1 / 0  # noqa: B018 - any error will do
    with pytest.raises(ZeroDivisionError), turn.taken(), turn.given_up():
        1 / 0  # noqa: B018 - as above
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: turn._lock.acquire(timeout=10)).result()

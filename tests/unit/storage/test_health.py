"""How well an object is stored: arithmetic on fragments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.storage import Fragment, Placement, SegmentFragments
from caregrid.storage.health import GONE, Condition, Cutoff, Health, health_of, placement_of


def health(living: int, nodes: int | None = None) -> Health:
    """Return the health of 4+8 fragments."""
    return Health(needed=4, total=12, living=living, nodes=living if nodes is None else nodes)


def segment(living: int, nodes: int = 12) -> SegmentFragments:
    """Return a segment whose first fragments live, spread over some nodes."""
    return SegmentFragments(
        digest=bytes(32),
        fragments=tuple(
            Fragment(index=index, digest=bytes(32), node=f"node-{index % nodes}", living=index < living)
            for index in range(12)
        ),
    )


@pytest.mark.parametrize(
    ("living", "value", "replicas", "whole"),
    [
        (12, 1.0, 3.0, 3),
        (11, 0.875, 2.75, 2),
        (8, 0.5, 2.0, 2),
        (5, 0.125, 1.25, 1),
        (4, 0.0, 1.0, 1),
        (3, 0.0, 0.75, 0),
        (0, 0.0, 0.0, 0),
    ],
)
def test_health_counts_what_may_still_be_lost(living: int, value: float, replicas: float, whole: int) -> None:
    """Health is 1 with every fragment and 0 with the last four; four fragments are a copy's worth."""
    measured = health(living)
    assert (value, replicas, whole) == (measured.value, measured.replicas, measured.whole_replicas)
    assert int(value * 1_000_000) == measured.parts_per_million


@pytest.mark.parametrize(
    ("living", "nodes", "condition"),
    [
        (12, 12, Condition.SOUND),
        (12, 11, Condition.TROUBLED),
        (11, 11, Condition.TROUBLED),
        (8, 8, Condition.TROUBLED),
        (7, 7, Condition.CRITICAL),
        (4, 4, Condition.CRITICAL),
        (3, 3, Condition.LOST),
    ],
)
def test_the_cutoff_asks_for_copies_and_nodes(living: int, nodes: int, condition: Condition) -> None:
    """Below three copies' worth, or with two fragments on one node, an object is in trouble."""
    assert condition is Cutoff().judge(health(living, nodes))


def test_an_operator_may_ask_for_less() -> None:
    """One missing fragment is no trouble for a cut-off of two and a half copies on ten nodes."""
    assert Condition.SOUND is Cutoff(replicas=2.5, nodes=10).judge(health(11))
    assert Condition.TROUBLED is Cutoff(replicas=2.5, nodes=10).judge(health(9))


def test_what_is_gone_is_lost() -> None:
    """An object that the network does not know has nothing left."""
    assert Condition.LOST is Cutoff().judge(GONE)
    assert (0.0, 0.0, 0) == (GONE.value, GONE.replicas, GONE.nodes)


@pytest.mark.parametrize("wrong", [{"replicas": 0.0}, {"nodes": 0}, {"critical": 1.5}, {"critical": -0.1}])
def test_a_cutoff_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """Nothing is below zero copies, and no health is above one."""
    with pytest.raises(ValueError, match="positive"):
        Cutoff(**wrong)  # type: ignore[arg-type]


def test_the_worst_segment_counts() -> None:
    """An object is lost with the first segment that is, whatever the others have."""
    assert Placement(needed=4, total=12, living=5, nodes=5) == placement_of(
        [segment(12), segment(5), segment(9)]
    )


def test_among_equals_fewer_nodes_are_worse() -> None:
    """As many fragments on fewer nodes go with fewer failures."""
    assert 6 == placement_of([segment(12), segment(12, nodes=6)]).nodes


def test_an_object_without_segments_has_no_placement() -> None:
    """There is no such object."""
    with pytest.raises(ValueError, match="empty"):
        placement_of([])


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_health_grows_with_each_fragment(needed: int, spare: int, data: st.DataObject) -> None:
    """For any code: from 0 to 1, never less with one fragment more, and 1 only with all of them."""
    total = needed + spare
    living = data.draw(st.integers(0, total - 1))
    less, more = (
        health_of(Placement(needed=needed, total=total, living=count, nodes=count))
        for count in (living, living + 1)
    )
    assert 0 <= less.value <= more.value <= 1
    assert (living + 1 == total) == (more.value == 1)
    assert 0 <= less.parts_per_million <= more.parts_per_million <= 1_000_000

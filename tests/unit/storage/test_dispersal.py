"""Which nodes take the fragments of a segment."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from caregrid.storage.file_id import FRAGMENT_SIZE
from storage_network.gateway.homes import NEAR_EQUAL, by_room
from storage_network.gateway.node_client import NodeHealth

rooms = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4), st.none() | st.integers(0, 1 << 50), max_size=30
)


def health(room: int | None) -> NodeHealth:
    """Return what a node with so many free bytes tells."""
    return NodeHealth(fragments=None, bytes_free=room, bytes_used=None, bytes_limit=None, corrupt=None)


@given(rooms=rooms)
def test_the_emptiest_come_first(rooms: dict[str, int | None]) -> None:
    """Every node that has room stands in the order once, and none before one that has clearly more."""
    order = by_room({node: health(room) for node, room in rooms.items()})
    roomy = [node for node, room in rooms.items() if room is None or room >= FRAGMENT_SIZE]
    assert sorted(roomy) == sorted(order)
    told = [room for room in (rooms[node] for node in order) if room is not None]
    assert all(later < earlier * NEAR_EQUAL for earlier, later in pairwise(told))


def test_who_does_not_answer_gets_nothing() -> None:
    """A silent node is not among the homes."""
    assert ["b"] == by_room({"a": None, "b": health(1 << 30)})


def test_near_equals_take_turns() -> None:
    """Of twelve nodes with as much room, each is the first about as often as any other."""
    nodes = {f"node-{number:02d}": health(1 << 30) for number in range(12)}
    firsts = Counter(by_room(nodes)[0] for _ in range(2400))
    assert set(nodes) == set(firsts)
    assert min(firsts.values()) > 100  # 200 on average; so far off by chance once in 10^12 runs

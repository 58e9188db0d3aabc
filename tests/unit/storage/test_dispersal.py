"""Which nodes take the fragments of a segment."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from storage_network.gateway.dispersal import placement_order

hashes = st.binary(min_size=32, max_size=32)


@given(segment=hashes, count=st.integers(0, 40))
def test_every_node_has_one_place(segment: bytes, count: int) -> None:
    """The order holds each node exactly once, so that 12 fragments never share a node."""
    nodes = [f"node-{number:02d}" for number in range(count)]
    assert nodes == sorted(placement_order(segment, nodes))


@given(segment=hashes)
def test_the_order_is_that_of_the_segment(segment: bytes) -> None:
    """Storing a segment again finds the same places."""
    nodes = [f"node-{number:02d}" for number in range(12)]
    assert placement_order(segment, nodes) == placement_order(segment, list(nodes))


def test_load_spreads() -> None:
    """Over many segments, each node takes each index about as often as any other."""
    nodes = [f"node-{number:02d}" for number in range(12)]
    firsts = Counter(
        placement_order(number.to_bytes(8, "big") + bytes(24), nodes)[0] for number in range(1200)
    )
    assert {100} == set(firsts.values())
